//! The command `verify`: a layer is rebuilt from the lock in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use klayers_core::Digest;
use zip::write::SimpleFileOptions;

use crate::bytecode::pythons::{any_python, pretender};
use crate::support::WheelFile;
use crate::support::command::Home;

const ZIP: &str = "out/Klayers-p312-alpha.zip";

/// Creates a folder with a layer of two wheels.
fn home() -> Home {
    let home = Home::new();
    let alpha =
        WheelFile::new("alpha", "1.0").requires("beta").file("alpha/__init__.py", "a = 1\n");
    home.wheels(&[alpha, WheelFile::new("beta", "2.0").file("beta.py", "b = 2\n")]);
    let build = ["build", "alpha", "--python", "3.12", "--out", "out", "--bytecode", "off"];
    home.run(&[&build[..], &["--find-links", "wheels", "--no-index"]].concat()).ended_with(0);
    home
}

/// Rewrites the layer's zip with changed entries.
fn change(home: &Home, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>, more: &[&str]) {
    change_zip(&home.path(ZIP), change, more);
}

fn change_zip(zip: &Path, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>, more: &[&str]) {
    let bytes = fs::read(zip).unwrap();
    let path = zip;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let options = SimpleFileOptions::default()
            .compression_method(entry.compression())
            .unix_permissions(entry.unix_mode().unwrap());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if let Some(content) = change(&name, content) {
            zip.start_file(&name, options).unwrap();
            zip.write_all(&content).unwrap();
        }
    }
    for name in more {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
    }
    fs::write(path, zip.finish().unwrap().into_inner()).unwrap();
}

#[test]
fn layer_is_reproduced_from_the_wheels_of_its_lock() {
    let home = home();
    // Remove everything that the first build left.
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(0);
    assert!(
        done.stdout.starts_with("reproduced Klayers-p312-alpha\nsha256     "),
        "{}",
        done.stdout
    );
}

#[test]
fn changed_files_are_listed() {
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
        "  python/evil.py is only in the layer",
        "  python/alpha-1.0.dist-info/WHEEL is missing from the layer",
        "  python/beta.py has different content in the layer",
    ] {
        assert!(done.stdout.lines().any(|found| found == line), "{line}: {}", done.stdout);
    }
    let done = home.run(&["verify", ZIP, "--wheels", "wheels", "--json"]).ended_with(1);
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(result["reproduced"], false);
}

#[test]
fn layer_with_changed_lock_is_not_reproduced() {
    let home = home();
    // An attacker who changes a wheel's content cannot adapt the lock to it.
    let other = WheelFile::new("beta", "2.0").file("beta.py", "b = 7\n");
    home.wheels(&[other]);
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(1);
    assert!(done.stderr.contains("beta-2.0-py3-none-any.whl"), "{}", done.stderr);
}

#[test]
fn layer_that_cannot_be_rebuilt_is_refused_with_the_reason() {
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
        done.stderr.contains("it contains the lock of another layer, Klayers-p312-other"),
        "{}",
        done.stderr
    );
    change(&home, rename("[tool.klayers]", "[tool.other]"), &[]);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(1);
    assert!(done.stderr.contains("it has no table [tool.klayers]"), "{}", done.stderr);
    home.write(ZIP, "no zip");
    let done = home.run(&["verify", ZIP]).ended_with(1);
    assert!(done.stderr.contains("it is not a sound ZIP archive"), "{}", done.stderr);
    let missing = home.run(&["verify", "missing.zip"]).ended_with(1);
    let help = "\nhelp: check the path, or create the file\n";
    assert!(missing.stderr.ends_with(help), "{}", missing.stderr);
    assert!(missing.stderr.contains("missing.zip"), "{}", missing.stderr);
}

/// Two texts of equal length and CRC.
fn of_one_crc() -> [Vec<u8>; 2] {
    let mut seen = BTreeMap::new();
    (0_u32..)
        .find_map(|number| {
            let text = Digest::of(&number.to_be_bytes()).to_string().into_bytes();
            let other = seen.insert(crc32fast::hash(&text), text.clone())?;
            Some([other, text])
        })
        .unwrap()
}

