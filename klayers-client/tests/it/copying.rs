//! `klayers download` and `klayers mirror`, against stand-ins of AWS and against LocalStack.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::command::{klayers, run, transcript};
use crate::copies::{breaking_off, config, described, localstack, publish, zip};
use crate::fixture::{Server, collection, respond};

const ARN: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4";
const COPY: &str = "arn:aws:lambda:eu-central-1:123456789012:layer:Klayers-p313-requests:7";
const PLACE: &str = "--region us-east-1 --python 3.13";

/// The command in a folder, with credentials for AWS at an endpoint.
pub(crate) fn with_aws(api: &Server, endpoint: &str, folder: &Path) -> Command {
    let mut command = klayers(&api.url());
    command
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "123456789012")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn download_saves_and_unpacks_a_layer() {
    let (api, bytes) = (Server::collection(), zip());
    // The download breaks off twice, which the output does not show.
    let (aws, _) = breaking_off(bytes.clone(), bytes.len() / 3 + 1);
    let folder = tempfile::tempdir().expect("a folder");
    let (sha256, size) = (BASE64.encode(&Sha256::digest(&bytes)), bytes.len());

    let mut command = with_aws(&api, &aws.url(), folder.path());
    let output = run(&mut command, &format!("download requests {PLACE}"));
    let file = "Klayers-p313-requests.zip";
    assert_eq!(
        transcript(&output, &aws.url()),
        format!(
            "exit code: 0\n--- stdout\n{file}\nsha256  {sha256}\nzipped  {size} bytes\n--- stderr\n"
        )
    );
    assert_eq!(fs::read(folder.path().join(file)).expect("a file"), bytes);

    let mut command = with_aws(&api, &aws.url(), folder.path());
    let output =
        run(&mut command, &format!("download requests --out a.zip --unpack opt --json {PLACE}"));
    assert_eq!(
        json_of(&output),
        json!({"arn": ARN, "path": "a.zip", "code_sha256": sha256, "code_size": size})
    );
    assert!(folder.path().join("opt/python/hello.py").is_file());
}

