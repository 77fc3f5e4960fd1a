//! Bundles: several packages in one layer, with a name of its own.

use std::fs;

use super::{REGIONS, arn, home, recorded};
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

/// Adds to the configuration.
fn configure(home: &Home, text: &str) {
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", config + text);
}

#[test]
fn a_bundle_is_one_layer_that_is_built_recorded_and_kept_like_a_package() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.wheels(&[
        WheelFile::new("delta", "2.0").requires("gamma<1").file("delta.py", ""),
        WheelFile::new("gamma", "0.9").file("gamma.py", "z = 0\n"),
    ]);
    configure(
        &home,
        "[[bundle]]\nname = \"Data\"\npackages = [\"delta\", \"Alpha\"]\ntargets = [\"p3.12\"]\n",
    );
    let select = ["run", "--package", "data"];
    let done = home.run(&select).ended_with(0);
    assert!(done.stdout.starts_with("p3.12 Data 2.0: built (new)"), "{}", done.stdout);
    assert_eq!(
        done.tally(),
        "1 layers: 1 built, 2 layer versions published, 0 unchanged, 0 failed"
    );
    let versions = recorded(&home);
    assert!(
        versions.keys().eq(&[arn("eu-west-1", "p312-Data", 1), arn("us-east-1", "p312-Data", 1)])
    );
    let build = &versions[&arn(REGIONS[0], "p312-Data", 1)].build;
    assert_eq!(build.package.spelling(), "Data");
    assert_eq!(build.version.to_string(), "2.0");
    // They were resolved together: alone, Alpha would have taken the newer gamma.
    let dependencies: Vec<String> = build.dependencies.iter().map(ToString::to_string).collect();
    assert_eq!(dependencies, ["alpha==1.0", "delta==2.0", "gamma==0.9"]);
    assert_eq!(build.license.as_deref(), Some("delta: MIT; Alpha: MIT"));
    let again = home.run(&select).ended_with(0);
    assert_eq!(again.stdout, "p3.12 Data 2.0: unchanged\n");

    // One of its packages changes, though not the first.
    home.wheels(&[WheelFile::new("Alpha", "1.1").requires("gamma").file("alpha.py", "")]);
    let changed = home.run(&select).ended_with(0);
    assert!(changed.stdout.starts_with("p3.12 Data 2.0: built (changed)"), "{}", changed.stdout);
}

#[test]
fn a_bundle_whose_packages_do_not_go_together_is_reported() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    configure(&home, "[[bundle]]\nname = \"data\"\npackages = [\"Alpha\", \"gamma<1\"]\n");
    let done = home.run(&["run", "--package", "data", "--target", "p3.12"]).ended_with(1);
    let expected = "error: p3.12 data: only gamma==1.0 is available\n  you require gamma<1\n";
    assert!(done.stderr.contains(expected), "{}", done.stderr);
}

#[test]
fn a_bundle_that_contradicts_the_collection_is_refused_before_anything_is_done() {
    for (bundle, message) in [
        (
            "name = \"alpha\"\npackages = [\"gamma\"]",
            "bundle alpha has the same name as a package in its packages list for p3.12; give the \
             bundle another name",
        ),
        (
            "name = \"x\"\npackages = [\"a\"]\n[[bundle]]\nname = \"X\"\npackages = [\"b\"]",
            "bundle X has the same name as another bundle for p3.12; give the bundle another name",
        ),
        (
            "name = \"x\"\npackages = [\"a\"]\ntargets = [\"p3.9\"]",
            "bundle x is for p3.9, which is not in the collection's config.json\nhelp: correct the \
             file",
        ),
    ] {
        let home = home();
        configure(&home, &format!("[[bundle]]\n{bundle}\n"));
        let before = home.contents();
        home.run(&["run"]).refused(2, &format!("error: {message}\n"));
        assert_eq!(home.contents(), before);
    }
    let home = home();
    configure(&home, "[[bundle]]\nname = \"x\"\npackages = []\n");
    let refused = home.run(&["run"]).ended_with(2);
    assert!(refused.stderr.contains("bundle x has no packages"), "{}", refused.stderr);
}

#[test]
fn bundles_of_one_name_for_different_targets_are_two_layers() {
    let home = home();
    let bundle = |target: &str, package: &str| {
        format!(
            "[[bundle]]\nname = \"data\"\npackages = [\"{package}\"]\ntargets = [\"{target}\"]\n"
        )
    };
    configure(&home, &bundle("p3.12", "beta"));
    configure(&home, &bundle("p3.13-arm64", "gamma"));
    if !uv_is_there() {
        return;
    }
    let planned = home.run(&["plan", "--package", "data"]).ended_with(0);
    let lines: Vec<&str> =
        planned.stdout.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["p3.12 data 1.0", "p3.13-arm64 data 1.0"]);
}
