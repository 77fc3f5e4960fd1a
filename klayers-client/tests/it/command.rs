use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use crate::fixture::{Server, respond};

/// Where nobody answers.
const NOBODY: &str = "http://127.0.0.1:9";

/// The command in an environment of its own, with the server's address in it.
fn klayers(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klayers"));
    command.env_clear().env("KLAYERS_API_URL", url).stdin(Stdio::null());
    command
}

fn run(command: &mut Command, arguments: &str) -> Output {
    command.args(arguments.split_whitespace()).output().expect("it starts")
}

/// Everything that a run shows, with the server's port put out of the way.
fn transcript(output: &Output, url: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(url, "http://127.0.0.1:8080");
    format!(
        "exit code: {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}

macro_rules! assert_run {
    ($name:literal, $command:expr, $arguments:literal, $url:expr) => {
        let output = run(&mut $command, $arguments);
        insta::assert_snapshot!($name, transcript(&output, &$url), $arguments);
    };
}

#[test]
fn latest_arn_prints_the_arn_alone() {
    let url = Server::collection().url();
    let place = "--region us-east-1 --python 3.13";
    let output = run(&mut klayers(&url), &format!("latest-arn requests {place}"));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4\n"
    );
    assert_eq!(output.stderr, b"");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn results_are_tables_or_json() {
    let url = Server::collection().url();
    assert_run!("latest", klayers(&url), "latest --region us-east-1 --python 3.13", url);
    assert_run!(
        "latest_json",
        klayers(&url),
        "latest --region us-east-1 --python 3.13 --json",
        url
    );
    assert_run!("latest_empty", klayers(&url), "latest --region us-east-1 --python 3.9", url);
    assert_run!(
        "versions",
        klayers(&url),
        "versions Requests --region us-east-1 --python 3.13 --arch x86_64",
        url
    );
    assert_run!(
        "versions_json",
        klayers(&url),
        "versions requests --region us-east-1 --python 3.13 --json",
        url
    );
    assert_run!(
        "latest_arn_json",
        klayers(&url),
        "latest-arn pillow --region us-east-1 --python 3.13 --json",
        url
    );
}

#[test]
fn what_fails_is_told_on_stderr_with_exit_code_1() {
    let url = Server::collection().url();
    assert_run!(
        "unknown_package",
        klayers(&url),
        "latest-arn reqeusts --region us-east-1 --python 3.13",
        url
    );
    assert_run!(
        "unknown_in_versions",
        klayers(&url),
        "versions pandas --region us-east-1 --python 3.13 --arch arm64",
        url
    );

    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let down = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    assert_run!("server_down", klayers(&down), "latest --region us-east-1 --python 3.13", down);

    let page = Server::start(|_, stream| respond(stream, 200, "text/html", "<title>Hi</title>"));
    let url = page.url();
    assert_run!("page", klayers(&url), "latest --region us-east-1 --python 3.13", url);
}

#[test]
fn bad_usage_has_exit_code_2_and_asks_nobody() {
    let server = Server::collection();
    let url = server.url();
    assert_run!("no_region", klayers(&url), "latest-arn requests --python 3.13", url);
    assert_run!(
        "bad_region",
        klayers(&url),
        "latest-arn requests --region mars --python 3.13",
        url
    );
    assert_run!(
        "bad_region_variable",
        klayers(&url).env("AWS_REGION", "mars"),
        "latest-arn requests --python 3.13",
        url
    );
    assert_run!(
        "bad_package",
        klayers(&url),
        "latest-arn psycopg[binary] --region us-east-1 --python 3.13",
        url
    );
    assert_run!(
        "bad_python",
        klayers(&url),
        "latest-arn requests --region us-east-1 --python 2.7",
        url
    );
    assert_run!(
        "bad_api_url",
        klayers(&url),
        "latest --region us-east-1 --python 3.13 --api-url localhost:8080",
        url
    );
    assert_run!("no_command", klayers(&url), "", url);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn help_and_version_are_results() {
    assert_run!("help", klayers(NOBODY), "--help", NOBODY);
    assert_run!("help_latest_arn", klayers(NOBODY), "latest-arn --help", NOBODY);
    let output = run(&mut klayers(NOBODY), "--version");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("klayers ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_region_comes_from_the_flag_then_from_aws_variables() {
    let url = Server::collection().url();
    for (flag, variables, found) in [
        ("", &[("AWS_REGION", "us-east-1")][..], true),
        ("", &[("AWS_DEFAULT_REGION", "us-east-1")], true),
        ("", &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "us-east-1")], true),
        ("", &[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "us-east-1")], false),
        ("--region us-east-1", &[("AWS_REGION", "eu-west-1")], true),
        ("--region us-east-1", &[("AWS_REGION", "mars")], true),
    ] {
        let mut command = klayers(&url);
        command.envs(variables.iter().copied());
        let output = run(&mut command, &format!("latest-arn requests --python 3.13 {flag}"));
        assert_eq!(output.status.success(), found, "{flag} {variables:?}");
    }
}

#[test]
fn the_address_comes_from_the_flag_before_the_variable() {
    let url = Server::collection().url();
    let arguments = format!("latest --region us-east-1 --python 3.13 --api-url {url}/");
    let output = run(&mut klayers(NOBODY), &arguments);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let url = Server::start(|_, stream| {
        // More than a pipe holds, so that the command is still writing when the reader has left.
        let row = |number: usize| {
            format!(
                r#"{{"package":"p{number}","packageVersion":"1",
                "arn":"arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-p{number}:1"}}"#
            )
        };
        let rows: Vec<String> = (0..5_000).map(row).collect();
        respond(stream, 200, "application/json", &format!("[{}]", rows.join(",")))
    })
    .url();
    let mut child = klayers(&url)
        .args(["latest", "--region", "us-east-1", "--python", "3.13"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
