//! `klayers-pipeline expire`: deletes expired versions, and nothing else.

use jiff::SignedDuration;
use klayers_build::Error;
use klayers_build::pipeline::{Expirer, ExpiryError, ExpiryPlan, ExpiryScope};
use klayers_build::plan::Selection;
use klayers_core::{LayerVersionArn, Timestamp};
use klayers_publish::PublishError;

use crate::samples::{digest, package, region};
use crate::support::aws::localstack;
use crate::support::faulty::Faulty;
use crate::support::places::{for_each_visit, places_in, say_killed, visited};
use crate::support::staged::{Staged, days, now, short, sound};

fn scope() -> ExpiryScope {
    ExpiryScope { selection: Selection::default(), keep: 1, limit: 500, trust_clock: false }
}

#[tokio::test]
async fn expired_versions_are_deleted_and_others_kept() {
    let staged = Staged::new("");
    let europe = staged.three("requests", "eu-west-1").await;
    let america = staged.three("requests", "us-east-1").await;
    let before = staged.recorded().await;
    for _ in 0..2 {
        let planned = staged.home.run(&["expire", "--dry-run"]).ended_with(0);
        assert_eq!(planned.stdout.lines().count(), 2);
        for arn in [&europe[0], &america[0]] {
            let line = format!("{arn}: delete requests 1, expired ");
            assert!(planned.stdout.contains(&line), "{}", planned.stdout);
        }
        assert_eq!(planned.stderr, "2 layer versions to delete, 0 left\n");
        assert_eq!(staged.recorded().await, before);
    }

    let done = staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(done.stdout, format!("deleted {}\ndeleted {}\n", europe[0], america[0]));
    assert_eq!(done.stderr, "2 layer versions deleted, 0 left, 0 failed\n");
    assert_eq!(
        staged.recorded().await,
        [
            "eu-west-1 requests 3 latest",
            "eu-west-1 requests 2 deprecated",
            "eu-west-1 requests 1 deleted",
            "us-east-1 requests 3 latest",
            "us-east-1 requests 2 deprecated",
            "us-east-1 requests 1 deleted",
        ]
    );
    assert_eq!(staged.there("eu-west-1").await, ["eu-west-1 requests 3", "eu-west-1 requests 2"]);
    assert_eq!(staged.catalog.deletions_under_way().await.unwrap(), []);
    assert_eq!(staged.catalog.lease().await.unwrap(), None);

    let again = staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(again.stdout, "");
    assert_eq!(again.stderr, "0 layer versions deleted, 0 left, 0 failed\n");
}

