//! Tests of the test tools: the emulators, the proxy, the stub and the view of boto3 behave as the
//! publishing tests expect.

mod emulators;
mod operations;
mod proxy;
mod stub;

use std::time::Duration;

use data_encoding::BASE64;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use url::Url;

use crate::support::aws::Account;

/// The layer of these tests.
const LAYER: &str = "Klayers-p312-requests";

/// A caller of Lambda in a region that never retries.
struct Caller {
    client: reqwest::Client,
    endpoint: Url,
    account: Account,
    region: String,
}

impl Caller {
    fn new(endpoint: &Url, account: &Account, region: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (endpoint, region) = (endpoint.clone(), region.to_owned());
        Self { client, endpoint, account: account.clone(), region }
    }

    /// A request that names its signer but has no valid signature, which nothing here checks.
    fn request(&self, method: Method, service: &str, path: &str) -> RequestBuilder {
        let scope = format!("{}/20260101/{}/{service}", self.account.id(), self.region);
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential={scope}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let url = self.endpoint.join(path).unwrap();
        self.client.request(method, url).header("authorization", signed)
    }

    fn lambda(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, "lambda", &format!("/2018-10-31/layers{path}"))
    }

    /// A request to publish a layer.
    fn publish(&self, zip: &[u8]) -> RequestBuilder {
        let body = json!({
            "Description": "requests==2.32.3",
            "Content": { "ZipFile": "" },
            "CompatibleRuntimes": ["python3.12"],
            "CompatibleArchitectures": ["x86_64"],
            "LicenseInfo": "Apache-2.0",
        });
        // Inserted afterwards, because escaping the whole zip is slow in a debug build.
        let filled = format!("\"ZipFile\":\"{}\"", BASE64.encode(zip));
        let body = body.to_string().replace("\"ZipFile\":\"\"", &filled);
        self.lambda(Method::POST, &format!("/{LAYER}/versions")).body(body)
    }

    /// Publishes a layer and returns the version.
    async fn published(&self, zip: &[u8]) -> Value {
        let answer = self.publish(zip).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        body(answer).await
    }

    /// Makes a version public and returns the status of the answer.
    async fn permit(&self, version: u64) -> u16 {
        let body = json!({
            "StatementId": "make_public",
            "Action": "lambda:GetLayerVersion",
            "Principal": "*",
        });
        let path = format!("/{LAYER}/versions/{version}/policy");
        let request = self.lambda(Method::POST, &path).body(body.to_string());
        request.send().await.unwrap().status().as_u16()
    }

    /// Returns the body of a GET request to Lambda.
    async fn get(&self, path: &str) -> Value {
        body(self.lambda(Method::GET, path).send().await.unwrap()).await
    }

    /// Returns the numbers in the list of versions.
    async fn versions(&self) -> Vec<u64> {
        let list = self.get(&format!("/{LAYER}/versions")).await;
        let versions = list["LayerVersions"].as_array().unwrap();
        versions.iter().map(|version| version["Version"].as_u64().unwrap()).collect()
    }
}

async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// A zip with one file of about this size.
fn zip(size: usize) -> Vec<u8> {
    use std::io::Write as _;
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("python/x.py", options).unwrap();
    writer.write_all(&vec![b'#'; size]).unwrap();
    writer.finish().unwrap().into_inner()
}

/// Longer than any call without a delay takes.
const SHORT: Duration = Duration::from_millis(300);
