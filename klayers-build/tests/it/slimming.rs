//! Slimmed layers lack the excluded files, and their RECORDs are still correct.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use klayers_core::Digest;

use crate::support::command::Home;
use crate::support::{WheelFile, zip_files};

/// The only zip among the artifacts.
fn layer(artifacts: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut waiting = vec![artifacts.to_owned()];
    let mut zips: Vec<PathBuf> = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if fs::read(&path).unwrap().starts_with(b"PK") {
                zips.push(path);
            }
        }
    }
    let [zip] = zips.as_slice() else { panic!("{zips:?}") };
    zip_files(zip)
}

#[test]
fn excluded_files_and_tests_are_left_out_of_layer_and_record() {
    let home = Home::new();
    let alpha = WheelFile::new("alpha", "1.0")
        .requires("beta")
        .file("alpha/__init__.py", "")
        .file("alpha/__init__.pyi", "")
        .file("alpha/tests/test_it.py", "")
        .data("data/share/alpha/manual.txt", "long");
    home.wheels(&[alpha, WheelFile::new("beta", "1.0").file("beta.py", "")]);
    home.collection(&[("p3.12", &["alpha"])], &["eu-west-1"]);
    let toml = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let slim = "[slim]\nexclude = [\"**/*.pyi\", \"share/**\"]\ndrop_tests = true\n\
                leave_out = [\"beta\"]\n";
    home.write("klayers.toml", format!("{toml}{slim}"));
    home.run(&["run"]).ended_with(0);

    let files = layer(&home.path("artifacts"));
    let held: Vec<&str> = files.keys().filter_map(|path| path.strip_prefix("python/")).collect();
    let dist_info = ["INSTALLER", "METADATA", "RECORD", "WHEEL"];
    let mut expected = dist_info.map(|file| format!("alpha-1.0.dist-info/{file}")).to_vec();
    expected.push("alpha/__init__.py".to_owned());
    assert_eq!(held, expected);
    let record = String::from_utf8(files["python/alpha-1.0.dist-info/RECORD"].clone()).unwrap();
    let listed: Vec<&str> = record.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(listed, expected);
    let hash = Digest::of(&files["python/alpha/__init__.py"]).to_base64_url();
    assert!(record.contains(&format!("alpha/__init__.py,sha256={hash},0\n")), "{record}");
    let lock = &files["klayers/Klayers-p312-alpha/pylock.toml"];
    let lock = String::from_utf8(lock.clone()).unwrap();
    for said in ["drop_tests = true", "leave_out = [\"beta\"]", "\"share/**\""] {
        assert!(lock.contains(said), "{said}: {lock}");
    }
}
