//! Downloads and copies layers: against LocalStack, and against a Lambda whose downloads break off.

use std::fs;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region as AwsRegion, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, LayerVersionContentInput, Runtime};
use data_encoding::BASE64;
use klayers_client::LayerVersionArn;
use klayers_client::aws::{AwsError, Layers};
use sha2::{Digest, Sha256};

use crate::fixture::Server;

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:layer:Klayers-p313-requests:4";

/// A configuration for an account at an endpoint.
pub(crate) fn config(endpoint: &str, account: &str) -> SdkConfig {
    let credentials = Credentials::new(account, "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(AwsRegion::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub(crate) fn zip() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("python/hello.py", zip::write::SimpleFileOptions::default()).expect("an entry");
    zip.write_all(&b"print('hello')\n".repeat(10_000)).expect("written");
    zip.finish().expect("a zip").into_inner()
}

/// Lambda's description of a layer whose zip is at `location`.
pub(crate) fn described(arn: &str, location: &str, bytes: &[u8]) -> String {
    let sha256 = BASE64.encode(&Sha256::digest(bytes));
    format!(
        r#"{{"LayerVersionArn":"{arn}","Version":4,"Content":{{"Location":"{location}",
        "CodeSha256":"{sha256}","CodeSize":{}}}}}"#,
        bytes.len()
    )
}

fn arn() -> LayerVersionArn {
    ARN.parse().expect("an ARN")
}

/// A Lambda with a store that sends only `part` bytes per request, and the ranges that were requested.
pub(crate) fn breaking_off(
    bytes: Vec<u8>,
    part: usize,
) -> (Server, Arc<Mutex<Vec<Option<String>>>>) {
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&ranges);
    let own = Arc::new(Mutex::new(String::new()));
    let url = Arc::clone(&own);
    let server = Server::start_with_head(move |head, stream| {
        if !head[0].contains("/store") {
            let location = format!("{}/store", url.lock().expect("no thread panics"));
            let body = described(ARN, &location, &bytes);
            return crate::fixture::respond(stream, 200, "application/json", &body);
        }
        let range = head.iter().find(|line| line.to_lowercase().starts_with("range:")).cloned();
        let from: usize = range.as_deref().map_or(0, |line| {
            let digits = line.split('=').nth(1).expect("a range").trim_end_matches('-');
            digits.parse().expect("a number")
        });
        asked.lock().expect("no thread panics").push(range);
        let rest = &bytes[from..];
        let status = if from > 0 { 206 } else { 200 };
        write!(
            stream,
            "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            rest.len()
        )?;
        stream.write_all(&rest[..part.min(rest.len())])
    });
    *own.lock().expect("no thread panics") = server.url();
    (server, ranges)
}

#[tokio::test]
async fn interrupted_download_is_resumed() {
    let bytes = zip();
    let third = bytes.len() / 3 + 1;
    let (server, ranges) = breaking_off(bytes.clone(), third);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("layer.zip");
    let layers = Layers::new(&config(&server.url(), "123456789012")).expect("a client");
    let layer = layers.download(&arn(), &path).await.expect("a layer");
    assert_eq!(fs::read(&path).expect("a file"), bytes);
    assert_eq!(layer.code_size, u64::try_from(bytes.len()).expect("small"));
    let ranges = || ranges.lock().expect("no thread panics").clone();
    let range = |from: usize| Some(format!("range: bytes={from}-"));
    assert_eq!(ranges(), [None, range(third), range(2 * third)]);

    // A complete file is not downloaded again.
    layers.download(&arn(), &path).await.expect("a layer");
    assert_eq!(ranges().len(), 3);
    let left = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 1, "no partial file");
    layer.unpack(folder.path().join("opt")).expect("unpacked");
    assert!(folder.path().join("opt/python/hello.py").is_file());
}

