//! Faults of AWS and the network.

use std::collections::BTreeMap;

use klayers_core::Status;
use url::Url;

use super::{Collection, REGIONS, ready};
use crate::support::aws::{Account, Answer, Contents, Fault, FaultProxy, Operation, Rule};

/// A proxy, together with the runtime that serves it.
pub(crate) struct Served {
    runtime: tokio::runtime::Runtime,
    pub(crate) proxy: FaultProxy,
}

impl Served {
    pub(crate) fn before(upstream: &Url, rules: impl IntoIterator<Item = Rule>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let proxy = runtime.block_on(FaultProxy::start(upstream, rules));
        Self { runtime, proxy }
    }

    pub(crate) fn published(&self) -> usize {
        self.proxy.count(None, Operation::PublishLayerVersion)
    }

    /// Waits until AWS has finished all requests.
    pub(crate) fn settle(&self) {
        self.runtime.block_on(self.proxy.idle());
    }
}

#[test]
fn first_run_publishes_everything_once_and_second_run_nothing() {
    let Some(upstream) = ready() else { return };
    let served = Served::before(&upstream, []);
    let collection = Collection::new(&REGIONS);
    let first = collection.run(&["run"], &served.proxy.url()).ended_with(0);
    assert!(first.stderr.contains("68 layer versions published"), "{}", first.stderr);
    assert_eq!(served.published(), 68);
    collection.agrees(&upstream, Contents::Downloaded);

    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    assert_eq!(served.published(), 68);

    collection.change();
    collection.run(&["run", "--package", "alpha"], &served.proxy.url()).ended_with(0);
    assert_eq!(served.published(), 68 + 34);
    let deprecated =
        collection.recorded().iter().filter(|version| version.status != Status::Latest).count();
    assert_eq!(deprecated, 34);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn lost_answers_do_not_double_publications() {
    let Some(upstream) = ready() else { return };
    for fault in
        [Fault::AnswerDropped, Fault::AnswerCut, Fault::AnswerReplaced(Answer::service_error())]
    {
        let rule = Rule::new(fault).on(Operation::PublishLayerVersion);
        let served = Served::before(&upstream, [rule]);
        let collection = Collection::new(&REGIONS);
        collection.run(&["run"], &served.proxy.url()).ended_with(0);
        assert_eq!(served.published(), 68);
        collection.agrees(&upstream, Contents::Listed);
    }
}

#[test]
fn request_that_never_reached_aws_is_published_again() {
    let Some(upstream) = ready() else { return };
    let rule = Rule::new(Fault::Refuse).on(Operation::PublishLayerVersion).times(1);
    let served = Served::before(&upstream, [rule]);
    let collection = Collection::new(&REGIONS[..2]);
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn next_run_settles_region_that_did_not_answer() {
    let Some(upstream) = ready() else { return };
    let lost = [
        Rule::new(Fault::AnswerDropped).in_region("eu-west-1").on(Operation::PublishLayerVersion),
        Rule::new(Fault::Refuse).in_region("eu-west-1").on(Operation::ListLayerVersions),
    ];
    let served = Served::before(&upstream, lost);
    let collection = Collection::new(&["eu-west-1", "eu-west-2"]);
    let first = collection.run(&["run"], &served.proxy.url()).ended_with(1);
    assert!(first.stderr.contains("eu-west-1"), "{}", first.stderr);
    served.settle();
    served.proxy.set_rules([]);
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    assert_eq!(served.published(), 4);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn regions_fail_independently_and_are_caught_up() {
    let Some(upstream) = ready() else { return };
    let answered = |answer, region| Rule::new(Fault::Answered(answer)).in_region(region);
    let refusals = [
        answered(Answer::throttled(1), "eu-west-1").on(Operation::PublishLayerVersion),
        answered(Answer::full(), "eu-west-2").on(Operation::PublishLayerVersion),
        answered(Answer::not_opted_in(), "me-south-1"),
    ];
    let served = Served::before(&upstream, refusals);
    let collection = Collection::new(&REGIONS);
    let first = collection.run(&["run"], &served.proxy.url()).ended_with(1);
    for (region, reason) in [
        ("eu-west-1", "TooManyRequestsException"),
        ("eu-west-2", "CodeStorageExceededException"),
        ("me-south-1", "UnrecognizedClientException"),
    ] {
        let told = first.stderr.lines().any(|line| {
            line.starts_with("error: ") && line.contains(region) && line.contains(reason)
        });
        assert!(told, "{region}: {}", first.stderr);
    }
    assert!(first.stderr.contains("throttled for "), "{}", first.stderr);
    // A closed region is reported once during the run, and once at its end.
    for region in ["eu-west-1", "eu-west-2", "me-south-1"] {
        let closed = |line: &&str| {
            line.starts_with("warning: region closed") && line.contains(&format!("region={region}"))
        };
        assert_eq!(first.stderr.lines().filter(closed).count(), 1, "{}", first.stderr);
    }
    let mut missing: BTreeMap<&str, usize> = REGIONS.map(|region| (region, 2)).into();
    for version in collection.recorded() {
        *missing.get_mut(version.region().as_str()).unwrap() -= 1;
    }
    missing.retain(|_, layers| *layers > 0);
    assert_eq!(missing, BTreeMap::from([("eu-west-1", 2), ("eu-west-2", 2), ("me-south-1", 2)]));

    served.proxy.set_rules([]);
    let before = served.published();
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    assert_eq!(served.published() - before, 6);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn unreachable_region_is_reported_and_caught_up() {
    let Some(upstream) = ready() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let collection = Collection::new(&["eu-west-1"]);
    let mut command = collection.command(&["run"], &upstream);
    command.env("AWS_ENDPOINT_URL_LAMBDA", nobody);
    let outcome = collection.home.finish(command.spawn().unwrap()).ended_with(1);
    assert!(outcome.stderr.contains("could not connect"), "{}", outcome.stderr);
    assert!(collection.recorded().is_empty());
    collection.run(&["run"], &upstream).ended_with(0);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn version_with_wrong_hash_is_never_made_public() {
    let Some(upstream) = ready() else { return };
    // An answer like Lambda's, except for the hash.
    let answer = |number: u64| {
        let arn =
            format!("arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p312-be-ta:{number}");
        serde_json::json!({
            "LayerVersionArn": arn,
            "Version": number,
            "CreatedDate": "2026-11-01T02:20:00.123+0000",
            "Content": {
                "CodeSha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                "CodeSize": 1,
            },
        })
        .to_string()
    };
    let rule = Rule::new(Fault::AnswerReplaced(Answer::created(&answer(1))))
        .on(Operation::PublishLayerVersion);
    let served = Served::before(&upstream, [rule]);
    let collection = Collection::new(&["eu-west-1"]);
    let outcome = collection.run(&["run", "--package", "be.ta"], &served.proxy.url()).ended_with(1);
    assert!(outcome.stderr.contains("should have the SHA-256"), "{}", outcome.stderr);
    assert_eq!(served.proxy.count(None, Operation::AddLayerVersionPermission), 0);
    assert!(collection.recorded().is_empty());
}

#[test]
fn run_without_credentials_does_nothing() {
    let Some(upstream) = ready() else { return };
    let collection = Collection::new(&["eu-west-1"]);
    let mut command = collection.command(&["run"], &upstream);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let outcome = collection.home.finish(command.spawn().unwrap()).ended_with(2);
    assert!(outcome.stderr.contains("no valid AWS credentials for the partition aws"));
    assert!(!collection.home.path("artifacts").exists());

    let expired = Rule::new(Fault::Answered(Answer::expired_token())).on(Operation::Sts);
    let served = Served::before(&upstream, [expired]);
    let outcome = collection.run(&["run"], &served.proxy.url()).ended_with(2);
    assert!(outcome.stderr.contains("ExpiredToken"), "{}", outcome.stderr);
    assert_eq!(served.published(), 0);
    assert_ne!(collection.account, Account::new());
}
