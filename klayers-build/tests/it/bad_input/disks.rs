//! Tests full disks and read-only folders.

use std::fs;
use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

use super::home;
use crate::bytecode::pythons::any_python;
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};
use crate::support::disk::Folder::{ReadOnly, Small};
use crate::support::disk::disks_can_be_mounted;

const BUILD: [&str; 9] =
    ["build", "large", "--python", "3.12", "--find-links", "wheels", "--no-index", "--out", "out"];

/// A wheel of one megabyte that does not compress.
fn large(home: &Home) {
    let mut noise = Vec::new();
    let mut state = 7_u32;
    while noise.len() < 1 << 20 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.extend_from_slice(&state.to_be_bytes()[..2]);
    }
    home.wheels(&[WheelFile::new("large", "1.0").file("large.bin", noise)]);
}

/// The cause of a full disk or an exceeded limit of the file size.
fn is_full(text: &str) -> bool {
    text.contains("No space left on device (os error 28)")
        || text.contains("File too large (os error 27)")
}

/// The cause of a read-only folder.
fn is_closed(text: &str) -> bool {
    text.contains("Read-only file system (os error 30)")
        || text.contains("Permission denied (os error 13)")
}

#[test]
fn full_disk_is_named_and_nothing_is_left_on_it() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    large(&home);
    // With the wheel in the cache, the space is missing for the layer, not for the wheel.
    home.run(&[&BUILD[..8], &["other"]].concat()).ended_with(0);
    let Some(outcome) = home.run_with("out", Small(256), &BUILD) else { return };
    let outcome = outcome.ended_with(1);
    assert_eq!(outcome.stdout, "left:\n");
    assert!(outcome.stderr.starts_with("error: could not write a layer in out\n  caused by: "));
    assert!(is_full(&outcome.stderr), "{}", outcome.stderr);
    let help = "\nhelp: the disk is full: free some space, then run the command again\n";
    assert!(outcome.stderr.ends_with(help), "{}", outcome.stderr);
    home.run(&BUILD).ended_with(0);
}

#[test]
fn full_cache_keeps_no_incomplete_wheel() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    large(&home);
    // After this uv has the wheel in its cache, and needs no space for it.
    home.run(&[&BUILD[..8], &["other"]].concat()).ended_with(0);
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let Some(outcome) = home.run_with("caches/klayers", Small(256), &BUILD) else { return };
    let outcome = outcome.ended_with(1);
    let expected = "error: could not write HOME/caches/klayers/partial/";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    assert!(is_full(&outcome.stderr), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains("./wheels"), "{}", outcome.stdout);
    assert_eq!(home.files("out"), [] as [String; 0]);
    home.run(&BUILD).ended_with(0);
}

#[test]
fn run_that_met_a_full_disk_is_completed_once_there_is_space() {
    if !uv_is_there() {
        return;
    }
    for folder in ["artifacts", "published"] {
        let home = home();
        large(&home);
        home.collection(&[("p3.12", &["alpha", "large"])], &["us-east-1", "eu-west-1"]);
        let Some(outcome) = home.run_with(folder, Small(512), &["run"]) else { return };
        let outcome = outcome.ended_with(1);
        assert!(is_full(&outcome.stderr), "{}", outcome.stderr);
        // A reason that both layers share is printed once.
        let both = outcome.stderr.contains("error: alpha and large for p3.12: ");
        assert!(both || outcome.stderr.contains("error: p3.12 large"), "{}", outcome.stderr);
        // The small layer fits, unless it needed its space while the large one occupied all of it.
        let built = outcome.stdout.contains("p3.12 alpha 1.0: built (new)");
        let named = both || outcome.stderr.contains("error: p3.12 alpha: ");
        let failed = if named { ", 2 failed\n" } else { ", 1 failed\n" };
        assert!(outcome.stderr.contains(failed) && (built || named), "{}", outcome.stderr);
        let left = outcome.stdout.split_once("left:\n").unwrap().1;
        assert!(!left.contains("staging"), "{left}");

        if folder == "published" {
            // The content of the small disk is lost, but this layer was never there.
            let done = home.run(&["run"]).ended_with(0);
            let published = "  arn:aws:lambda:us-east-1:000000000000:layer:Klayers-p312-large:1\n";
            assert!(done.stdout.contains(published), "{}", done.stdout);
        }
    }
}

#[test]
fn read_only_folder_is_named() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    large(&home);
    let Some(outcome) = home.run_with("out", ReadOnly, &BUILD) else { return };
    let expected = "error: could not write a layer in out\n  caused by: ";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    assert!(is_closed(&outcome.stderr), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 3, "{}", outcome.stderr);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), "left:\n"));
}

