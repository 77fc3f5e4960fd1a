//! The contents of layers besides files of wheels, and reasons why building fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use klayers_core::{Digest, LayerName, Target};
use klayers_layer::builder::{Builder, BytecodeMode};
use klayers_layer::fetch::Fetcher;
use klayers_layer::interpreter::Interpreters;
use klayers_layer::interpreter::SearchPath;

use crate::bytecode::pythons::any_python;
use crate::gate::elf::{AARCH64, Elf};
use crate::support::command::{Home, Outcome};
use crate::support::{WheelFile, lock_of, package, zip_files};

const BUILD: [&str; 6] = ["build", "alpha", "--find-links", "wheels", "--no-index", "--out"];

fn build(home: &Home, out: &str, more: &[&str]) -> Outcome {
    home.run(&[&BUILD[..], &[out], more].concat())
}

#[test]
fn bytecode_is_beside_its_source_and_in_record() {
    let Some(interpreter) = any_python() else { return };
    let python = interpreter.version().python();
    let home = Home::new();
    let tag = format!("cpython-{}{}", python.major(), python.minor());
    let alpha = WheelFile::new("alpha", "1.0")
        .file("alpha/__init__.py", "answer = 42\n")
        .file("alpha/broken.py", "not Python at all\n")
        .file("alpha/data.txt", "")
        // Bytecode from the wheel may be stale.
        .file(&format!("alpha/__pycache__/__init__.{tag}.pyc"), "stale");
    home.wheels(&[alpha]);
    let version = python.to_string();
    let program = interpreter.path().display().to_string();
    let arguments =
        ["--python", version.as_str(), "--bytecode", "on", "--interpreter", program.as_str()];
    let done = build(&home, "out", &arguments).ended_with(0);
    assert!(done.stdout.contains("bytecode  CPython "), "{}", done.stdout);
    let name = format!("Klayers-p{}{}-alpha", python.major(), python.minor());
    let zip = home.path(&format!("out/{name}.zip"));
    let found = zip_files(&zip);
    let pyc = format!("python/alpha/__pycache__/__init__.{tag}.pyc");
    assert_ne!(found[&pyc], b"stale");
    assert!(!found.keys().any(|path| path.contains("broken.cpython")), "{:?}", found.keys());
    let record = String::from_utf8(found["python/alpha-1.0.dist-info/RECORD"].clone()).unwrap();
    let hash = Digest::of(&found[&pyc]).to_base64_url();
    let line = format!("alpha/__pycache__/__init__.{tag}.pyc,sha256={hash},{}", found[&pyc].len());
    assert!(record.lines().any(|found| found == line), "{line}: {record}");
    let lock = String::from_utf8(found[&format!("klayers/{name}/pylock.toml")].clone()).unwrap();
    assert!(lock.contains(&format!("bytecode = \"{}\"", interpreter.version())), "{lock}");

    // Another cache and `verify` give the same bytes.
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    build(&home, "again", &arguments).ended_with(0);
    assert_eq!(fs::read(home.path(&format!("again/{name}.zip"))).unwrap(), fs::read(&zip).unwrap());
    let zip = zip.display().to_string();
    let done =
        home.run(&["verify", &zip, "--wheels", "wheels", "--interpreter", &program]).ended_with(0);
    assert!(done.stdout.starts_with(&format!("reproduced {name}\n")), "{}", done.stdout);
}

#[test]
fn without_interpreter_bytecode_is_omitted_or_an_error() {
    let home = Home::new();
    home.wheels(&[WheelFile::new("alpha", "1.0").file("alpha.py", "")]);
    let wrong = home.path("bin/no-python").display().to_string();
    let arguments = ["--python", "3.12", "--interpreter", wrong.as_str(), "--bytecode"];
    let done = build(&home, "out", &[&arguments[..], &["on"]].concat()).ended_with(2);
    assert!(
        done.stderr.contains("could not use HOME/bin/no-python as Python 3.12"),
        "{}",
        done.stderr
    );
    assert_eq!(home.files("out"), [""; 0]);
    build(&home, "out", &[&arguments[..], &["off"]].concat()).ended_with(0);
}

