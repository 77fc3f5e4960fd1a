//! Tests that a wheel whose `RECORD` does not describe it is refused with advice about the setting
//! that accepts it, and that a layer of an accepted wheel records that.

use std::fs;

use bad_wheels::raw_zip::Entry;
use bad_wheels::{FILENAME, Verdict, Wheel as Sample, cases};
use klayers_catalog::{Catalog as _, Include, Query, SqliteCatalog};
use klayers_core::Digest;
use klayers_layer::assemble::AssembleError;
use klayers_layer::gate::{Finding, GateReport};
use klayers_wheel::{Acceptance, Acceptances, RuleError};
use serde_json::json;

use crate::samples::digest;
use crate::support::command::{Home, uv_is_there};
use crate::support::layers::Layers;
use crate::support::zip_files;

const BUILD: [&str; 8] = [
    "build",
    "sample",
    "--python=3.12",
    "--bytecode=off",
    "--find-links=wheels",
    "--no-index",
    "--out",
    "out",
];
const ZIP: &str = "out/Klayers-p312-sample.zip";
const SETTING: &str = "[wheels] accept = { \"sample\" = [\"record\"] }";

/// A wheel with a file that its `RECORD` does not list, and another one that it describes wrongly.
fn broken() -> Vec<u8> {
    Sample::sample()
        .entry(Entry::deflated("sample/extra.py", "x = 1\n").unlisted())
        .record(|text| text.replacen(",240\n", ",241\n", 1))
        .bytes()
}

fn home() -> Home {
    let home = Home::new();
    home.write(&format!("wheels/{FILENAME}"), broken());
    home
}

fn accepting() -> Acceptances {
    [("sample".parse().unwrap(), Acceptance::Record)].into_iter().collect()
}

/// Checks that the layer's own `RECORD` lists all of its files correctly.
fn check_record(layer: &std::path::Path, case: &str) {
    let files = zip_files(layer);
    let own = "python/sample-1.0.dist-info/RECORD";
    let mut listed = Vec::new();
    for line in String::from_utf8(files[own].clone()).unwrap().lines() {
        let mut row = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let row = row.records().next().unwrap().unwrap();
        let path = format!("python/{}", &row[0]);
        if path != own {
            let content = files.get(&path).unwrap_or_else(|| panic!("{case}: no {path}"));
            let hash = format!("sha256={}", Digest::of(content).to_base64_url());
            assert_eq!((&row[1], &row[2]), (&hash[..], &content.len().to_string()[..]), "{case}");
        }
        listed.push(path);
    }
    let there = files.keys().filter(|path| path.starts_with("python/"));
    assert!(there.eq(listed.iter()), "{case}: {listed:?}");
}

#[test]
fn accepting_a_record_accepts_nothing_else_and_the_layer_has_a_correct_record() {
    let (mut taken, mut refused) = (0, 0);
    for case in cases().into_iter().filter(|case| case.filename == FILENAME) {
        if !matches!(case.verdict, Verdict::Refused(_)) || case.bytes.len() > 100_000 {
            continue;
        }
        let layers = Layers::of(FILENAME);
        let strict = layers.zip(&case.bytes).map(drop).unwrap_err();
        let is_record = matches!(
            &strict,
            AssembleError::Wheel(error) if matches!(error.rule(), RuleError::RecordFaults { .. })
        );
        match (layers.accepting(accepting()).zip(&case.bytes), is_record) {
            (Ok(layer), true) => {
                check_record(&layer.file, case.name);
                assert_eq!(layer.recipe.accept, Acceptances::default(), "a recipe of the test's");
                taken += 1;
            }
            (Err(_), false) => refused += 1,
            (made, _) => panic!("{}, {}: {strict:?}, {made:?}", case.number, case.name),
        }
    }
    assert!(taken >= 18 && refused > 250, "{taken} {refused}");
}

#[test]
fn error_ends_with_the_setting_that_accepts_the_wheel() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let done = home.run(&BUILD).ended_with(1);
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert!(lines.len() <= 5, "{}", done.stderr);
    assert_eq!(lines.last(), Some(&SETTING), "{}", done.stderr);
    for part in ["--accept sample=record", "RECORD has another size for sample/__init__.py"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
    assert!(!home.path(ZIP).exists());
    // Accepting another package or another fault does not help.
    home.run(&[&BUILD[..], &["--accept", "samples=record"]].concat()).ended_with(1);
    home.run(&[&BUILD[..], &["--accept", "sample=zip"]].concat()).ended_with(2);
    home.run(&[&BUILD[..], &["--accept", "sample"]].concat()).ended_with(2);
}

#[test]
fn accepted_wheel_is_reported_by_build_recipe_and_verify() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&BUILD).ended_with(1);
    let build = [&BUILD[..], &["--accept", "Sample=record", "--accept=other=record"]].concat();
    let done = home.run(&build).ended_with(0);
    let warning = format!(
        "warning: {FILENAME}: accepted although RECORD has another size for sample/__init__.py, \
         and describes 1 more file wrongly"
    );
    assert!(done.stderr.lines().any(|line| line == warning), "{}", done.stderr);
    check_record(&home.path(ZIP), "the sample");
    let files = zip_files(&home.path(ZIP));
    assert_eq!(files["python/sample/extra.py"], b"x = 1\n");
    let lock = String::from_utf8(files["klayers/Klayers-p312-sample/pylock.toml"].clone()).unwrap();
    // Only faults that occurred are recorded, not all that the setting accepts.
    assert!(lock.ends_with("\n[tool.klayers.accept]\nsample = [\"record\"]\n"), "{lock}");

    let done = home.run(&[&build[..], &["--json"]].concat()).ended_with(0);
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let record = json!({
        "wheel": FILENAME,
        "faults": { "count": 2, "first": [
            { "path": "sample/__init__.py", "flaw": "other-size" },
            { "path": "sample/extra.py", "flaw": "not-listed" },
        ] },
    });
    assert_eq!(result["gate"]["findings"], json!([{ "accepted-record": record }]));

    // A later build without the setting is refused, even with full caches.
    home.run(&BUILD).ended_with(1);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(0);
    assert!(done.stdout.starts_with("reproduced Klayers-p312-sample\n"), "{}", done.stdout);
    assert!(done.stderr.lines().any(|line| line == warning), "{}", done.stderr);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels", "--json"]).ended_with(0);
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(result["accepted"], json!([record]));
}

#[test]
fn run_accepts_by_configuration_and_records_that_in_the_gate_report() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.collection(&[("p3.12", &["sample"])], &["us-east-1"]);
    let done = home.run(&["run"]).ended_with(1);
    assert!(done.stderr.contains(SETTING), "{}", done.stderr);
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", format!("{config}[wheels]\naccept = {{ sample = [\"recrod\"] }}\n"));
    home.run(&["run"]).ended_with(2);
    home.write("klayers.toml", format!("{config}[wheels]\naccept = {{ sample = [\"record\"] }}\n"));
    home.run(&["run"]).ended_with(0);
    let report = gate_report(&home);
    assert!(report.passed());
    assert!(matches!(&report.findings[..], [Finding::AcceptedRecord(_)]), "{report:?}");
}

/// The gate report in the catalog about the one layer that was built.
fn gate_report(home: &Home) -> GateReport {
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let query = Query { include: Include::All, ..Query::default() };
        let versions = catalog.layer_versions(&query).await.unwrap();
        let [version] = versions.as_slice() else { panic!("{versions:?}") };
        catalog.gate_report(digest(&version.build)).await.unwrap().unwrap()
    })
}
