//! Packages that the runtime has can be left out of layers.

use std::fs;

use super::{home, recorded};
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

/// The packages of each layer of the catalog.
fn held(home: &Home) -> Vec<String> {
    let versions = recorded(home).into_values();
    let mut held: Vec<String> = versions
        .filter(|version| version.region().as_str() == "us-east-1")
        .filter(|version| version.expires_at().is_none())
        .map(|version| {
            let pins = version.build.dependencies.iter().map(ToString::to_string);
            format!("{}: {}", version.build.package, pins.collect::<Vec<_>>().join(" "))
        })
        .collect();
    held.sort();
    held
}

#[test]
fn what_is_left_out_goes_with_what_only_it_needs() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.wheels(&[
        WheelFile::new("app", "1.0").requires("boto").requires("other").file("app.py", ""),
        WheelFile::new("other", "1.0").requires("shared").file("other.py", ""),
        WheelFile::new("boto", "1.0").requires("core").requires("shared<2").file("boto.py", ""),
        WheelFile::new("core", "1.0").requires("boto").file("core.py", ""),
        WheelFile::new("shared", "1.0").file("shared.py", ""),
        WheelFile::new("shared", "2.0").file("shared.py", ""),
    ]);
    home.collection(&[("p3.12", &["app", "boto"])], &["us-east-1"]);
    home.run(&["run"]).ended_with(0);
    let whole = "app: app==1.0 boto==1.0 core==1.0 other==1.0 shared==1.0";
    let boto = "boto: boto==1.0 core==1.0 shared==1.0";
    assert_eq!(held(&home), [whole, boto]);

    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", format!("{config}[slim]\nleave_out = [\"Boto\", \"absent\"]\n"));
    let done = home.run(&["run"]).ended_with(0);
    assert!(done.stdout.contains("p3.12 app 1.0: built (changed)"), "{}", done.stdout);
    // What is shared stays, in the version that goes with what the runtime has.
    assert_eq!(held(&home), ["app: app==1.0 other==1.0 shared==1.0", boto]);
    let again = home.run(&["run"]).ended_with(0);
    assert!(again.stderr.contains("2 unchanged"), "{}", again.stderr);
}
