//! Tests that no output shows the password in a mistyped URL.

use super::home;
use crate::support::command::{Home, uv_is_there};

/// The text that no output may contain.
const SECRET: &str = "s3cret";

/// URLs that are malformed or not usable, and one that is valid.
const URLS: [&str; 9] = [
    "https://me:s3cret@index.example:port/simple",
    "https://me:s3cret@",
    "https://me:x s3cret@[index.example]/simple",
    "https://me:\"'`s3cret@index.example:99999/simple",
    "https//me:s3cret@index.example/simple",
    "//me:s3cret@index.example/simple",
    "me:s3cret@index.example/simple",
    "ftp://me:s3cret@index.example/simple",
    "https://me:s3cret@127.0.0.1:9/simple",
];

/// Runs a command that fails, and checks that its output does not show the secret.
#[track_caller]
fn keeps(home: &Home, arguments: &[&str], variables: &[(&str, &str)]) {
    let mut command = home.command(arguments);
    command.envs(variables.iter().copied());
    let outcome = home.finish(command.spawn().unwrap());
    assert_ne!(outcome.code, Some(0), "{arguments:?}");
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!said.contains(SECRET), "{arguments:?} {variables:?}:\n{said}");
    assert!(said.contains("error"), "{arguments:?}:\n{said}");
}

#[test]
fn malformed_url_in_an_argument_does_not_show_its_password() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let build = ["build", "alpha", "--python", "3.12", "--out", "out"];
    let with = |more: &[&str]| {
        keeps(&home, &[&build[..], more].concat(), &[]);
        keeps(&home, &[&build[..], &["--json", "-vv"], more].concat(), &[]);
        keeps(&home, &[&build[..], &["--log-format", "json"], more].concat(), &[]);
    };
    for url in URLS {
        with(&["--index-url", url]);
        with(&[&format!("--index-url={url}")]);
        with(&["--find-links", url]);
        // As another kind of argument.
        with(&[url]);
        with(&[&format!("alpha @ {url}")]);
        with(&[&format!("--arch={url}")]);
        with(&[&format!("--indexurl={url}")]);
        keeps(&home, &["verify", "layer.zip", "--index-url", url], &[]);
        keeps(&home, &["adopt", "--api", url], &[]);
        keeps(&home, &["run", "--region", url], &[]);
        keeps(&home, &[url], &[]);
    }
}

#[test]
fn malformed_url_in_a_variable_does_not_show_its_password() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let build = ["build", "alpha", "--python", "3.12", "--out", "out", "-vv"];
    for url in URLS {
        for variable in ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"] {
            keeps(&home, &build, &[(variable, url), ("UV_OFFLINE", "1")]);
        }
    }
    for url in &URLS[..8] {
        keeps(&home, &["run"], &[("KLAYERS_NOTIFY_URL", url)]);
    }
}

#[test]
fn malformed_url_in_a_setting_does_not_show_its_password() {
    let home = home();
    for url in &URLS[..8] {
        for section in [
            format!("[build]\nindex_url = '''{url}'''"),
            format!("[build]\nindex_url = {url}"),
            format!("[build]\nfind_links = ['''{url}''']"),
            format!("[build]\nno_index = '''{url}'''"),
            format!("[catalog]\nurl = '''{url}'''"),
            format!("[notify]\nurl = '''{url}'''"),
        ] {
            home.write("klayers.toml", format!("config_dir = \"config\"\n{section}\n"));
            for arguments in [&["plan"][..], &["run"], &["run", "--log-format", "json"]] {
                keeps(&home, arguments, &[]);
            }
        }
    }
}
