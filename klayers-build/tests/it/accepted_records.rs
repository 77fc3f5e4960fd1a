//! A wheel whose `RECORD` does not describe it is refused, with the setting that accepts it for its
//! package; whoever accepts it gets a layer that says so.

use std::fs;

use bad_wheels::raw_zip::Entry;
use bad_wheels::{FILENAME, Verdict, Wheel as Sample, cases};
use klayers_build::assemble::AssembleError;
use klayers_build::catalog::{Catalog as _, Include, Query, SqliteCatalog};
use klayers_build::gate::{Finding, GateReport};
use klayers_build::wheel::{Acceptance, Acceptances, Rule};
use klayers_core::Digest;
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

/// A wheel with a file that its `RECORD` does not list, and another one that it is wrong about.
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

/// Whether the layer's own `RECORD` lists all of its files, and what they are.
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
fn accepting_a_record_accepts_nothing_else_and_the_layers_own_is_true() {
    let (mut taken, mut refused) = (0, 0);
    for case in cases().into_iter().filter(|case| case.filename == FILENAME) {
        if !matches!(case.verdict, Verdict::Refused(_)) || case.bytes.len() > 100_000 {
            continue;
        }
        let layers = Layers::of(FILENAME);
        let strict = layers.zip(&case.bytes).map(drop).unwrap_err();
        let is_record = matches!(
            &strict,
            AssembleError::Wheel(error) if matches!(error.rule(), Rule::RecordFaults { .. })
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
fn the_refusal_ends_with_the_setting_that_accepts_the_wheel() {
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
    // Another package, or another fault, is not this one.
    home.run(&[&BUILD[..], &["--accept", "samples=record"]].concat()).ended_with(1);
    home.run(&[&BUILD[..], &["--accept", "sample=zip"]].concat()).ended_with(2);
    home.run(&[&BUILD[..], &["--accept", "sample"]].concat()).ended_with(2);
}

#[test]
fn an_accepted_wheel_is_told_by_the_build_the_recipe_and_verify() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&BUILD).ended_with(1);
    let build = [&BUILD[..], &["--accept", "Sample=record", "--accept=other=record"]].concat();
    let done = home.run(&build).ended_with(0);
    let told = format!(
        "warning: {FILENAME}: accepted although RECORD has another size for sample/__init__.py, \
         and is wrong about 1 more file"
    );
    assert!(done.stderr.lines().any(|line| line == told), "{}", done.stderr);
    check_record(&home.path(ZIP), "the sample");
    let files = zip_files(&home.path(ZIP));
    assert_eq!(files["python/sample/extra.py"], b"x = 1\n");
    let lock = String::from_utf8(files["klayers/Klayers-p312-sample/pylock.toml"].clone()).unwrap();
    // What was accepted, and not all that would have been.
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

    // A later build without the setting is refused, with all that the caches hold.
    home.run(&BUILD).ended_with(1);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels"]).ended_with(0);
    assert!(done.stdout.starts_with("reproduced Klayers-p312-sample\n"), "{}", done.stdout);
    assert!(done.stderr.lines().any(|line| line == told), "{}", done.stderr);
    let done = home.run(&["verify", ZIP, "--wheels", "wheels", "--json"]).ended_with(0);
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(result["accepted"], json!([record]));
}

#[test]
fn a_run_takes_what_the_configuration_accepts_and_keeps_that_it_did() {
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
    let report = kept(&home);
    assert!(report.passed());
    assert!(matches!(&report.findings[..], [Finding::AcceptedRecord(_)]), "{report:?}");
}

/// What the catalog keeps of the one layer that was built.
fn kept(home: &Home) -> GateReport {
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let query = Query { include: Include::All, ..Query::default() };
        let versions = catalog.layer_versions(&query).await.unwrap();
        let [version] = versions.as_slice() else { panic!("{versions:?}") };
        catalog.gate(digest(&version.build)).await.unwrap().unwrap()
    })
}
