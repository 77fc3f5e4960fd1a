//! A layer is made again from the lock in it.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};

use crate::support::WheelFile;
use crate::support::command::Home;

const ZIP: &str = "out/Klayers-p312-alpha.zip";

/// A folder with a layer of two wheels.
fn home() -> Home {
    let home = Home::new();
    let alpha =
        WheelFile::new("alpha", "1.0").requires("beta").file("alpha/__init__.py", "a = 1\n");
    home.wheels(&[alpha, WheelFile::new("beta", "2.0").file("beta.py", "b = 2\n")]);
    let build = ["build", "alpha", "--python", "3.12", "--out", "out", "--bytecode", "off"];
    home.run(&[&build[..], &["--find-links", "wheels", "--no-index"]].concat()).ended_with(0);
    home
}

/// Writes the layer's zip anew, with its entries changed.
fn change(home: &Home, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>, more: &[&str]) {
    let bytes = fs::read(home.path(ZIP)).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if let Some(content) = change(&name, content) {
            zip.start_file(&name, options).unwrap();
            zip.write_all(&content).unwrap();
        }
    }
    for name in more {
        zip.start_file(*name, options).unwrap();
    }
    fs::write(home.path(ZIP), zip.finish().unwrap().into_inner()).unwrap();
}

#[test]
fn a_layer_of_the_wheels_that_its_lock_names_is_reproduced() {
    let home = home();
    // Nothing of the first build is left to build from.
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(0);
    assert!(
        done.stdout.starts_with("reproduced Klayers-p312-alpha\nsha256     "),
        "{}",
        done.stdout
    );
}

#[test]
fn what_was_changed_is_listed() {
    let home = home();
    let changed = |name: &str, content: Vec<u8>| match name {
        "python/beta.py" => Some(b"b = 3\n".to_vec()),
        "python/alpha-1.0.dist-info/WHEEL" => None,
        _ => Some(content),
    };
    change(&home, changed, &["python/evil.py"]);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(1);
    for line in [
        "Klayers-p312-alpha differs from what its lock gives",
        "  python/evil.py is in the layer alone",
        "  python/alpha-1.0.dist-info/WHEEL is not in the layer",
        "  python/beta.py has other content in the layer",
    ] {
        assert!(done.stdout.lines().any(|found| found == line), "{line}: {}", done.stdout);
    }
    let done = home.run(&["verify", ZIP, "--wheels", "wheels", "--json"]).ended_with(1);
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(result["reproduced"], false);
}

#[test]
fn a_layer_whose_lock_is_another_one_is_not_reproduced() {
    let home = home();
    // Somebody who changes a wheel's content cannot make the lock say so.
    let other = WheelFile::new("beta", "2.0").file("beta.py", "b = 7\n");
    home.wheels(&[other]);
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(1);
    assert!(done.stderr.contains("beta-2.0-py3-none-any.whl"), "{}", done.stderr);
}

#[test]
fn what_cannot_be_made_again_is_refused_with_the_reason() {
    let home = home();
    let rename = |from: &'static str, to: &'static str| {
        move |_: &str, content: Vec<u8>| {
            let Ok(text) = String::from_utf8(content.clone()) else { return Some(content) };
            Some(text.replace(from, to).into_bytes())
        }
    };
    change(&home, rename("layer = \"Klayers-p312-alpha\"", "layer = \"Klayers-p312-other\""), &[]);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(1);
    assert!(
        done.stderr.contains("the lock in it is that of Klayers-p312-other"),
        "{}",
        done.stderr
    );
    change(&home, rename("[tool.klayers]", "[tool.other]"), &[]);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(1);
    assert!(done.stderr.contains("there is no [tool.klayers] in it"), "{}", done.stderr);
    home.write(ZIP, "no zip");
    let done = home.run(&["verify", ZIP]).ended_with(1);
    assert!(done.stderr.contains("it is not a sound ZIP archive"), "{}", done.stderr);
    let missing = home.run(&["verify", "missing.zip"]).ended_with(1);
    assert!(missing.stderr.contains("missing.zip"), "{}", missing.stderr);
}
