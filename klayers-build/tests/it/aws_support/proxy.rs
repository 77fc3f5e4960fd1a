//! The proxy injects exactly the requested faults.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::{Caller, LAYER, SHORT, body, zip};
use crate::support::aws::{Account, Answer, Fault, FaultProxy, Operation, Rule, StubLambda};

const PUBLISH: Operation = Operation::PublishLayerVersion;
const REGION: &str = "eu-west-1";

/// A proxy with rules in front of a stub.
async fn start(rules: impl IntoIterator<Item = Rule>) -> (StubLambda, FaultProxy, Caller) {
    let upstream = StubLambda::start(Duration::ZERO).await;
    let proxy = FaultProxy::start(&upstream.url(), rules).await;
    let caller = Caller::new(&proxy.url(), &Account::new(), REGION);
    (upstream, proxy, caller)
}

/// A fault of the first publication.
fn once(fault: Fault) -> Rule {
    Rule::new(fault).on(PUBLISH).times(1)
}

#[tokio::test]
async fn calls_without_rule_pass_and_are_counted() {
    let (_upstream, proxy, caller) = start([]).await;
    let request = caller.publish(&zip(10)).build().unwrap();
    let length = request.body().unwrap().as_bytes().unwrap().len() as u64;
    caller.client.execute(request).await.unwrap();
    assert_eq!(caller.versions().await, [1]);

    assert_eq!(proxy.count(Some(REGION), PUBLISH), 1);
    assert_eq!(proxy.count(Some("eu-west-2"), PUBLISH), 0);
    assert_eq!(proxy.received(None, PUBLISH), length);
    let log = proxy.log();
    let applied: Vec<u16> = log.iter().map(|passed| passed.applied.unwrap().as_u16()).collect();
    assert_eq!(applied, [201, 200]);
    assert!(log.iter().all(|passed| passed.fault == Fault::Pass), "{log:?}");
}

#[tokio::test]
async fn refused_call_does_not_reach_aws() {
    let (upstream, proxy, caller) = start([once(Fault::Refuse)]).await;
    assert!(caller.publish(&zip(10)).send().await.is_err());
    assert_eq!(upstream.count(None, PUBLISH), 0);
    assert_eq!((proxy.log()[0].applied, proxy.log()[0].received), (None, 0));
    caller.published(&zip(10)).await;
}

#[tokio::test]
async fn call_with_dropped_answer_was_carried_out() {
    let (_upstream, proxy, caller) = start([once(Fault::AnswerDropped)]).await;
    assert!(caller.publish(&zip(10)).send().await.is_err());
    assert_eq!(proxy.log()[0].applied.unwrap(), 201);
    assert_eq!(caller.versions().await, [1]);
}

#[tokio::test]
async fn cut_answer_ends_in_its_body() {
    let (_upstream, _proxy, caller) = start([once(Fault::AnswerCut)]).await;
    let answer = caller.publish(&zip(10)).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert!(answer.bytes().await.is_err());
    assert_eq!(caller.versions().await, [1]);
}

#[tokio::test]
async fn replaced_answer_hides_the_result() {
    let fault = Fault::AnswerReplaced(Answer::service_error());
    let (_upstream, _proxy, caller) = start([once(fault)]).await;
    assert_eq!(caller.publish(&zip(10)).send().await.unwrap().status(), 500);
    assert_eq!(caller.versions().await, [1]);
}

#[tokio::test]
async fn delayed_answer_is_correct() {
    let (upstream, _proxy, caller) = start([once(Fault::AnswerDelayed(SHORT))]).await;
    let begun = Instant::now();
    caller.published(&zip(10)).await;
    assert!(begun.elapsed() >= SHORT);
    assert_eq!(upstream.count(None, PUBLISH), 1);
}

#[tokio::test]
async fn delayed_request_arrives_after_caller_has_gone() {
    let (upstream, proxy, caller) = start([once(Fault::Delayed(2 * SHORT))]).await;
    let request = caller.publish(&zip(10)).timeout(SHORT);
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(upstream.count(None, PUBLISH), 0);
    proxy.idle().await;
    assert_eq!(upstream.count(None, PUBLISH), 1);
    assert_eq!(caller.versions().await, [1]);
}

#[tokio::test]
async fn aws_errors_have_type_and_headers() {
    let answers = [
        (Answer::throttled(7), 429, "TooManyRequestsException", Some("7")),
        (Answer::full(), 400, "CodeStorageExceededException", None),
        (Answer::not_opted_in(), 403, "UnrecognizedClientException", None),
        (Answer::service_error(), 500, "ServiceException", None),
        (Answer::expired_token(), 403, "ExpiredTokenException", None),
    ];
    for (answer, status, kind, wait) in answers {
        let (upstream, _proxy, caller) = start([once(Fault::Answered(answer))]).await;
        let answer = caller.publish(&zip(10)).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["x-amzn-errortype"], kind);
        let told = answer.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(told, wait);
        assert!(body(answer).await["message"].is_string());
        assert_eq!(upstream.count(None, PUBLISH), 0);
    }
}