#[test]
fn layer_that_cannot_be_loaded_is_not_kept() {
    let home = Home::new();
    let elf = Elf { machine: AARCH64, ..Elf::default() };
    home.wheels(&[WheelFile::new("alpha", "1.0").file("alpha/_x.so", elf.bytes())]);
    let done = build(&home, "out", &["--python", "3.12", "--bytecode", "off"]).ended_with(1);
    for part in
        ["Klayers-p312-alpha would not work", "alpha/_x.so of alpha-1.0", "aarch64", "x86_64"]
    {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
    assert_eq!(home.files("out"), [""; 0]);
    let forced = ["--python", "3.12", "--bytecode", "off", "--force"];
    let done = build(&home, "forced", &forced).ended_with(0);
    assert!(done.stderr.starts_with("error: alpha/_x.so of alpha-1.0"), "{}", done.stderr);
    assert_eq!(home.files("forced"), ["Klayers-p312-alpha.zip"]);
    let arm = ["--python", "3.12", "--arch", "arm64", "--bytecode", "off"];
    build(&home, "out", &arm).ended_with(0);
}

#[test]
fn layer_has_lock_requirements_and_sbom() {
    let home = Home::new();
    home.wheels(&[WheelFile::new("alpha", "1.0").file("alpha.py", "")]);
    build(&home, "out", &["--python", "3.12", "--bytecode", "off"]).ended_with(0);
    let found = zip_files(&home.path("out/Klayers-p312-alpha.zip"));
    let sbom = &found["klayers/Klayers-p312-alpha/sbom.cdx.json"];
    let sbom: serde_json::Value = serde_json::from_slice(sbom).unwrap();
    assert_eq!(sbom["components"][0]["purl"], "pkg:pypi/alpha@1.0");
    assert_eq!(sbom["components"][0]["licenses"][0]["expression"], "MIT");
}

#[tokio::test]
async fn interpreter_is_probed_once() {
    let Some(interpreter) = tokio::task::spawn_blocking(any_python).await.unwrap() else { return };
    let python = interpreter.version().python();
    let home = Home::new();
    let (log, program) = (home.path("asked"), interpreter.path().display());
    let script = format!("#!/bin/sh\necho once >> '{}'\nexec '{program}' \"$@\"\n", log.display());
    let wrapper = home.write("bin/python", script);
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let interpreters =
        Interpreters { search_path: SearchPath::new(""), explicit: [(python, wrapper)].into() };
    let cache = home.path("cache");
    let builder = Builder::new(Fetcher::new(&cache, None).unwrap())
        .with_interpreters(interpreters)
        .with_bytecode(BytecodeMode::On, &cache);
    let target = Target::new(python, "x86_64".parse().unwrap());
    for name in ["alpha", "beta"] {
        let wheel = WheelFile::new(name, "1.0").file(&format!("{name}.py"), "x = 1\n");
        let lock = lock_of(&[wheel], &home.path("wheels"), target);
        let layer = LayerName::new("Klayers", target, name).unwrap();
        // Clones of a builder share the result.
        let built = builder.clone().build(&layer, &lock, &home.path("")).await.unwrap();
        builder.check(&built, &[], &home.path("")).await.unwrap();
    }
    assert_eq!(fs::read_to_string(log).unwrap(), "once\n");
}

#[test]
fn runtime_without_interpreter_gets_layers_without_bytecode() {
    let home = Home::new();
    let alpha = WheelFile::new("alpha", "1.0").file("alpha.py", "x = 1\n");
    let path = alpha.write(&home.path("wheels"));
    let lock = package(&alpha, url::Url::from_file_path(path).unwrap().as_str());
    home.write("lock.toml", format!("lock-version = \"1.0\"\n{lock}"));
    // An empty `PATH`, whatever programs this machine has.
    let run = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        home.finish(command.env("PATH", home.path("bin")).spawn().unwrap())
    };
    let build = ["build", "alpha", "--python", "3.14", "--lock", "lock.toml", "--out", "out"];
    let done = run(&[&build[..], &["--check-imports"]].concat()).ended_with(0);
    assert_eq!(
        done.stderr,
        "warning: the layer has no bytecode: no interpreter of Python 3.14 was found\n"
    );
    let not_run = "\nimports: not run: no interpreter of Python 3.14 was found\n";
    assert!(done.stdout.ends_with(not_run), "{}", done.stdout);
    let zip = home.path("out/Klayers-p314-alpha.zip");
    assert!(!zip_files(&zip).keys().any(|path| path.contains("__pycache__")));
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let zip = zip.display().to_string();
    let done = run(&["verify", &zip, "--wheels", "wheels"]).ended_with(0);
    assert!(done.stdout.starts_with("reproduced Klayers-p314-alpha\n"), "{}", done.stdout);

    let refused = run(&[&build[..], &["--bytecode", "on"]].concat()).ended_with(2);
    assert!(refused.stderr.contains("no interpreter of Python 3.14 was found to make bytecode"));
}
