//! `klayers external`, as Terraform's data source `external` runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::command::{NO_SERVER, klayers, transcript};
use crate::fixture::{Server, collection, respond};

fn ask(command: &mut Command, flags: &str, query: &[u8]) -> Output {
    command.arg("external").args(flags.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // The command may stop reading early.
    let _ = child.stdin.take().expect("a pipe").write_all(query);
    child.wait_with_output().expect("it ends")
}

fn result(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // Terraform shows stderr only if the command fails.
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().all(|line| line.starts_with("note: ")), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn result_has_only_strings() {
    let url = Server::collection().url();
    let query = json!({"package": "requests<2.32.5", "region": "us-east-1", "python": "3.13",
        "arch": "x86_64", "api_url": url});
    let output = ask(&mut klayers(NO_SERVER), "", query.to_string().as_bytes());
    assert_eq!(
        result(&output),
        json!({
            "arn": "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:3",
            "layer_version": "3",
            "package": "requests",
            "package_version": "2.32.3",
            "region": "us-east-1",
            "target": "p3.13",
            "python": "3.13",
            "arch": "x86_64",
            "status": "deprecated",
            "expiry_date": "2026-11-01T02:00:00Z",
            "dependencies": "idna==3.10 requests==2.32.3",
        })
    );
}

#[test]
fn numbers_become_strings() {
    let url = Server::start(|path, stream| {
        let body = collection(path).expect("a known path").replace(
            r#""deployStatus":"latest""#,
            r#""deployStatus":"latest","codeSize":3,"unzippedSize":9,"license":"Apache-2.0",
            "codeSha256":"YQ==","layerVersion":4,"createdDateTime":"2025-11-02T02:01:14""#,
        );
        respond(stream, 200, "application/json", &body)
    })
    .url();
    let query = br#"{"package": "requests", "region": "us-east-1", "python": "3.13"}"#;
    let result = result(&ask(&mut klayers(&url), "", query));
    for (key, value) in [
        ("code_size", "3"),
        ("unzipped_size", "9"),
        ("license", "Apache-2.0"),
        ("code_sha256", "YQ=="),
        ("created_date_time", "2025-11-02T02:01:14Z"),
    ] {
        assert_eq!(result[key], value, "{key}");
    }
    let values = result.as_object().expect("an object").values();
    assert!(values.into_iter().all(Value::is_string), "{result}");
}

/// The order of precedence: query, option, environment, file.
#[test]
fn missing_query_keys_come_from_option_environment_or_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = Server::collection().url();
    let file = format!("[client]\napi_url = '{url}'\nregion = 'us-east-1'\npython = '3.13'\n");
    std::fs::write(folder.path().join("klayers.toml"), file).expect("a file");
    for (query, flags, variable, found) in [
        (r#"{"package": "requests"}"#, "", None, true),
        (r#"{"package": "requests"}"#, "", Some("eu-west-1"), false),
        (r#"{"package": "requests"}"#, "--region us-east-1", Some("eu-west-1"), true),
        (r#"{"package": "requests", "region": ""}"#, "--python 3.12", None, false),
        (r#"{"package": "requests", "region": "eu-west-1"}"#, "--region us-east-1", None, false),
        (r#"{"package": "requests", "python": "3.13"}"#, "--python 3.12", None, true),
    ] {
        let mut command = klayers("");
        command.current_dir(folder.path()).envs(variable.map(|region| ("AWS_REGION", region)));
        let output = ask(&mut command, flags, query.as_bytes());
        assert_eq!(output.status.success(), found, "{query} {flags} {variable:?}: {output:?}");
    }
}

#[test]
fn external_prints_failures_to_stderr_with_exit_code_1() {
    let server = Server::collection();
    let url = server.url();
    let place = "--region us-east-1 --python 3.13";
    let long = b" ".repeat(70_000);
    let queries: [(&str, &str, &[u8]); 7] = [
        ("empty", place, b""),
        ("long", place, &long),
        ("no_object", place, b"[1]"),
        ("unknown_key", place, br#"{"package": "requests", "regoin": "us-east-1"}"#),
        ("no_string", place, br#"{"package": "requests", "python": 3.13}"#),
        ("no_region", "--python 3.13", br#"{"package": "requests"}"#),
        ("bad_address", place, br#"{"package": "requests", "api_url": "localhost"}"#),
    ];
    for (name, flags, query) in queries {
        let output = ask(&mut klayers(&url), flags, query);
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        insta::assert_snapshot!(name, transcript(&output, &url));
    }
    assert_eq!(server.asked(), [""; 0]);
    let output = ask(&mut klayers(&url), place, br#"{"package": "reqeusts"}"#);
    insta::assert_snapshot!("unknown_package", transcript(&output, &url));
}
