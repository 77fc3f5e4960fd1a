//! The publisher to AWS Lambda: the conformance suite, and tests of its own.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::Region as AwsRegion;
use futures::FutureExt as _;
use klayers_core::Digest;
use klayers_publish::{
    AwsErrorKind, AwsOptions, LambdaPublisher, LayerUpload, Pointer, PublishError, Publisher,
};
use tempfile::TempDir;
use url::Url;

use crate::conformance::publisher::{Home, list, publish, publisher_promises, upload};
use crate::samples::{at, package, region, target};
use crate::support::aws::{
    Account, Answer, Contents, Fault, FaultProxy, Operation, Rule, StubLambda, boto_view,
    localstack,
};

const REGIONS: [&str; 4] = ["eu-west-1", "eu-west-2", "us-east-1", "us-west-2"];

struct Aws {
    account: Account,
    endpoint: Url,
    folder: TempDir,
    publisher: Arc<LambdaPublisher>,
}

impl Aws {
    /// A publisher with an account of its own, at an endpoint.
    async fn at(endpoint: Url, options: AwsOptions) -> Self {
        let account = Account::new();
        let regions = REGIONS.map(region);
        let config = account.config(&endpoint);
        let publisher = LambdaPublisher::with_config(&config, options, &regions).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { account, endpoint, folder, publisher: Arc::new(publisher) }
    }

    /// LocalStack behind a proxy with faults.
    async fn with_faults(rules: impl IntoIterator<Item = Rule>) -> Option<(Self, FaultProxy)> {
        let proxy = FaultProxy::start(&localstack()?, rules).await;
        Some((Self::at(proxy.url(), AwsOptions::default()).await, proxy))
    }

    async fn new() -> Option<Self> {
        Some(Self::at(localstack()?, AwsOptions::default()).await)
    }

    fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        let config = self.account.config(&self.endpoint);
        let config = config.to_builder().region(AwsRegion::new(region.to_owned())).build();
        aws_sdk_s3::Client::new(&config)
    }
}

impl Home for Aws {
    fn open(&self) -> Arc<dyn Publisher> {
        Arc::clone(&self.publisher) as Arc<dyn Publisher>
    }

    fn zips(&self) -> &Path {
        self.folder.path()
    }

    /// LocalStack maps them all to `us-east-1`.
    fn has_other_partitions(&self) -> bool {
        false
    }
}

mod promises {
    use super::*;

    publisher_promises!(match Aws::new().await {
        Some(aws) => aws,
        None => return,
    });
}

#[tokio::test]
async fn boto3_sees_published_version() {
    let Some(aws) = Aws::new().await else { return };
    let publisher = aws.open();
    let layer = LayerUpload {
        license: Some("Licence ".repeat(1280)),
        ..upload(&aws, "Klayers-p312-arm64-a")
    };
    let published = publish(&*publisher, &layer, "eu-west-1").await;
    publisher.make_public(&published.arn).await.unwrap();
    publisher.make_public(&published.arn).await.unwrap();
    let found = publisher.inspect(&published.arn).await.unwrap().unwrap();
    assert_eq!((found.digest, found.size, found.is_public), (layer.digest, layer.size, true));

    let seen = boto_view(&aws.endpoint, &aws.account, &["eu-west-1"], Contents::Downloaded);
    let version = &seen["eu-west-1"]["Klayers-p312-arm64-a"][0];
    assert_eq!(version["description"], layer.description, "{version:#}");
    assert_eq!(version["runtimes"], serde_json::json!(["python3.12"]));
    assert_eq!(version["architectures"], serde_json::json!(["x86_64"]));
    assert_eq!(version["code_sha256"], layer.digest.to_base64());
    assert_eq!(version["downloaded"], layer.digest.to_string());
    assert_eq!(version["license"].as_str().unwrap().len(), 512);
    let statement = &version["statements"][0];
    assert_eq!(statement["Sid"], "make_public", "{version:#}");
    assert_eq!(statement["Action"], "lambda:GetLayerVersion");
}

