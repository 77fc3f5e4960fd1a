//! `klayers-pipeline run` and `plan`: a collection is built, published, and kept up to date.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};

use jiff::SignedDuration;
use klayers_catalog::{Catalog as _, Include, Query, SqliteCatalog};
use klayers_core::{Digest, LayerVersion, Status};

use crate::samples::digest;
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

mod bundles;
mod cautions;
mod leftovers;
mod lost;
mod selections;
mod served;
mod slimming;
mod stripping;

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// A collection of three layers, of which two hold gamma, in two regions.
fn home() -> Home {
    let home = Home::new();
    home.wheels(&[
        WheelFile::new("Alpha", "1.0").requires("gamma").file("alpha.py", "import gamma\n"),
        WheelFile::new("beta", "1.0").file("beta.py", "y = 1\n"),
        WheelFile::new("gamma", "1.0").file("gamma.py", "z = 1\n"),
    ]);
    home.collection(&[("p3.12", &["Alpha", "beta"]), ("p3.13-arm64", &["Alpha"])], &REGIONS);
    home
}

/// All layer versions that the catalog knows, by ARN.
fn recorded(home: &Home) -> BTreeMap<String, LayerVersion> {
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        assert_eq!(catalog.under_way().await.unwrap(), []);
        let query = Query { include: Include::All, ..Query::default() };
        let versions = catalog.layer_versions(&query).await.unwrap();
        versions.into_iter().map(|version| (version.arn.to_string(), version)).collect()
    })
}

/// The ARN of a layer version in the embedded publisher's account.
fn arn(region: &str, layer: &str, number: u64) -> String {
    format!("arn:aws:lambda:{region}:000000000000:layer:Klayers-{layer}:{number}")
}

#[test]
fn every_layer_is_published_in_every_region_and_a_second_run_publishes_nothing() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let first = home.run(&["run"]).ended_with(0);
    insta::assert_snapshot!("first", first.stdout);
    assert_eq!(
        first.tally(),
        "3 layers: 3 built, 6 layer versions published, 0 unchanged, 0 failed"
    );
    let versions = recorded(&home);
    let expected: Vec<String> = REGIONS
        .iter()
        .flat_map(|region| {
            ["p312-Alpha", "p312-beta", "p313-arm64-Alpha"].map(|layer| arn(region, layer, 1))
        })
        .collect();
    assert_eq!(versions.len(), expected.len());
    for arn in &expected {
        assert_eq!(versions[arn].status, Status::Latest, "{arn}");
        // What is recorded is stored, and what is published holds it.
        let digest = digest(&versions[arn].build).to_string();
        let stored = home.path(&format!("artifacts/{}/{digest}", &digest[..2]));
        assert_eq!(
            fs::read(stored).unwrap(),
            fs::read(home.path(&format!("published/content/{digest}.zip"))).unwrap()
        );
    }

    let before = home.contents();
    let second = home.run(&["run"]).ended_with(0);
    insta::assert_snapshot!("second", second.stdout);
    assert_eq!(
        second.stderr,
        "3 layers: 0 built, 0 layer versions published, 3 unchanged, 0 failed\n"
    );
    assert_eq!(recorded(&home), versions);
    assert!(home.contents().keys().eq(before.keys()));
}

#[test]
fn the_same_collection_elsewhere_gives_the_same_layers() {
    if !uv_is_there() {
        return;
    }
    let digests: Vec<Vec<_>> = (0..2)
        .map(|_| {
            let home = home();
            home.run(&["run"]).ended_with(0);
            let versions = recorded(&home);
            versions.into_values().map(|version| digest(&version.build)).collect()
        })
        .collect();
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn what_changed_is_published_alone_and_the_version_before_expires_a_year_later() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    let before = recorded(&home);
    home.wheels(&[WheelFile::new("beta", "1.1").file("beta.py", "y = 2\n")]);
    let changed = home.run(&["run"]).ended_with(0);
    insta::assert_snapshot!("changed", changed.stdout);

    let after = recorded(&home);
    assert_eq!(after.len(), before.len() + REGIONS.len());
    for region in REGIONS {
        let new = &after[&arn(region, "p312-beta", 2)];
        assert_eq!(new.status, Status::Latest);
        assert_eq!(new.build.version.to_string(), "1.1");
        let year = SignedDuration::from_hours(365 * 24);
        let expected =
            Status::Deprecated { expires_at: new.created_at.unwrap() + year, yanked: None };
        assert_eq!(after[&arn(region, "p312-beta", 1)].status, expected);
        for layer in ["p312-Alpha", "p313-arm64-Alpha"] {
            let arn = arn(region, layer, 1);
            assert_eq!(after[&arn], before[&arn]);
        }
    }
}

