//! Somebody is told what a run did, by a server on loopback.

use std::time::Duration;

use klayers_build::notify::{Notifier, NotifyConfig, NotifyFormat, NotifyOn, SecretUrl};
use klayers_catalog::report::{Failure, RunReport};

use crate::support::hook::{Hook, Taken};

fn notifier(url: &str, format: NotifyFormat, on: NotifyOn) -> Notifier {
    let url = Some(SecretUrl::parse(url).unwrap());
    Notifier::new(&NotifyConfig { url, format, on }).unwrap().with_timeout(Duration::from_secs(1))
}

fn failed(reason: &str) -> RunReport {
    let failure = Failure {
        target: Some("p3.12".parse().unwrap()),
        package: Some("Alpha".parse().unwrap()),
        region: None,
        reason: reason.to_owned(),
        message: None,
        layers: 1,
    };
    let begun = "2026-11-01T02:00:00.123Z".parse().unwrap();
    RunReport { layers: 2, failed: 1, failures: vec![failure], ..RunReport::begin(begun) }
}

#[tokio::test]
async fn a_program_is_told_in_numbers_and_names() {
    let hook = Hook::start([]).await;
    let notifier = notifier(&hook.url(), NotifyFormat::Json, NotifyOn::Failure);
    assert!(notifier.notify(Some(7), &failed("no wheels")).await.unwrap());
    let [body] = &hook.told()[..] else { panic!("not told once") };
    insta::assert_json_snapshot!(body);
}

#[tokio::test]
async fn people_are_told_in_words_that_slack_takes_as_they_are() {
    let hook = Hook::start([]).await;
    let notifier = notifier(&hook.url(), NotifyFormat::Slack, NotifyOn::Failure);
    assert!(notifier.notify(None, &failed("<!channel> & more")).await.unwrap());
    let [body] = &hook.told()[..] else { panic!("not told once") };
    assert_eq!(
        *body,
        serde_json::json!({
            "text": "Klayers run of 2026-11-01T02:00:00Z: failed in part\n\
                     2 layers: 0 built, 0 layer versions published, 0 unchanged, 1 failed\n  \
                     failed     p3.12 Alpha: &lt;!channel&gt; &amp; more"
        })
    );
}

#[tokio::test]
async fn a_message_has_an_end() {
    let hook = Hook::start([]).await;
    let notifier = notifier(&hook.url(), NotifyFormat::Slack, NotifyOn::Failure);
    assert!(notifier.notify(None, &failed(&"ä".repeat(10_000))).await.unwrap());
    let text = hook.told()[0]["text"].as_str().unwrap().to_owned();
    assert_eq!(text.chars().count(), 4_001);
    assert!(text.ends_with("ä…"));
}

#[tokio::test]
async fn who_asks_for_failures_is_not_told_of_others() {
    let hook = Hook::start([]).await;
    let complete = RunReport { failures: Vec::new(), ..failed("") };
    let of_failures = notifier(&hook.url(), NotifyFormat::Json, NotifyOn::Failure);
    assert!(!of_failures.notify(Some(1), &complete).await.unwrap());
    assert_eq!(hook.told().len(), 0);
    let of_all = notifier(&hook.url(), NotifyFormat::Json, NotifyOn::Always);
    assert!(of_all.notify(Some(1), &complete).await.unwrap());
    assert_eq!(hook.told().len(), 1);
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times_and_what_is_refused_once() {
    use Taken::{Elsewhere, Silence, Status};
    for (taken, tries, told) in [
        (&[Status(500), Status(429)][..], 3, true),
        (&[Status(503), Silence], 3, true),
        (&[Status(503), Status(500), Status(502)], 3, false),
        (&[Status(404)], 1, false),
        (&[Elsewhere], 1, false),
    ] {
        let hook = Hook::start(taken.iter().copied()).await;
        let notifier = notifier(&hook.url(), NotifyFormat::Json, NotifyOn::Always);
        let outcome = notifier.notify(Some(1), &failed("")).await;
        assert_eq!(outcome.is_ok(), told, "{taken:?}");
        assert_eq!(hook.told().len(), tries, "{taken:?}");
    }
}

#[tokio::test]
async fn no_error_holds_the_url() {
    let closed = {
        let hook = Hook::start([]).await;
        hook.url()
    };
    let refused = Hook::start([Taken::Status(403)]).await;
    let silent = Hook::start([Taken::Silence; 3]).await;
    for url in [closed, refused.url(), silent.url()] {
        let notifier = notifier(&url, NotifyFormat::Json, NotifyOn::Always);
        let error = notifier.notify(Some(1), &failed("")).await.unwrap_err();
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
        let mut said: Vec<String> = causes.map(ToString::to_string).collect();
        said.extend([format!("{error:?}"), format!("{notifier:?}")]);
        let said = said.join(" ");
        assert!(!said.contains(Hook::SECRET), "{said}");
    }
}
