//! The stub answers like Lambda.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use futures::future::join_all;
use klayers_core::Digest;
use reqwest::Method;
use serde_json::Value;

use super::{Caller, LAYER, SHORT, zip};
use crate::support::aws::{Account, Operation, StubLambda};

const REGION: &str = "eu-west-1";

async fn start() -> (StubLambda, Caller) {
    let stub = StubLambda::start(Duration::ZERO).await;
    let caller = Caller::new(&stub.url(), &Account::new(), REGION);
    (stub, caller)
}

#[tokio::test]
async fn stub_returns_the_published_version() {
    let (stub, caller) = start().await;
    // Large enough to arrive in several chunks.
    let zip = zip(3 << 20);
    let version = caller.published(&zip).await;
    let account = caller.account.id();
    let arn = format!("arn:aws:lambda:{REGION}:{account}:layer:{LAYER}");
    assert_eq!(version["LayerArn"], arn);
    assert_eq!(version["LayerVersionArn"], format!("{arn}:1"));
    let digest = data_encoding::HEXLOWER.decode(Digest::of(&zip).to_string().as_bytes()).unwrap();
    assert_eq!(version["Content"]["CodeSha256"], BASE64.encode(&digest));
    assert_eq!(version["Content"]["CodeSize"], zip.len());
    assert_eq!(version["Description"], "requests==2.32.3");
    assert_eq!(version["LicenseInfo"], "Apache-2.0");
    assert!(stub.received() > zip.len() as u64 * 4 / 3);

    assert_eq!(caller.get(&format!("/{LAYER}/versions/1")).await, version);
    assert_eq!(caller.get(&format!("?find=LayerVersion&Arn={arn}:1")).await, version);
    let list = caller.get(&format!("/{LAYER}/versions")).await;
    assert_eq!(list["LayerVersions"][0]["CreatedDate"], version["CreatedDate"]);
    assert_eq!(list["LayerVersions"][0].get("Content"), None);
}

#[tokio::test]
async fn stub_never_reuses_numbers() {
    let (_stub, caller) = start().await;
    for _ in 0..3 {
        caller.published(&zip(10)).await;
    }
    for _ in 0..2 {
        let path = format!("/{LAYER}/versions/3");
        let answer = caller.lambda(Method::DELETE, &path).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
    caller.published(&zip(10)).await;
    assert_eq!(caller.versions().await, [4, 2, 1]);
    let missing = caller.lambda(Method::GET, &format!("/{LAYER}/versions/3"));
    assert_eq!(missing.send().await.unwrap().status(), 404);

    let other = Caller::new(&caller.endpoint, &caller.account, "eu-west-2");
    assert_eq!(other.published(&zip(10)).await["Version"], 1);
}

#[tokio::test]
async fn stub_lists_come_in_pages() {
    let (_stub, caller) = start().await;
    for _ in 0..3 {
        caller.published(&zip(10)).await;
    }
    let page = caller.get(&format!("/{LAYER}/versions?MaxItems=2")).await;
    let numbers = |page: &Value| {
        let versions = page["LayerVersions"].as_array().unwrap();
        versions.iter().map(|version| version["Version"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&page), [3, 2]);
    let marker = page["NextMarker"].as_str().unwrap();
    let last = caller.get(&format!("/{LAYER}/versions?MaxItems=2&Marker={marker}")).await;
    assert_eq!((numbers(&last), &last["NextMarker"]), (vec![1.into()], &Value::Null));
}

#[tokio::test]
async fn stub_grants_a_permission_once() {
    let (_stub, caller) = start().await;
    caller.published(&zip(10)).await;
    let path = format!("/{LAYER}/versions/1/policy");
    let none = caller.lambda(Method::GET, &path).send().await.unwrap();
    assert_eq!(none.status(), 404);
    assert_eq!(caller.permit(1).await, 201);
    assert_eq!(caller.permit(1).await, 409);
    let policy = caller.get(&path).await;
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
    assert_eq!(policy["Statement"][0]["Principal"], "*");
}

#[tokio::test]
async fn stub_delays_calls_independently() {
    let stub = StubLambda::start(SHORT).await;
    let account = Account::new();
    let regions = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "sa-east-1"];
    let callers = regions.map(|region| Caller::new(&stub.url(), &account, region));
    let begun = Instant::now();
    let bytes = zip(10);
    join_all(callers.iter().map(|caller| caller.published(&bytes))).await;
    assert!(begun.elapsed() >= SHORT);
    assert_eq!(stub.most_at_once(), regions.len());
    assert_eq!(stub.count(None, Operation::PublishLayerVersion), regions.len());
    assert_eq!(stub.count(Some("us-east-1"), Operation::PublishLayerVersion), 1);
}