#[test]
fn aws_errors_are_explained_and_leave_no_files() {
    let api = Server::collection();
    let folder = tempfile::tempdir().expect("a folder");
    let denied = Server::start(|_, stream| {
        use std::io::Write;
        let body = r#"{"message":"not for you"}"#;
        write!(
            stream,
            "HTTP/1.1 403 Status\r\nx-amzn-errortype: AccessDeniedException\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    });
    for arguments in ["download requests", "mirror requests --to eu-central-1"] {
        let mut command = with_aws(&api, &denied.url(), folder.path());
        let output = run(&mut command, &format!("{arguments} {PLACE}"));
        assert_eq!(
            transcript(&output, &denied.url()),
            format!(
                "exit code: 1\n--- stdout\n--- stderr\nerror: GetLayerVersionByArn for {ARN} in \
                 us-east-1 was denied: the credentials need the permission \
                 lambda:GetLayerVersion, and the layer must be public or shared with their account \
                 (not for you)\n"
            ),
        );
    }
    let mut command = with_aws(&api, &denied.url(), folder.path());
    command.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
    let output = run(&mut command, &format!("download requests {PLACE}"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let none = "error: no usable AWS credentials for us-east-1; name a profile in AWS_PROFILE, set \
                AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`\n  \
                caused by: ";
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("{none}found none in the environment, in a profile, or from a role\n")
    );

    let expired = Server::start(|_, stream| {
        use std::io::Write;
        let body = r#"{"message":"The security token included in the request is expired"}"#;
        write!(
            stream,
            "HTTP/1.1 403 Status\r\nx-amzn-errortype: ExpiredTokenException\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    });
    let mut command = with_aws(&api, &expired.url(), folder.path());
    let output = run(&mut command, &format!("download requests {PLACE}"));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("{none}The security token included in the request is expired\n")
    );

    // A misspelt name is reported before a call to AWS.
    let asked = denied.asked().len();
    let mut command = with_aws(&api, &denied.url(), folder.path());
    let output = run(&mut command, &format!("download reqeusts {PLACE}"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean requests?"));
    assert_eq!(denied.asked().len(), asked);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

/// A Lambda with a layer of 60 MB, with or without a copy. It publishes nothing.
fn with_a_large_layer(copied: bool) -> Server {
    Server::start(move |path, stream| {
        let layer = described(ARN, "http://127.0.0.1:9/store", b"large")
            .replace("\"CodeSize\":5", "\"CodeSize\":60000000");
        let body = match path {
            path if path.contains("find=LayerVersion") => layer,
            path if path.ends_with("/Klayers-p313-requests/versions") && copied => {
                format!(r#"{{"LayerVersions":[{{"LayerVersionArn":"{COPY}","Version":7}}]}}"#)
            }
            _ => r#"{"LayerVersions":[]}"#.to_owned(),
        };
        respond(stream, 200, "application/json", &body)
    })
}

#[test]
fn mirror_rejects_too_large_layers_before_the_download() {
    let (api, folder) = (Server::collection(), tempfile::tempdir().expect("a folder"));
    let arguments = format!("mirror requests --to eu-central-1 {PLACE}");
    let aws = with_a_large_layer(false);
    let output = run(&mut with_aws(&api, &aws.url(), folder.path()), &arguments);
    insta::assert_snapshot!("mirror_too_large", transcript(&output, &aws.url()));
    // Only the description and the list of versions: no download, no publication.
    assert_eq!(aws.asked().len(), 2, "{:?}", aws.asked());

    // A layer that was published as the message says counts as the copy.
    let aws = with_a_large_layer(true);
    let output = run(&mut with_aws(&api, &aws.url(), folder.path()), &arguments);
    assert_eq!(
        transcript(&output, &aws.url()),
        format!("exit code: 0\n--- stdout\n{COPY}\n--- stderr\n")
    );
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn mirror_copies_once_and_the_copy_can_be_downloaded() {
    let Some(endpoint) = localstack() else { return };
    // Not the account of the other test, which may run in the same process.
    let account = format!("2{:011}", std::process::id());
    let bytes = zip();
    let config = config(&endpoint, &account);
    let arn = publish(&config, "Klayers-p313-requests", bytes.clone()).await.to_string();
    let copy = arn.replace("us-east-1", "eu-central-1");
    // The collection lists the layer in both regions.
    let api = Server::start(move |path, stream| {
        let body = collection(&path.replace("eu-central-1", "us-east-1")).expect("a known path");
        let body = body.replace("770693421928", &account).replace("requests:4", "requests:1");
        let body = if path.contains("eu-central-1") {
            body.replace("us-east-1", "eu-central-1")
        } else {
            body
        };
        respond(stream, 200, "application/json", &body)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let account = arn.split(':').nth(4).expect("an account");
    let command = || {
        let mut command = with_aws(&api, &endpoint, folder.path());
        command.env("AWS_ACCESS_KEY_ID", account);
        command
    };
    let mirror = format!("mirror requests --to eu-central-1 {PLACE}");
    for _ in 0..2 {
        let output = run(&mut command(), &mirror);
        assert_eq!(
            transcript(&output, &endpoint),
            format!("exit code: 0\n--- stdout\n{copy}\n--- stderr\n")
        );
    }
    let output = run(&mut command(), &format!("{mirror} --json"));
    assert_eq!(json_of(&output), json!({"arn": copy, "copy_of": arn}));
    let place = "--region eu-central-1 --python 3.13";
    let output = run(&mut command(), &format!("download requests --out copy.zip --json {place}"));
    assert_eq!(json_of(&output)["arn"], copy);
    assert_eq!(fs::read(folder.path().join("copy.zip")).expect("a file"), bytes);
}