#[tokio::test]
async fn version_is_private_until_made_public() {
    let Some(aws) = Aws::new().await else { return };
    let publisher = aws.open();
    let published = publish(&*publisher, &upload(&aws, "Klayers-p312-a"), "eu-west-1").await;
    assert!(!publisher.inspect(&published.arn).await.unwrap().unwrap().is_public);
    publisher.delete(&published.arn).await.unwrap();
    assert_eq!(publisher.inspect(&published.arn).await.unwrap(), None);
    publisher.make_public(&published.arn).await.unwrap_err();
}

#[tokio::test]
async fn layers_are_listed_by_region() {
    let Some(aws) = Aws::new().await else { return };
    assert_eq!(aws.publisher.layers(&region("eu-west-1")).await.unwrap(), []);
    for (name, place) in
        [("Klayers-p312-b", "eu-west-1"), ("Klayers-p312-a", "eu-west-1"), ("c", "eu-west-2")]
    {
        publish(&*aws.publisher, &upload(&aws, name), place).await;
    }
    let names = |names: &[&str]| -> Vec<klayers_core::LayerName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    };
    let listed = aws.publisher.layers(&region("eu-west-1")).await.unwrap();
    assert_eq!(listed, names(&["Klayers-p312-a", "Klayers-p312-b"]));
}

#[tokio::test]
async fn version_with_foreign_policy_is_not_public() {
    let Some(aws) = Aws::new().await else { return };
    let publisher = aws.open();
    let published = publish(&*publisher, &upload(&aws, "Klayers-p312-a"), "eu-west-1").await;
    let lambda = aws_sdk_lambda::Client::new(
        &aws.account
            .config(&aws.endpoint)
            .to_builder()
            .region(AwsRegion::from_static("eu-west-1"))
            .build(),
    );
    lambda
        .add_layer_version_permission()
        .layer_name("Klayers-p312-a")
        .version_number(1)
        .statement_id("make_public")
        .action("lambda:GetLayerVersion")
        .principal("123456789012")
        .send()
        .await
        .unwrap();
    let error = publisher.make_public(&published.arn).await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Policy { reason, .. } if reason.contains("123456789012"))
    );
}

#[tokio::test]
async fn large_layers_are_sent_once_and_copied_by_s3() {
    let Some((aws, proxy, layer)) = through_s3([]).await else { return };
    let before = proxy.received(None, Operation::PutObject);
    let versions = futures::future::join_all(
        REGIONS.map(|name| async { publish(&*aws.publisher, &layer, name).await }),
    )
    .await;
    for version in &versions {
        assert_eq!(version.digest, layer.digest, "{}", version.arn);
    }
    assert_eq!(proxy.count(None, Operation::PutObject), 1);
    assert_eq!(proxy.count(None, Operation::CopyObject), REGIONS.len() - 1);
    let sent = proxy.received(None, Operation::PutObject) - before;
    assert!((layer.size..layer.size + 4096).contains(&sent), "{sent} bytes");
    let published = proxy.received(None, Operation::PublishLayerVersion);
    assert!(published < 4096, "{published} bytes");
}

#[tokio::test]
async fn unusable_bucket_is_named() {
    let Some(upstream) = localstack() else { return };
    let options = |bucket: &str| AwsOptions {
        bucket: Some(bucket.to_owned()),
        in_request: 10,
        ..AwsOptions::default()
    };
    let aws = Aws::at(upstream, options("absent-{region}")).await;
    let layer = large(&aws, 1 << 10);
    let refused = aws.publisher.publish(&region("eu-west-1"), &layer, now()).await.unwrap_err();
    let expected = "layers for eu-west-1 go through the bucket absent-eu-west-1, which does not \
                    exist; it must be in eu-west-1";
    assert_eq!(refused.to_string(), expected);
    assert!(refused.concerns_region() && !refused.is_unclear());

    let config = aws.account.config(&aws.endpoint);
    let moved = Answer::new(301, "PermanentRedirect", "").with("x-amz-bucket-region", "us-east-1");
    let rule = Rule::new(Fault::Answered(moved)).on(Operation::HeadBucket);
    let proxy = FaultProxy::start(&aws.endpoint, [rule]).await;
    let aws = Aws::at(proxy.url(), options("elsewhere-{region}")).await;
    let refused = aws.publisher.publish(&region("eu-west-1"), &layer, now()).await.unwrap_err();
    assert!(refused.to_string().contains("which is in another region"), "{refused}");

    let one_for_all =
        LambdaPublisher::with_config(&config, options("mine"), &[region("eu-west-1")]).await;
    assert!(matches!(one_for_all, Err(PublishError::BucketName(name)) if name == "mine"));
}