#[test]
fn without_the_python_release_everything_but_bytecode_is_compared() {
    let Some(interpreter) = any_python() else { return };
    let (python, release) = (interpreter.version().python(), interpreter.version().to_string());
    let tag = format!("cpython-{}{}", python.major(), python.minor());
    let home = Home::new();
    let [data, of_the_same_crc] = of_one_crc();
    let alpha = WheelFile::new("alpha", "1.0")
        .file("alpha/__init__.py", "a = 1\n")
        .file("alpha/more.py", "b = 2\n")
        .file("alpha/data.txt", &data)
        // Compiled bytecode replaces the bytecode from the wheel.
        .file(&format!("alpha/__pycache__/more.{tag}.pyc"), "stale");
    home.wheels(&[alpha]);
    let (version, program) = (python.to_string(), interpreter.path().display().to_string());
    let build = ["build", "alpha", "--find-links", "wheels", "--no-index", "--out", "out"];
    let with = ["--bytecode", "on", "--python", &version, "--interpreter", &program];
    home.run(&[&build[..], &with].concat()).ended_with(0);
    let name = format!("Klayers-{}-alpha", format!("p{python}").replace('.', ""));
    let zip = home.path(&format!("out/{name}.zip"));

    let (other, magic) = (format!("{python}.99"), interpreter.magic().number().to_string());
    let there = home.path("bin/python");
    pretender(&there, &[(2, &other), (3, &tag), (4, &magic)], "exit 3");
    let (path, there) = (zip.display().to_string(), there.display().to_string());
    let verify = ["verify", &path, "--wheels", "wheels", "--interpreter", &there];
    let done = home.run(&verify).ended_with(1);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", done.stdout);
    assert_eq!(lines[0], format!("{name} is what its lock gives, as far as it was compared"));
    let not_compared = format!(
        "not compared: 2 files of bytecode: they are for CPython {release}, but this machine has {other}; \
         choose an interpreter of that release to compare them, too"
    );
    assert_eq!(lines[2], not_compared);
    let json = |arguments: &[&str]| -> serde_json::Value {
        let done = home.run(&[arguments, &["--json"]].concat()).ended_with(1);
        serde_json::from_str(&done.stdout).unwrap()
    };
    let result = json(&verify);
    assert_eq!(result["reproduced"], false);
    assert_eq!(result["differences"], serde_json::json!([]));
    let expected = serde_json::json!({ "files": 2, "bytecode": release, "interpreter": other });
    assert_eq!(result["notCompared"], expected);

    let evil = format!("python/alpha/__pycache__/evil.{tag}.pyc");
    let changed = |name: &str, content: Vec<u8>| {
        let text = String::from_utf8_lossy(&content).into_owned();
        Some(match name {
            "python/alpha/data.txt" => of_the_same_crc.clone(),
            name if name.ends_with("/more.py") => b"b = 3\n".to_vec(),
            name if name.ends_with(".dist-info/RECORD") => format!("{text}more,,\n").into_bytes(),
            name if name.ends_with("/pylock.toml") => format!("{text}# more\n").into_bytes(),
            _ => content,
        })
    };
    change_zip(&zip, changed, &[&evil]);
    let result = json(&verify);
    let differences = [
        format!("klayers/{name}/pylock.toml has different content in the layer"),
        "python/alpha-1.0.dist-info/RECORD has different content in the layer".to_owned(),
        // Not the bytecode of an existing source.
        format!("{evil} is only in the layer"),
        "python/alpha/data.txt has different content in the layer".to_owned(),
        "python/alpha/more.py has different content in the layer".to_owned(),
    ];
    let mut found: Vec<&str> =
        result["differences"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
    let mut expected: Vec<&str> = differences.iter().map(String::as_str).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(result["notCompared"]["files"], 2);
}
