//! What is told of packages before they are published: older versions, other sources, and indexes
//! without checksums.

use std::fs;

use serde_json::Value;

use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};
use crate::support::server::{Manner, WheelServer};

const DOWNGRADED: &str = "p3.12 alpha: alpha is downgraded from 9.0 to 1.0; if that is wrong, check its \
                     index and its requirements";

fn alpha(version: &str) -> WheelFile {
    WheelFile::new("alpha", version).file("alpha.py", version)
}

fn home(wheels: &[WheelFile]) -> Home {
    let home = Home::new();
    home.wheels(wheels);
    home.collection(&[("p3.12", &["alpha"])], &["us-east-1"]);
    home
}

/// Takes packages from an index and no longer from the folder.
fn use_index(home: &Home, index: &str) {
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let config = config.replace("no_index = true", &format!("index_url = \"{index}\""));
    home.write("klayers.toml", config.replace("find_links = [\"wheels\"]\n", ""));
}

/// That `plan` and `run` tell this, and the report of the run as well.
#[track_caller]
fn told(home: &Home, warning: &str) {
    let planned = home.run(&["plan"]).ended_with(0);
    let line = format!("warning: {warning}\n");
    assert!(planned.stderr.contains(&line), "{line}{}", planned.stderr);
    let ran = home.run(&["run"]).ended_with(0);
    assert!(ran.stderr.contains(&format!("\n  warning    {warning}\n")), "{}", ran.stderr);
    let report = home.run(&["report", "--json"]).ended_with(0).stdout;
    let report: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    let warnings = report["warnings"].as_array().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(warnings[0]["layers"], serde_json::json!(["p3.12 alpha"]));
    let text = warnings[0]["text"].as_str().unwrap();
    assert_eq!(format!("p3.12 alpha: {text}"), warning);
}

/// That `plan` and `run` have nothing to tell.
#[track_caller]
fn calm(home: &Home) {
    for command in ["plan", "run"] {
        let outcome = home.run(&[command]).ended_with(0);
        assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    }
}

#[test]
fn a_version_that_falls_is_told() {
    if !uv_is_there() {
        return;
    }
    let home = home(&[alpha("9.0")]);
    calm(&home);
    fs::remove_file(home.path("wheels/alpha-9.0-py3-none-any.whl")).unwrap();
    home.wheels(&[alpha("1.0")]);
    told(&home, DOWNGRADED);
    // Once it is published, that is how things are.
    calm(&home);
    home.wheels(&[alpha("2.0")]);
    calm(&home);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_from_another_source_is_told() {
    if !uv_is_there() {
        return;
    }
    let home = home(&[alpha("1.0")]);
    calm(&home);
    let server = WheelServer::of(&[alpha("2.0")]).await;
    use_index(&home, &server.url("simple"));
    let place = server.address;
    let warning = "and came from a folder of wheels in the build before";
    told(&home, &format!("p3.12 alpha: alpha comes from {place}, {warning}"));
    calm(&home);
    // The same files, from somewhere else.
    let other = WheelServer::of(&[alpha("2.0")]).await;
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", config.replace(&place.to_string(), &other.address.to_string()));
    let warning = format!("and came from {place} in the build before (with the same files)");
    told(&home, &format!("p3.12 alpha: alpha comes from {}, {warning}", other.address));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_without_checksums_is_told() {
    if !uv_is_there() {
        return;
    }
    let manner = Manner { without_hashes: true, ..Manner::default() };
    let server = WheelServer::with_manner(&[alpha("1.0")], manner).await;
    let home = home(&[]);
    let index = format!("http://user:secret@{}/simple?key=secret", server.address);
    use_index(&home, &index);
    let said = format!(
        "{} lists no SHA-256 for its files, so the first download is trusted; use an index that \
         lists them",
        server.url("simple")
    );
    told(&home, &format!("p3.12 alpha: {said}"));
    let build = ["build", "alpha", "--python", "3.12", "--bytecode", "off", "--out", "out"];
    let built = home.run(&[&build[..], &["--index-url", &index]].concat()).ended_with(0);
    assert_eq!(built.stderr, format!("warning: {said}\n"));
    let json = home.run(&[&build[..], &["--index-url", &index, "--json"]].concat()).ended_with(0);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["warnings"], serde_json::json!([said]));

    let server = WheelServer::of(&[alpha("1.0")]).await;
    use_index(&home, &index);
    let built =
        home.run(&[&build[..], &["--index-url", &server.url("simple")]].concat()).ended_with(0);
    assert_eq!(built.stderr, "");
}
