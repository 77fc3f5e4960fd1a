//! What the tests of publishing stand on: that the emulators are what those take them for, and that
//! the proxy, the stub and the view of boto3 do what they say.

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

/// Somebody who calls Lambda in a region, once each: nothing is tried again.
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

    /// A request that says for whom it was signed, without a signature: nobody here looks at that.
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
        // Put in afterwards: what looks for characters to escape takes long in a test's build.
        let filled = format!("\"ZipFile\":\"{}\"", BASE64.encode(zip));
        let body = body.to_string().replace("\"ZipFile\":\"\"", &filled);
        self.lambda(Method::POST, &format!("/{LAYER}/versions")).body(body)
    }

    /// The version that a publication made.
    async fn published(&self, zip: &[u8]) -> Value {
        let answer = self.publish(zip).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        body(answer).await
    }

    /// Makes a version public, and returns the status of the answer.
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

    /// What a GET of Lambda says.
    async fn get(&self, path: &str) -> Value {
        body(self.lambda(Method::GET, path).send().await.unwrap()).await
    }

    /// The numbers of the versions that are listed.
    async fn versions(&self) -> Vec<u64> {
        let list = self.get(&format!("/{LAYER}/versions")).await;
        let versions = list["LayerVersions"].as_array().unwrap();
        versions.iter().map(|version| version["Version"].as_u64().unwrap()).collect()
    }
}

async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// A zip with one file, of about this size.
fn zip(size: usize) -> Vec<u8> {
    use std::io::Write as _;
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("python/x.py", options).unwrap();
    writer.write_all(&vec![b'#'; size]).unwrap();
    writer.finish().unwrap().into_inner()
}

/// Longer than anything takes that is not waiting for something.
const SHORT: Duration = Duration::from_millis(300);
