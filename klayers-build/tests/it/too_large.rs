//! Tests that layers above Lambda's limit are refused early, with advice on making them smaller.

use std::fs;

use klayers_core::Digest;

use crate::support::command::{Home, Outcome, uv_is_there};
use crate::support::{WheelFile, package};

const MEGABYTE: usize = 1_000_000;

/// A package of 250 MB, and its tests of 30 MB.
fn large() -> WheelFile {
    let mut wheel = WheelFile::new("large", "1.0").file("large/__init__.py", "");
    for number in 0..25 {
        wheel = wheel.file(&format!("large/{number}.bin"), vec![0; 10 * MEGABYTE]);
    }
    for number in 0..3 {
        wheel = wheel.file(&format!("large/tests/{number}.bin"), vec![0; 10 * MEGABYTE]);
    }
    wheel
}

/// The error about a refused layer, which must be short.
#[track_caller]
fn refusal(outcome: Outcome) -> String {
    let outcome = outcome.ended_with(1);
    assert!(outcome.stderr.lines().count() <= 5, "{}", outcome.stderr);
    outcome.stderr
}

#[test]
fn too_large_wheels_are_not_fetched() {
    let home = Home::new();
    let wheel = WheelFile::new("large", "1.0").file("large.py", "");
    let lock = package(&wheel, "http://127.0.0.1:9/large-1.0-py3-none-any.whl");
    let lock = lock.replace("hashes =", "size = 3200000000, hashes =");
    home.write("lock.toml", format!("lock-version = \"1.0\"\n{lock}"));
    let build = ["build", "large", "--python", "3.12", "--lock", "lock.toml", "--out", "out"];
    insta::assert_snapshot!(refusal(home.run(&build)), @r"
    error: Klayers-p312-large is too large: its wheels are 3.2 GB packed; Lambda takes 262.1 MB for a function and all its layers
      biggest: large 3.2 GB
    help: deploy a function of this size as a container image, of up to 10 GB
    ");
    let forced = home.run(&[&build[..], &["--force"]].concat()).ended_with(1);
    assert!(forced.stderr.contains("could not fetch"), "{}", forced.stderr);
}

#[test]
fn too_large_layer_is_refused_before_compiling_or_importing() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let small = WheelFile::new("small", "1.0").file("small.py", "");
    home.wheels(&[large(), small]);
    let build = ["build", "large", "--python", "3.12", "--find-links", "wheels", "--no-index"];
    let build = [&build[..], &["--check-imports", "--out", "out"]].concat();
    insta::assert_snapshot!(refusal(home.run(&build)), @r"
    error: Klayers-p312-large is too large: it unpacks to 280.0 MB; Lambda takes 262.1 MB for a function and all its layers
      biggest: large 280.0 MB
      would save under [slim]: drop_tests = true 30.0 MB
    help: 250.0 MB remain with drop_tests = true
    ");
    assert!(!home.path("caches/klayers/bytecode").exists());
    assert_eq!(home.files("out"), [""; 0]);

    home.collection(&[("p3.12", &["large", "small"])], &["eu-west-1"]);
    let run = home.run(&["run"]).ended_with(1);
    let told = "error: p3.12 large: the layer is too large: it unpacks to 280.0 MB; Lambda";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert_eq!(run.tally(), "2 layers: 1 built, 1 layer versions published, 0 unchanged, 1 failed");
    let toml = fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", format!("{toml}[slim]\ndrop_tests = true\n"));
    let run = home.run(&["run"]).ended_with(0);
    assert!(run.tally().starts_with("2 layers: 2 built"), "{}", run.stderr);

    let forced = home.run(&[&build[..], &["--force"]].concat()).ended_with(0);
    assert!(forced.stderr.contains("error: the layer unpacks to 280.0 MB"), "{}", forced.stderr);
    let not_run = "imports: not run: the layer exceeds Lambda's size limit\n";
    assert!(forced.stdout.ends_with(not_run), "{}", forced.stdout);
    let zip = fs::read(home.path("out/Klayers-p312-large.zip")).unwrap();
    assert!(forced.stdout.contains(&Digest::of(&zip).to_string()), "{}", forced.stdout);
    home.run(&["verify", "out/Klayers-p312-large.zip", "--wheels", "wheels"]).ended_with(0);
}
