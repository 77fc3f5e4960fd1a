//! Whoever mistypes a URL mistypes the password in it, too. Nothing shows it.

use super::home;
use crate::support::command::{Home, uv_is_there};

/// What no output may hold.
const SECRET: &str = "s3cret";

/// URLs that cannot be read as what they are to be, and one that can.
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

/// Runs a command, which fails, and gives nothing away.
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
fn no_argument_shows_the_password_of_a_url_that_cannot_be_read() {
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
        // In the place of something else.
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
fn no_variable_shows_the_password_of_a_url_that_cannot_be_read() {
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
fn no_setting_shows_the_password_of_a_url_that_cannot_be_read() {
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