#[tokio::test]
async fn layer_too_large_for_request_suggests_a_bucket() {
    let Some(aws) = Aws::new().await else { return };
    let layer = LayerUpload { size: (50 << 20) + 1, ..upload(&aws, "Klayers-p312-a") };
    let refused = aws.publisher.publish(&region("eu-west-1"), &layer, now()).await.unwrap_err();
    assert!(refused.to_string().contains("bucket in klayers.toml"), "{refused}");
}

#[tokio::test]
async fn publishing_is_not_retried_if_it_may_have_succeeded() {
    for fault in [
        Fault::AnswerDropped,
        Fault::AnswerCut,
        Fault::AnswerReplaced(Answer::service_error()),
        Fault::Refuse,
    ] {
        let rule = Rule::new(fault.clone()).on(Operation::PublishLayerVersion);
        let Some((aws, proxy)) = Aws::with_faults([rule]).await else { return };
        let layer = upload(&aws, "Klayers-p312-a");
        let error = aws.publisher.publish(&region("eu-west-1"), &layer, now()).await.unwrap_err();
        assert!(error.is_unclear(), "{fault:?}: {error:?}");
        assert_eq!(proxy.count(None, Operation::PublishLayerVersion), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn throttled_call_is_retried() {
    let rule = Rule::new(Fault::Answered(Answer::throttled(1)))
        .on(Operation::PublishLayerVersion)
        .times(2);
    let Some((aws, proxy)) = Aws::with_faults([rule]).await else { return };
    let layer = upload(&aws, "Klayers-p312-a");
    assert_eq!(publish(&*aws.publisher, &layer, "eu-west-1").await.arn.version(), 1);
    assert_eq!(proxy.count(None, Operation::PublishLayerVersion), 3);
}

#[tokio::test]
async fn retry_after_of_zero_waits_the_minimum() {
    let rule = Rule::new(Fault::Answered(Answer::throttled(0)))
        .on(Operation::PublishLayerVersion)
        .times(3);
    let Some((aws, proxy)) = Aws::with_faults([rule]).await else { return };
    let begun = tokio::time::Instant::now();
    publish(&*aws.publisher, &upload(&aws, "Klayers-p312-a"), "eu-west-1").await;
    assert_eq!(proxy.count(None, Operation::PublishLayerVersion), 4);
    // Each wait is at least half of the growing backoff.
    assert!(begun.elapsed() >= Duration::from_millis(250 + 500 + 1_000), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn lists_are_read_past_an_empty_page() {
    let rule = Rule::new(Fault::EmptyPage);
    let Some((aws, _proxy)) = Aws::with_faults([rule]).await else { return };
    publish(&*aws.publisher, &upload(&aws, "Klayers-p312-a"), "eu-west-1").await;
    assert_eq!(list(&*aws.publisher, "Klayers-p312-a", "eu-west-1").await.len(), 1);
    assert_eq!(aws.publisher.layers(&region("eu-west-1")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_call_ends_if_region_is_silent() {
    let Some(upstream) = localstack() else { return };
    let proxy = FaultProxy::start(&upstream, []).await;
    let options =
        AwsOptions { pointers: true, deadline: Duration::from_secs(2), ..AwsOptions::default() };
    let aws = Aws::at(proxy.url(), options).await;
    let layer = upload(&aws, "Klayers-p312-a");
    let arn = publish(&*aws.publisher, &layer, "eu-west-1").await.arn;
    proxy.set_rules([Rule::new(Fault::Silent).in_region("eu-west-1")]);
    let (publisher, eu) = (&aws.publisher, region("eu-west-1"));
    let pointer = Pointer {
        region: eu.clone(),
        target: target("p3.12"),
        package: package("a"),
        latest: Some(arn.clone()),
    };
    let failed = futures::future::join_all([
        async { publisher.publish(&eu, &layer, now()).await.map(drop).unwrap_err() }.boxed(),
        async { publisher.make_public(&arn).await.unwrap_err() }.boxed(),
        async { publisher.list(&eu, &layer.name).await.map(drop).unwrap_err() }.boxed(),
        async { publisher.layers(&eu).await.map(drop).unwrap_err() }.boxed(),
        async { publisher.inspect(&arn).await.map(drop).unwrap_err() }.boxed(),
        async { publisher.delete(&arn).await.unwrap_err() }.boxed(),
        async { publisher.point(&pointer).await.unwrap_err() }.boxed(),
    ]);
    for error in failed.await {
        let text = error.to_string();
        assert!(text.contains(" in eu-west-1: no answer in "), "{text}");
        assert!(error.concerns_region() && error.is_unclear(), "{text}");
    }
    let trouble = publisher.trouble(&eu).unwrap().to_string();
    assert!(trouble.starts_with("it has not answered for "), "{trouble}");
    assert_eq!(publisher.trouble(&region("eu-west-2")), None);
    // Silence in one region does not affect another.
    publish(&**publisher, &layer, "eu-west-2").await;
}

#[tokio::test]
async fn copy_that_fails_after_status_200_is_retried() {
    let failing = Rule::new(Fault::Answered(Answer::error_after_status_200()));
    let Some((aws, proxy, layer)) = through_s3([failing.on(Operation::CopyObject).times(2)]).await
    else {
        return;
    };
    for name in REGIONS {
        let version = publish(&*aws.publisher, &layer, name).await;
        assert_eq!(version.digest, layer.digest);
    }
    assert_eq!(proxy.count(Some("us-west-2"), Operation::CopyObject), 3);
}

#[tokio::test]
async fn silent_home_region_does_not_block_large_layers_elsewhere() {
    for operation in [Operation::HeadBucket, Operation::PutObject] {
        let silent = Rule::new(Fault::Silent).in_region(REGIONS[0]).on(operation);
        let Some((aws, proxy, layer)) = through_s3([silent]).await else { return };
        let versions = futures::future::join_all(
            REGIONS[1..].iter().map(|name| async { publish(&*aws.publisher, &layer, name).await }),
        );
        for version in versions.await {
            assert_eq!(version.digest, layer.digest, "{operation:?}");
        }
        assert_eq!(proxy.count(None, Operation::CopyObject), 0, "{operation:?}");
        let refused = aws.publisher.publish(&region(REGIONS[0]), &layer, now()).await.unwrap_err();
        assert!(refused.concerns_region(), "{operation:?}: {refused}");
    }
}

#[tokio::test]
async fn queries_are_retried() {
    for fault in [Fault::Refuse, Fault::AnswerCut, Fault::Answered(Answer::service_error())] {
        let rule = Rule::new(fault).on(Operation::ListLayerVersions).times(2);
        let Some((aws, proxy)) = Aws::with_faults([rule]).await else { return };
        publish(&*aws.publisher, &upload(&aws, "Klayers-p312-a"), "eu-west-1").await;
        assert_eq!(list(&*aws.publisher, "Klayers-p312-a", "eu-west-1").await.len(), 1);
        assert_eq!(proxy.count(None, Operation::ListLayerVersions), 3);
    }
}

#[tokio::test]
async fn refused_calls_have_error_kind_and_advice() {
    for (answer, kind, text) in [
        (Answer::full(), AwsErrorKind::Full, "CodeStorageExceededException"),
        (Answer::not_opted_in(), AwsErrorKind::Denied, "that the region is enabled"),
        (Answer::expired_token(), AwsErrorKind::Denied, "ExpiredToken"),
    ] {
        let rule = Rule::new(Fault::Answered(answer)).on(Operation::PublishLayerVersion);
        let Some((aws, proxy)) = Aws::with_faults([rule]).await else { return };
        let layer = upload(&aws, "Klayers-p312-a");
        let error = aws.publisher.publish(&region("eu-west-1"), &layer, now()).await.unwrap_err();
        assert!(matches!(&error, PublishError::Aws(error) if *error.kind() == kind), "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.to_string().contains("eu-west-1"), "{error}");
        assert!(error.concerns_region() && !error.is_unclear());
        assert_eq!(proxy.count(None, Operation::PublishLayerVersion), 1);
    }
}

#[tokio::test]
async fn unreachable_endpoint_is_reported() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let config = Account::new().config(&endpoint);
    let regions = [region("eu-west-1")];
    let refused = LambdaPublisher::with_config(&config, AwsOptions::default(), &regions).await;
    let Err(PublishError::Unidentified { source, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(*source.kind(), AwsErrorKind::Unreachable, "{source:?}");
}

#[tokio::test]
async fn pointers_follow_the_latest_version() {
    let Some(endpoint) = localstack() else { return };
    let options = AwsOptions { pointers: true, ..AwsOptions::default() };
    let aws = Aws::at(endpoint, options).await;
    let ssm = aws_sdk_ssm::Client::new(
        &aws.account
            .config(&aws.endpoint)
            .to_builder()
            .region(AwsRegion::from_static("eu-west-1"))
            .build(),
    );
    let read = || async {
        let name = "/klayers/p3.12-arm64/ruamel.yaml/latest";
        let found = ssm.get_parameter().name(name).send().await.ok()?;
        Some(found.parameter?.value.unwrap())
    };
    let (eu, arm) = (region("eu-west-1"), target("p3.12-arm64"));
    let pointed = async || aws.publisher.pointed(&eu, arm, &package("ruamel.yaml")).await.unwrap();
    let layer = upload(&aws, "Klayers-p312-arm64-ruamel-yaml");
    let mut pointer = Pointer {
        region: region("eu-west-1"),
        target: target("p3.12-arm64"),
        package: package("ruamel.yaml"),
        latest: None,
    };
    for _ in 0..2 {
        let arn = publish(&*aws.publisher, &layer, "eu-west-1").await.arn;
        pointer.latest = Some(arn.clone());
        aws.publisher.point(&pointer).await.unwrap();
        assert_eq!(read().await, Some(arn.to_string()));
        assert_eq!(pointed().await, Some(arn.to_string()));
    }
    pointer.latest = None;
    aws.publisher.point(&pointer).await.unwrap();
    aws.publisher.point(&pointer).await.unwrap();
    assert_eq!(read().await, None);
    assert_eq!(pointed().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_respect_rate_limit_of_region() {
    let stub = StubLambda::start(Duration::ZERO).await;
    let aws = Aws::at(stub.url(), AwsOptions::default()).await;
    let begun = tokio::time::Instant::now();
    let name = "Klayers-p312-a".parse().unwrap();
    let place = region("eu-west-1");
    let calls = (0..25).map(|_| aws.publisher.list(&place, &name));
    for outcome in futures::future::join_all(calls).await {
        outcome.unwrap();
    }
    // Five at once, then ten a second: 25 calls take at least two seconds, however fast AWS is.
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
}

/// A large layer and buckets in all regions. The rules apply after the buckets were created. The
/// deadline of a call is short.
async fn through_s3(
    rules: impl IntoIterator<Item = Rule>,
) -> Option<(Aws, FaultProxy, LayerUpload)> {
    let proxy = FaultProxy::start(&localstack()?, []).await;
    // Bucket names are unique across accounts.
    let account = Account::new();
    let bucket = |region: &str| format!("klayers-{region}-{}", account.id());
    let options = AwsOptions {
        bucket: Some(bucket("{region}")),
        in_request: 10,
        deadline: Duration::from_secs(10),
        ..AwsOptions::default()
    };
    let aws = Aws::at(proxy.url(), options).await;
    for name in REGIONS {
        let constraint = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(name.into())
            .build();
        let made = aws.s3(name).create_bucket().bucket(bucket(name));
        let constraint = (name != "us-east-1").then_some(constraint);
        made.set_create_bucket_configuration(constraint).send().await.unwrap();
    }
    let layer = large(&aws, 3 << 20);
    proxy.set_rules(rules);
    Some((aws, proxy, layer))
}

/// A zip with one uncompressed file.
fn large(aws: &Aws, size: usize) -> LayerUpload {
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("python/large.py", stored).unwrap();
    zip.write_all(&vec![b'#'; size]).unwrap();
    let content = zip.finish().unwrap().into_inner();
    let digest = Digest::of(&content);
    let zip = aws.zips().join("large.zip");
    std::fs::write(&zip, &content).unwrap();
    let of = upload(aws, "Klayers-p312-large");
    LayerUpload { zip, digest, size: content.len() as u64, ..of }
}

fn now() -> klayers_core::Timestamp {
    at("2026-11-01T02:20:00Z")
}