#[tokio::test]
async fn selection_limit_and_configuration_restrict_expiry() {
    let staged = Staged::new("[expiry]\nlimit = 1");
    for name in ["requests", "numpy"] {
        for place in ["eu-west-1", "us-east-1"] {
            staged.three(name, place).await;
        }
    }
    let deleted = |arguments: &[&str]| {
        let done = staged.home.run(&[&["expire"], arguments].concat()).ended_with(0);
        let arns = done.stdout.lines().map(|line| line.strip_prefix("deleted ").unwrap());
        let short = arns.map(|arn| short(&arn.parse().unwrap())).collect::<Vec<_>>().join(", ");
        (short, done.stderr)
    };
    assert_eq!(deleted(&["--target", "p3.13"]).0, "");
    assert_eq!(
        deleted(&["--package", "NumPy", "--limit", "9", "--region", "us-east-1"]).0,
        "us-east-1 numpy 1"
    );
    assert_eq!(deleted(&["--limit", "0"]).0, "");
    // The version that is overdue longest. The others are reported.
    let (first, said) = deleted(&[]);
    assert_eq!(first, "eu-west-1 requests 1");
    assert_eq!(
        said,
        "note: 2 more are due, beyond the limit; expire again, or raise --limit\n\
         1 layer versions deleted, 2 left, 0 failed\n"
    );
    let json = staged.home.run(&["expire", "--dry-run", "--json", "--limit", "5"]).ended_with(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json["due"].as_array().unwrap().len(), &json["left"]), (2, &0.into()));
    let json = staged.home.run(&["expire", "--json", "--limit", "5"]).ended_with(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["deleted"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn configured_number_of_newest_versions_is_kept() {
    let staged = Staged::new("[expiry]\nkeep = 3");
    staged.three("requests", "eu-west-1").await;
    staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(staged.there("eu-west-1").await.len(), 3);
    // A deleted version does not count.
    staged.publish(&sound("requests", "4"), "eu-west-1", days(0), days(10)).await;
    let done = staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(done.stderr, "1 layer versions deleted, 0 left, 0 failed\n");
    assert_eq!(staged.there("eu-west-1").await.len(), 3);
}

#[tokio::test]
async fn killed_expiry_is_completed_by_the_next() {
    let killed = kill_everywhere(async || Staged::new("")).await;
    say_killed("an expiry", killed);
}

#[tokio::test]
async fn in_aws_killed_expiry_is_completed_by_the_next() {
    let Some(endpoint) = localstack() else { return };
    let killed = kill_everywhere(async || Staged::in_aws("", &endpoint).await).await;
    say_killed("an expiry in AWS", killed);
}

/// Kills expiries of a collection that starts empty, at every visit of every failpoint.
async fn kill_everywhere(empty: impl AsyncFn() -> Staged + Sync) -> usize {
    let stage = async || {
        let staged = empty().await;
        for place in ["eu-west-1", "us-east-1"] {
            staged.three("requests", place).await;
            staged.three("numpy", place).await;
        }
        staged
    };
    let undisturbed = stage().await;
    let visits = undisturbed.visits(&["expire"], 0);
    assert_eq!(visited(&visits), places_in(&["pipeline/expiry.rs"]));
    assert!(visits.contains(&"deletion recorded:4".to_owned()), "{visits:?}");
    let expected = undisturbed.recorded().await;
    let mut there = Vec::new();
    for place in ["eu-west-1", "us-east-1"] {
        there.extend(undisturbed.there(place).await);
    }
    undisturbed.agrees_with_boto3().await;
    for_each_visit(&visits, async |visit| {
        let staged = stage().await;
        staged.kill_at(&["expire"], visit);
        // It did not give its lease back. Another process on this machine does not need to wait for
        // it.
        assert!(staged.catalog.lease().await.unwrap().is_some());
        staged.home.run(&["expire"]).ended_with(0);
        assert_eq!(staged.recorded().await, expected, "killed at {visit}");
        assert_eq!(staged.catalog.deletions_under_way().await.unwrap(), []);
        assert_eq!(staged.catalog.lease().await.unwrap(), None);
        let mut left = Vec::new();
        for place in ["eu-west-1", "us-east-1"] {
            left.extend(staged.there(place).await);
        }
        assert_eq!(left, there, "killed at {visit}");
        staged.agrees_with_boto3().await;
    });
    visits.len()
}

#[tokio::test]
async fn in_aws_expired_versions_are_deleted_and_others_kept() {
    let Some(endpoint) = localstack() else { return };
    let staged = Staged::in_aws("[publish]\npublic = true", &endpoint).await;
    let [old, ..] = staged.three("requests", "eu-west-1").await;
    // A version that is already gone counts as deleted.
    let [gone, ..] = staged.three("numpy", "us-east-1").await;
    staged.publisher.delete(&gone).await.unwrap();
    let planned = staged.home.run(&["expire", "--dry-run"]).ended_with(0);
    assert_eq!(planned.stderr, "2 layer versions to delete, 0 left\n");
    assert_eq!(staged.there("eu-west-1").await.len(), 3);

    let done = staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(done.stdout, format!("deleted {old}\ndeleted {gone}\n"));
    assert_eq!(staged.there("eu-west-1").await, ["eu-west-1 requests 3", "eu-west-1 requests 2"]);
    staged.agrees_with_boto3().await;
    let again = staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(again.stderr, "0 layer versions deleted, 0 left, 0 failed\n");
}

#[tokio::test]
async fn interrupted_deletion_is_reported_and_repeated() {
    let staged = Staged::new("");
    let [old, ..] = staged.three("requests", "eu-west-1").await;
    staged.catalog.begin_deletion(&old, now()).await.unwrap();
    let planned = staged.home.run(&["expire", "--dry-run"]).ended_with(0);
    assert_eq!(
        planned.stdout,
        format!("{old}: delete again, an earlier deletion was interrupted\n")
    );
    let elsewhere = staged.home.run(&["expire", "--region", "us-east-1"]).ended_with(0);
    assert_eq!(elsewhere.stdout, "");
    // A version that is already gone counts as deleted.
    staged.publisher.delete(&old).await.unwrap();
    let done = staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(done.stdout, format!("deleted {old}\n"));
}

#[tokio::test]
async fn implausible_clock_is_refused() {
    let staged = Staged::new("");
    let arns = staged.three("requests", "eu-west-1").await;
    let newest = staged.catalog.newest_time().await.unwrap().unwrap();
    let plan = async |now: Timestamp, scope: &ExpiryScope| {
        ExpiryPlan::new(&*staged.catalog, scope, now).await
    };
    let hours = SignedDuration::from_hours;
    let day_before = newest - hours(24);
    assert_eq!(plan(day_before, &scope()).await.unwrap().due.len(), 1);
    match plan(day_before - hours(1), &scope()).await.unwrap_err() {
        Error::Expiry(ExpiryError::ClockBehind { newest: told, .. }) => assert_eq!(told, newest),
        other => panic!("{other:?}"),
    }
    let half_a_year_later = newest + hours(180 * 24);
    assert_eq!(plan(half_a_year_later, &scope()).await.unwrap().due.len(), 2);
    let error = plan(half_a_year_later + hours(1), &scope()).await.unwrap_err();
    assert!(matches!(error, Error::Expiry(ExpiryError::ClockAhead { .. })), "{error:?}");
    let trusting = ExpiryScope { trust_clock: true, ..scope() };
    // A latest version is never due, whatever the clock says.
    let due = plan(Timestamp::MAX, &trusting).await.unwrap().due;
    assert_eq!(due.iter().map(|version| &version.arn).collect::<Vec<_>>(), [&arns[0], &arns[1]]);
    // An inactive collection with nothing to delete is no reason for an error.
    let nothing = ExpiryScope { keep: 9, ..scope() };
    assert!(plan(Timestamp::MAX, &nothing).await.unwrap().is_empty());

    let future = staged.publish(&sound("numpy", "1"), "eu-west-1", days(3), days(10)).await;
    let before = staged.recorded().await;
    for arguments in [&["expire"][..], &["expire", "--dry-run"]] {
        let refused = staged.home.run(arguments).ended_with(2);
        assert!(
            refused.stderr.contains("nothing was deleted: set the clock"),
            "{}",
            refused.stderr
        );
        assert_eq!(refused.stdout, "");
    }
    assert_eq!(staged.recorded().await, before);
    staged.home.run(&["expire", "--trust-clock"]).ended_with(0);
    assert!(staged.recorded().await.contains(&format!("{} latest", short(&future))));
}

#[tokio::test]
async fn refusing_region_does_not_stop_expiry_elsewhere() {
    let staged = Staged::new("");
    for place in ["eu-west-1", "us-east-1"] {
        staged.three("requests", place).await;
        staged.three("numpy", place).await;
    }
    let publisher = Faulty::closed_in(&staged.publisher, region("us-east-1"));
    let expirer = Expirer { catalog: staged.catalog.clone(), publisher };
    let plan = ExpiryPlan::new(&*staged.catalog, &scope(), now()).await.unwrap();
    let outcomes = expirer.expire(plan, now()).await;
    assert_eq!(outcomes[&region("eu-west-1")].deleted.len(), 2);
    let refused = &outcomes[&region("us-east-1")];
    assert_eq!((refused.deleted.len(), refused.failed.len(), refused.not_tried), (0, 1, 1));
    assert!(refused.failed[0].1.to_string().contains("it is closed"));
    // The deletion that began there is no longer listed, and the next expiry completes it.
    let under_way = staged.catalog.deletions_under_way().await.unwrap();
    assert_eq!(under_way.len(), 1);
    staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(staged.there("us-east-1").await.len(), 4);
    assert_eq!(staged.catalog.deletions_under_way().await.unwrap(), []);
}

#[tokio::test]
async fn latest_or_unexpected_content_is_not_deleted() {
    let staged = Staged::new("");
    let [old, _, latest] = staged.three("requests", "eu-west-1").await;
    let expirer = Expirer { catalog: staged.catalog.clone(), publisher: staged.publisher.clone() };
    // No plan contains these.
    let version = staged.catalog.layer_version(&latest).await.unwrap().unwrap();
    let wrong = ExpiryPlan { under_way: vec![latest.clone()], due: vec![version], left: 0 };
    let before = staged.recorded().await;
    let outcome = expirer.expire(wrong, now()).await.remove(&region("eu-west-1")).unwrap();
    assert_eq!(outcome.failed.len(), 2);
    for (_, error) in &outcome.failed {
        assert!(matches!(error, Error::Expiry(ExpiryError::Latest(arn)) if **arn == latest));
    }
    assert_eq!(staged.recorded().await, before);

    let record = staged.home.path("published/eu-west-1/Klayers-p312-requests/1.json");
    let changed = std::fs::read_to_string(&record)
        .unwrap()
        .replace(&digest(&sound("requests", "1")).to_string(), &"0".repeat(64));
    std::fs::write(&record, changed).unwrap();
    let refused = staged.home.run(&["expire"]).ended_with(1);
    assert!(refused.stderr.contains("it was not deleted: check it"), "{}", refused.stderr);
    // The layer version is named once.
    assert_eq!(refused.stderr.matches("error: ").count(), 1, "{}", refused.stderr);
    assert_eq!(refused.stderr.matches("requests:1").count(), 1, "{}", refused.stderr);
    assert_eq!(refused.stderr.lines().count(), 2, "{}", refused.stderr);
    assert_eq!(staged.recorded().await, before);
    assert!(staged.there("eu-west-1").await.contains(&short(&old)));
}

#[tokio::test]
async fn version_of_other_account_is_reported_and_kept() {
    let staged = Staged::new("");
    let [.., latest] = staged.three("requests", "eu-west-1").await;
    let foreign: LayerVersionArn =
        latest.to_string().replace("000000000000", "113088814899").parse().unwrap();
    let mut version = staged.catalog.layer_version(&latest).await.unwrap().unwrap();
    version.arn = foreign.clone();
    let plan = ExpiryPlan { due: vec![version], ..ExpiryPlan::default() };
    let expirer = Expirer { catalog: staged.catalog.clone(), publisher: staged.publisher.clone() };
    let outcome = expirer.expire(plan, now()).await.remove(&region("eu-west-1")).unwrap();
    assert!(
        matches!(&outcome.failed[0].1, Error::Publish(PublishError::NotOurs(arn)) if *arn == foreign)
    );
    assert_eq!(staged.catalog.deletions_under_way().await.unwrap(), []);
}

#[tokio::test]
async fn only_selected_layers_are_planned() {
    let staged = Staged::new("");
    staged.three("requests", "eu-west-1").await;
    staged.three("numpy", "eu-west-1").await;
    let selection = Selection { packages: vec![package("numpy")], ..Selection::default() };
    let scope = ExpiryScope { selection, ..scope() };
    let plan = ExpiryPlan::new(&*staged.catalog, &scope, now()).await.unwrap();
    let due: Vec<String> = plan.due.iter().map(|due| short(&due.arn)).collect();
    assert_eq!(due, ["eu-west-1 numpy 1"]);
}
