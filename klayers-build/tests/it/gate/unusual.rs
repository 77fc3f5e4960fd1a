//! Unusual properties of a layer are reported when it is built and stored with its record.

use std::fs;

use bad_wheels::{FILENAME, Wheel as Sample};
use klayers_catalog::{Catalog as _, Include, Query, SqliteCatalog};
use klayers_layer::gate::{Finding, GateReport, WithoutBytecode};
use klayers_wheel::Notice;
use serde_json::json;

use crate::bytecode::pythons::pretender;
use crate::samples::digest;
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

/// A wheel with every unusual property that is noticed.
fn odd() -> Vec<u8> {
    Sample::sample()
        .dist_info("WHEEL", "Wheel-Version: 1.9\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        .file("sample.pth", "import sample\n")
        .file("json.py", "")
        .file("sample/Names/a.txt", "")
        .file("sample/Names/b.txt", "")
        .file("sample/names/a.txt", "")
        .file("sample/names/b.txt", "")
        .file("sample/unsound.so", "\u{7f}ELF")
        .bytes()
}

/// The warnings about that wheel, sorted.
const SAID: [&str; 5] = [
    "its Wheel-Version is 1.9, newer than the 1.0 that is known",
    "its module json has the name of a standard library module",
    "sample.pth does nothing in a layer: Python looks for it elsewhere",
    // Reported once, not for each file.
    "sample/Names and sample/names collide on file systems that ignore case or Unicode composition",
    "sample/unsound.so ",
];

const BUILD: [&str; 9] = [
    "build",
    "sample",
    "--python=3.12",
    "--bytecode=off",
    "--find-links=wheels",
    "--no-index",
    "--out",
    "out",
    "--json",
];

/// The printed warnings, sorted and without their prefix.
fn warnings<'a>(stderr: &'a str, wheel: &str) -> Vec<&'a str> {
    let start = format!("warning: {wheel}: ");
    let mut said: Vec<&str> =
        stderr.lines().filter_map(|line| line.trim_start().strip_prefix(&start)).collect();
    said.sort_unstable();
    said
}

/// The report that the catalog stores for the only layer.
fn kept(home: &Home) -> GateReport {
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let query = Query { include: Include::All, ..Query::default() };
        let versions = catalog.layer_versions(&query).await.unwrap();
        let [version] = versions.as_slice() else { panic!("{versions:?}") };
        catalog.gate_report(digest(&version.build)).await.unwrap().unwrap()
    })
}

#[test]
fn build_warns_of_unusual_wheels() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.write(&format!("wheels/{FILENAME}"), odd());
    let done = home.run(&BUILD).ended_with(0);
    let said = warnings(&done.stderr, FILENAME);
    assert_eq!(said.len(), SAID.len(), "{}", done.stderr);
    for (said, expected) in said.iter().zip(SAID) {
        assert!(said.starts_with(expected), "{said}");
    }
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let finding =
        json!({ "unusual": { "wheel": FILENAME, "notice": { "path-file": "sample.pth" } } });
    let findings = result["gate"]["findings"].as_array().unwrap();
    assert!(findings.contains(&finding), "{findings:?}");
}

#[test]
fn run_reports_and_stores_unusual_properties_of_the_layer() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.collection(&[("p3.12", &["sample"])], &["us-east-1"]);
    home.write(&format!("wheels/{FILENAME}"), odd());
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let slim = "[slim]\nexclude = [\"*.pth\", \"json.py\"]\n";
    home.write("klayers.toml", format!("{config}{slim}"));
    let done = home.run(&["run"]).ended_with(0);
    let said = warnings(&done.stderr, FILENAME);
    assert_eq!(said.len(), 3, "{}", done.stderr);
    let report = kept(&home);
    assert!(report.passed());
    let unusual = |notice| Finding::Unusual { wheel: FILENAME.to_owned(), notice };
    assert_eq!(report.findings.len(), 3);
    assert_eq!(report.findings[0], unusual(Notice::WheelVersion("1.9".to_owned())));
}

#[test]
fn build_warns_of_name_collisions_between_wheels() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let sample = WheelFile::new("sample", "1.0")
        .requires("other")
        .file("Shared/one.py", "")
        .file("caf\u{e9}.txt", "")
        .file("same/x.py", "");
    let other = WheelFile::new("other", "2.0")
        .file("shared/one.py", "")
        .file("shared/two.py", "")
        .data("purelib/cafe\u{301}.txt", "")
        .file("same/y.py", "");
    home.wheels(&[sample, other]);
    let done = home.run(&BUILD).ended_with(0);
    let mut said: Vec<&str> = done.stderr.lines().collect();
    said.sort_unstable();
    let (sample, other) = ("sample-1.0-py3-none-any.whl", "other-2.0-py3-none-any.whl");
    let alike = |one: &str, two: &str| {
        format!(
            "warning: {one} and {two} collide on file systems that ignore case or Unicode composition"
        )
    };
    let expected = [
        // Reported once for two folders, not for each file.
        alike(&format!("Shared of {sample}"), &format!("shared of {other}")),
        alike(&format!("cafe\u{301}.txt of {other}"), &format!("caf\u{e9}.txt of {sample}")),
    ];
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(said, expected);
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let finding = json!({ "names-alike": {
        "first": { "wheel": sample, "path": "Shared" },
        "second": { "wheel": other, "path": "shared" },
    } });
    assert!(result["gate"]["findings"].as_array().unwrap().contains(&finding), "{result}");
}

#[test]
fn names_in_data_folders_collide_at_their_installed_paths() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.wheels(&[WheelFile::new("sample", "1.0").file("one.txt", "").data("purelib/One.txt", "")]);
    let done = home.run(&BUILD).ended_with(0);
    let said = warnings(&done.stderr, FILENAME);
    let [said] = said.as_slice() else { panic!("{}", done.stderr) };
    assert!(said.starts_with("One.txt and one.txt collide"), "{said}");
}

#[test]
fn run_reports_why_a_layer_has_no_bytecode() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.collection(&[("p3.12", &["sample"])], &["us-east-1"]);
    home.wheels(&[WheelFile::new("sample", "1.0").file("sample.py", "x = 1\n")]);
    pretender(&home.path("bin/python"), &[], "echo no worker >&2; exit 3");
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let config = config.replace("bytecode = \"off\"", "bytecode = \"auto\"");
    let interpreter = "[build.interpreters]\n\"3.12\" = \"bin/python\"\n";
    home.write("klayers.toml", format!("{config}{interpreter}"));
    let done = home.run(&["run"]).ended_with(0);
    let line = done.stderr.lines().find(|line| line.contains("no bytecode")).unwrap();
    let beginning = "  warning: the layer has no bytecode: HOME/bin/python could not compile";
    assert!(line.starts_with(beginning), "{line}");
    let report = kept(&home);
    let [Finding::WithoutBytecode(WithoutBytecode::Failed(message))] = report.findings.as_slice()
    else {
        panic!("{report:?}");
    };
    assert!(message.contains("could not compile sample.py"), "{message}");
}