#[tokio::test]
async fn file_with_a_wrong_digest_is_removed() {
    let bytes = zip();
    let (server, _) = breaking_off(bytes.clone(), usize::MAX);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("layer.zip");
    // A partial file with other content, which is resumed.
    fs::write(folder.path().join("layer.zip.partial"), vec![0; bytes.len() / 2]).expect("written");
    let layers = Layers::new(&config(&server.url(), "123456789012")).expect("a client");
    let error = layers.download(&arn(), &path).await.expect_err("another file");
    assert!(matches!(error, AwsError::DigestMismatch { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    layers.download(&arn(), &path).await.expect("a layer");
}

#[tokio::test]
async fn missing_permission_and_deleted_layer_are_explained() {
    for (code, status, part) in [
        (
            "AccessDeniedException",
            403,
            "the credentials need the permission lambda:GetLayerVersion",
        ),
        ("ResourceNotFoundException", 404, "the layer version was deleted, or never existed"),
        ("InvalidParameterValueException", 400, "check the credentials"),
    ] {
        let server = Server::start(move |_, stream| {
            write!(
                stream,
                "HTTP/1.1 {status} Status\r\nx-amzn-errortype: {code}\r\nContent-Length: 2\r\n\
                 Content-Type: application/json\r\nConnection: close\r\n\r\n{{}}"
            )
        });
        let layers = Layers::new(&config(&server.url(), "123456789012")).expect("a client");
        let error = layers.download(&arn(), "layer.zip").await.expect_err(code);
        assert!(error.to_string().contains(part), "{code}: {error}");
        assert!(error.to_string().contains("eu-west-1"), "{error}");
    }
    assert!(!Path::new("layer.zip").exists());
}

/// The address of LocalStack, if it runs. Continuous integration requires it.
#[expect(clippy::disallowed_methods, reason = "the test needs the address of LocalStack")]
#[expect(clippy::print_stderr, reason = "a skipped test prints a note")]
pub(crate) fn localstack() -> Option<String> {
    let endpoint = std::env::var("KLAYERS_TEST_LOCALSTACK").ok();
    if endpoint.is_none() {
        assert!(
            std::env::var("CI").is_err(),
            "KLAYERS_TEST_LOCALSTACK is not set: run the tests under tools/with-localstack"
        );
        eprintln!("SKIPPED: KLAYERS_TEST_LOCALSTACK is not set");
    }
    endpoint
}

/// Publishes a layer in us-east-1.
pub(crate) async fn publish(config: &SdkConfig, name: &str, bytes: Vec<u8>) -> LayerVersionArn {
    let published = aws_sdk_lambda::Client::new(config)
        .publish_layer_version()
        .layer_name(name)
        .description("hello==1.0")
        .compatible_runtimes(Runtime::Python313)
        .compatible_architectures(Architecture::X8664)
        .content(LayerVersionContentInput::builder().zip_file(Blob::new(bytes)).build())
        .send()
        .await
        .expect("published");
    published.layer_version_arn().expect("an ARN").parse().expect("an ARN")
}

/// Publishes in one region, copies to another, and downloads the copy. Copying again returns the copy.
#[tokio::test]
async fn layer_is_copied_once_to_another_region() {
    let Some(endpoint) = localstack() else { return };
    let config = config(&endpoint, &format!("1{:011}", std::process::id()));
    let bytes = zip();
    let arn = publish(&config, "Klayers-p313-hello", bytes.clone()).await;
    let layers = Layers::new(&config).expect("a client");
    let region = "eu-central-1".parse().expect("a region");
    let copy = layers.mirror(&arn, &region).await.expect("a copy");
    assert_eq!((copy.region(), copy.name(), copy.version()), (&region, arn.name(), 1));
    assert_eq!(layers.mirror(&arn, &region).await.expect("the copy"), copy);

    let folder = tempfile::tempdir().expect("a folder");
    let layer = layers.download(&copy, folder.path().join("layer.zip")).await.expect("a layer");
    assert_eq!(fs::read(&layer.path).expect("a file"), bytes);
    let gone = copy.layer().clone().version(NonZeroU64::new(9).expect("9 is not 0"));
    let gone = layers.download(&gone, folder.path().join("gone.zip")).await;
    assert!(gone.is_err());
}