#[tokio::test]
async fn rules_apply_in_order_and_by_region() {
    let pass = Rule::new(Fault::Pass).on(PUBLISH).times(1);
    let throttled = Rule::new(Fault::Answered(Answer::throttled(1))).in_region(REGION);
    let rules = [pass, throttled, once(Fault::AnswerDropped)];
    let (_upstream, proxy, caller) = start(rules).await;
    let other = Caller::new(&proxy.url(), &caller.account, "eu-west-2");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        for caller in [&caller, &other] {
            let answer = caller.publish(&zip(10)).send().await;
            statuses.push(answer.map_or(0, |answer| answer.status().as_u16()));
        }
    }
    assert_eq!(statuses, [201, 201, 429, 0, 429, 201]);
    proxy.set_rules([]);
    assert_eq!(caller.versions().await, [1]);
    assert_eq!(other.versions().await, [3, 2, 1]);
}

#[tokio::test]
async fn largest_requests_pass() {
    let (_upstream, proxy, caller) = start([]).await;
    let zip = zip(50 << 20);
    assert_eq!(caller.published(&zip).await["Content"]["CodeSize"], zip.len());
    assert!(proxy.received(Some(REGION), PUBLISH) > 66 << 20);
}

#[tokio::test]
async fn doubled_request_is_carried_out_twice() {
    let (_upstream, _proxy, caller) = start([once(Fault::Doubled)]).await;
    assert_eq!(caller.published(&zip(10)).await["Version"], 2);
    assert_eq!(caller.versions().await, [2, 1]);
}

#[tokio::test]
async fn stale_list_is_the_list_before_the_last_change() {
    let (_upstream, proxy, caller) = start([]).await;
    for expected in [[].as_slice(), &[1], &[2, 1]] {
        assert_eq!(caller.versions().await, expected);
        caller.published(&zip(10)).await;
    }
    proxy.set_rules([Rule::new(Fault::Stale).times(1)]);
    assert_eq!(caller.versions().await, [1]);
    assert_eq!(caller.versions().await, [3, 2, 1]);
}

#[tokio::test]
async fn empty_page_has_marker_of_next_page() {
    let (_upstream, _proxy, caller) = start([Rule::new(Fault::EmptyPage)]).await;
    caller.published(&zip(10)).await;
    let page = caller.get(&format!("/{LAYER}/versions?MaxItems=2")).await;
    assert_eq!(page["LayerVersions"], serde_json::json!([]));
    let marker = page["NextMarker"].as_str().unwrap();
    let next = caller.get(&format!("/{LAYER}/versions?MaxItems=2&Marker={marker}")).await;
    assert_eq!(next["LayerVersions"][0]["Version"], 1, "{next}");
}

#[tokio::test]
async fn silence_lasts_until_the_proxy_speaks() {
    let (upstream, proxy, caller) = start([Rule::new(Fault::Silent)]).await;
    let request = caller.publish(&zip(10)).timeout(SHORT);
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(upstream.count(None, PUBLISH), 0);
    let bytes = zip(10);
    let (version, ()) = tokio::join!(caller.published(&bytes), async {
        while proxy.count(None, PUBLISH) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        proxy.speak();
    });
    // The request that was given up was not carried out.
    assert_eq!(version["Version"], 1);
}

#[tokio::test]
async fn rule_can_select_the_nth_call() {
    let (_upstream, _proxy, caller) = start([Rule::new(Fault::Refuse).on(PUBLISH).nth(2)]).await;
    let mut done = Vec::new();
    for _ in 0..3 {
        done.push(caller.publish(&zip(10)).send().await.is_ok());
    }
    assert_eq!(done, [true, false, true]);
}

#[tokio::test]
async fn random_faults_are_determined_by_seed() {
    let mut logs = Vec::new();
    for seed in [1, 1, 2] {
        let quick = StubLambda::start(Duration::ZERO).await;
        let proxy = FaultProxy::start(&quick.url(), [Rule::random(seed, 2)]).await;
        let caller = Caller::new(&proxy.url(), &Account::new(), REGION);
        for _ in 0..60 {
            let path = format!("/{LAYER}/versions/1");
            // The result does not matter.
            let _ = caller.lambda(Method::DELETE, &path).timeout(SHORT).send().await;
        }
        logs.push(proxy.log().into_iter().map(|passed| passed.fault).collect::<Vec<_>>());
    }
    let faults = logs[0].iter().filter(|fault| **fault != Fault::Pass).count();
    assert!((15..45).contains(&faults), "{faults} of 60");
    assert_eq!(logs[0], logs[1]);
    assert_ne!(logs[0], logs[2]);
}