#[test]
fn a_wheel_of_the_same_version_with_other_bytes_is_a_change_unless_it_is_told_not_to_be() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    home.wheels(&[WheelFile::new("gamma", "1.0").file("gamma.py", "z = 'built again'\n")]);
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", format!("{config}[publish]\nrepublish = \"requirements\"\n"));
    let unchanged = home.run(&["run"]).ended_with(0);
    assert!(unchanged.stderr.contains("3 unchanged"), "{}", unchanged.stderr);

    home.write("klayers.toml", config);
    let changed = home.run(&["run"]).ended_with(0);
    assert!(changed.stderr.contains("2 built, 4 layer versions"), "{}", changed.stderr);
    assert!(changed.stdout.contains("p3.12 beta 1.0: unchanged\n"), "{}", changed.stdout);
}

#[test]
fn a_new_region_is_caught_up_without_a_build() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    let (before, stored) = (recorded(&home), home.files("artifacts"));
    home.regions(&["us-east-1", "eu-west-1", "ap-southeast-5"]);
    let caught_up = home.run(&["run"]).ended_with(0);
    insta::assert_snapshot!("caught_up", caught_up.stdout);
    assert_eq!(home.files("artifacts"), stored);
    let after = recorded(&home);
    assert_eq!(after.len(), before.len() + 3);
    assert!(before.iter().all(|(arn, version)| after[arn] == *version));
    let there = &after[&arn("ap-southeast-5", "p312-Alpha", 1)];
    assert_eq!(there.build, before[&arn("us-east-1", "p312-Alpha", 1)].build);
}

#[test]
fn one_package_that_cannot_be_resolved_is_reported_and_the_others_are_done() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.collection(&[("p3.12", &["absent", "Alpha", "beta"])], &REGIONS);
    for layers in
        ["2 built, 4 layer versions published, 0", "0 built, 0 layer versions published, 2"]
    {
        let done = home.run(&["run"]).ended_with(1);
        let reported = "error: p3.12 absent: there is no package absent in find_links\nhelp: ";
        assert!(done.stderr.contains(reported), "{}", done.stderr);
        assert_eq!(done.tally(), format!("3 layers: {layers} unchanged, 1 failed"));
        assert_eq!(recorded(&home).len(), 4);
    }
    let planned = home.run(&["plan"]).ended_with(1);
    assert_eq!(planned.stdout.lines().count(), 2);
    assert!(
        planned.stderr.ends_with("3 layers: 0 to build, 0 layer versions to publish, 1 failed\n")
    );
}

#[test]
fn a_run_that_is_killed_is_completed_by_the_next() {
    if !uv_is_there() {
        return;
    }
    let undisturbed = many();
    undisturbed.run(&["run"]).ended_with(0);
    let expected: Vec<_> = recorded(&undisturbed).into_iter().map(content).collect();

    let home = many();
    for lines in [1, 3, 6] {
        let mut child = home.command(&["run"]).spawn().unwrap();
        // Layers are reported when they are done, so others are under way now.
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = said.take(lines).map(Result::unwrap).count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, lines);
    }
    home.run(&["run"]).ended_with(0);
    let found: Vec<_> = recorded(&home).into_iter().map(content).collect();
    assert_eq!(found, expected);
    let records = |home: &Home| -> Vec<String> {
        let files = home.files("published").into_iter();
        files.filter(|file| !file.starts_with("staging") && !file.starts_with("content")).collect()
    };
    assert_eq!(records(&home), records(&undisturbed));
}

/// A collection with layers enough to be in the middle of them.
fn many() -> Home {
    let home = Home::new();
    let names: Vec<String> = (0..8).map(|number| format!("package-{number}")).collect();
    for name in &names {
        home.wheels(&[WheelFile::new(name, "1").file(&format!("{name}.py"), name)]);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let regions =
        ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3"];
    home.collection(&[("p3.12", &names)], &regions);
    home
}

/// What does not depend on when a layer version was made.
fn content((arn, version): (String, LayerVersion)) -> (String, Digest, Status) {
    (arn, digest(&version.build), version.status)
}