#[test]
fn read_only_collection_can_be_planned_but_not_run() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.write("collection/klayers.toml", "config_dir = \".\"\n[build]\nno_index = true\n");
    home.write("collection/regions.csv", "Code,Name\nus-east-1,x\n");
    home.write("collection/config.json", r#"{"python_versions": []}"#);
    let before = home.contents();
    let with = |command: &str| {
        home.run_with("collection", ReadOnly, &[command, "--config", "collection/klayers.toml"])
    };
    let Some(planned) = with("plan") else { return };
    assert_eq!(planned.stderr, "0 layers: 0 to build, 0 layer versions to publish, 0 failed\n");
    assert_eq!(planned.code, Some(0));
    let ran = with("run").unwrap();
    let expected = "error: could not lock collection/klayers.db.lock\n  caused by: ";
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
    assert!(is_closed(&ran.stderr), "{}", ran.stderr);
    assert_eq!(ran.code, Some(1));
    assert_eq!(home.contents(), before);
    assert!(fs::exists(home.path("collection/klayers.toml")).unwrap());
}

#[test]
fn full_disk_under_uv_is_reported_as_such() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    large(&home);
    let Some(outcome) = home.run_with("caches/uv", Small(64), &BUILD) else { return };
    let outcome = outcome.ended_with(1);
    let expected = "error: uv failed: the disk is full: there is no space left";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    home.run(&BUILD).ended_with(0);
}

/// A wheel with a file that needs almost no space compressed, and 8 MB unpacked.
fn hollow() -> WheelFile {
    WheelFile::new("large", "1.0").file("large.py", "").file("large.bin", vec![0; 8_000_000])
}

#[test]
fn full_disk_while_unpacking_a_layer_is_reported_as_such() {
    let Some(interpreter) = any_python().filter(|_| uv_is_there()) else { return };
    if !disks_can_be_mounted() {
        return;
    }
    let home = Home::new();
    home.wheels(&[hollow()]);
    let python = interpreter.version().python().to_string();
    let arch = if interpreter.machine() == "aarch64" { "arm64" } else { "x86_64" };
    let program = interpreter.path().display().to_string();
    let runtime = format!("[[runtime]]\npython = \"{python}\"\nos = \"here\"\nglibc = \"2.17\"\n");
    home.write("klayers.toml", format!("config_dir = \"config\"\n{runtime}"));
    let build = [
        "build",
        "large",
        "--python",
        &python,
        "--arch",
        arch,
        "--find-links",
        "wheels",
        "--no-index",
        "--interpreter",
        &program,
        "--check-imports",
        "--config",
        "klayers.toml",
        "--out",
        "out",
    ];
    let outcome = home.run_with("out", Small(1024), &build).unwrap().ended_with(1);
    let told = &outcome.stderr;
    assert!(told.contains("could not unpack "), "{told}");
    assert!(told.contains("the disk is full: there is no space left"), "{told}");
    assert!(!told.contains("Traceback") && !told.contains("File \""), "{told}");
    assert_eq!(outcome.stdout, "left:\n");
    home.run(&build).ended_with(0);
}

#[test]
fn full_disk_while_unpacking_an_sdist_is_reported_as_such() {
    if !uv_is_there() || !disks_can_be_mounted() {
        return;
    }
    let mut home = Home::new();
    let project = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\n\
                   backend-path = [\".\"]\n[project]\nname = \"sample\"\nversion = \"1.0\"\n";
    let hollow = vec![0; 8_000_000];
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in
        [("pyproject.toml", project.as_bytes()), ("backend.py", b""), ("large.bin", &hollow)]
    {
        zip.start_file(format!("sample-1.0/{path}"), SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    home.write("wheels/sample-1.0.zip", zip.finish().unwrap().into_inner());
    let temporary = home.path("temporary").display().to_string();
    home.tell("TMPDIR", &temporary);
    let build = [
        "build",
        "sample",
        "--python",
        "3.12",
        "--find-links",
        "wheels",
        "--no-index",
        "--allow-sdist",
        "sample",
        "--out",
        "out",
    ];
    let outcome = home.run_with("temporary", Small(1024), &build).unwrap().ended_with(1);
    let told = &outcome.stderr;
    assert!(told.contains("could not build a wheel of sample==1.0"), "{told}");
    assert!(told.contains("the disk is full"), "{told}");
    assert!(!told.contains("Traceback") && !told.contains("File \""), "{told}");
    assert!(told.lines().count() <= 5, "{told}");
    assert_eq!(outcome.stdout, "left:\n");
}
