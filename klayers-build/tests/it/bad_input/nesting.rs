//! Tests untrusted text that is nested so deeply that parsing it could overflow the stack.

use std::io::Write as _;

use zip::write::SimpleFileOptions;

use super::home;
use crate::support::WheelFile;
use crate::support::command::Home;

fn nested(depth: usize) -> String {
    format!("{}os_name == 'posix'{}", "(".repeat(depth), ")".repeat(depth))
}

/// A lock of one package with this additional line.
fn lock(line: &str) -> String {
    let wheel = WheelFile::new("alpha", "1.0").file("alpha.py", "");
    let package = crate::support::package(&wheel, "http://127.0.0.1:9/alpha.whl");
    format!("lock-version = \"1.0\"\n{package}{line}\n")
}

#[test]
fn lock_with_deeply_nested_marker_is_refused() {
    let home = Home::new();
    let build = ["build", "alpha", "--python", "3.12", "--out", "out", "--lock", "pylock.toml"];
    for depth in [100, 20_000, 200_000] {
        home.write("pylock.toml", lock(&format!("marker = \"{}\"", nested(depth))));
        let outcome = home.run(&build).ended_with(2);
        let expected = "error: pylock.toml cannot be used\n  caused by: package alpha: \"((((";
        assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("(…\" is not an environment marker\n"));
        assert!(outcome.stderr.len() < 400, "{}", outcome.stderr);
    }
}

#[test]
fn lock_with_deeply_nested_values_does_not_crash() {
    let home = Home::new();
    let build = ["build", "alpha", "--python", "3.12", "--out", "out", "--lock", "pylock.toml"];
    let deep = 50_000;
    for line in [
        format!("tool.x = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("tool.x = {}1{}", "{ a = ".repeat(deep), " }".repeat(deep)),
        format!("tool.x{} = 1", ".a".repeat(deep)),
        format!("[tool.klayers{}]\na = 1", ".a".repeat(deep)),
    ] {
        home.write("pylock.toml", lock(&line));
        let outcome = home.run(&build);
        // The value may be refused or ignored; the wheel does not exist.
        assert!(matches!(outcome.code, Some(1 | 2)), "{:?} {}", outcome.code, &line[..40]);
    }
}

#[test]
fn untrusted_layer_with_deeply_nested_marker_is_refused() {
    let home = Home::new();
    let recipe =
        "\n[tool.klayers]\nformat = 1\nlayer = \"Klayers-p312-alpha\"\ntarget = \"p3.12\"\n";
    let deep = format!("[tool.klayers{}]\na = 1", ".a".repeat(50_000));
    for lock in [
        format!("{}{recipe}", lock(&format!("marker = \"{}\"", nested(50_000)))),
        format!("{}{recipe}{deep}", lock("")),
    ] {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let path = "klayers/Klayers-p312-alpha/pylock.toml";
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(lock.as_bytes()).unwrap();
        home.write("layer.zip", zip.finish().unwrap().into_inner());
        let outcome = home.run(&["verify", "layer.zip"]).ended_with(1);
        let expected = "error: could not rebuild layer.zip\n  caused by: ";
        assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    }
}

#[test]
fn packages_list_with_deeply_nested_requirement_is_refused() {
    let home = home();
    for row in [
        format!("alpha; {}", nested(50_000)),
        format!("alpha {}>=1{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("alpha{}", "[".repeat(50_000)),
    ] {
        let header = "Package_Name,License,Authors/Maintainers";
        home.write("config/packages_p3.12.csv", format!("{header}\n\"{row}\",MIT,x\n"));
        let outcome = home.run(&["plan"]).ended_with(2);
        let expected = "error: config/packages_p3.12.csv cannot be used\n  caused by: line 2: ";
        assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    }
}
