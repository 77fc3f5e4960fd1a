//! Reconciling with a publisher that fails or gives wrong answers.

use std::time::Duration;

use klayers_build::Error;
use klayers_build::pipeline::{DifferenceKind, Reconciler, Repairs};
use klayers_core::{LayerVersionArn, Yank};
use klayers_publish::{Pointer, PublishError, Publisher as _};

use super::{disturbed, reconciler};
use crate::samples::{intent, package, region, target};
use crate::support::faulty::Faulty;
use crate::support::staged::{Staged, days, now, sound};

#[tokio::test]
async fn closed_region_does_not_prevent_comparing_others() {
    let staged = disturbed().await;
    let arn = staged.publish(&sound("lost", "1"), "us-east-1", days(-9), days(1)).await;
    staged.publisher.delete(&arn).await.unwrap();
    let publisher = Faulty::closed_in(&staged.publisher, region("eu-west-1"));
    let reconciler = Reconciler { publisher: publisher.clone(), ..reconciler(&staged) };
    let regions = [region("eu-west-1"), region("us-east-1")];
    let mut found = reconciler.reconcile(&regions, Repairs::Careful, now()).await.unwrap();
    let closed = found.remove(&regions[0]).unwrap().unwrap_err();
    assert!(matches!(closed, Error::Publish(PublishError::Closed { .. })), "{closed:?}");
    let seen = found.remove(&regions[1]).unwrap().unwrap();
    let lost = seen.differences.iter().find(|reconciled| reconciled.difference.arn == arn);
    let lost = lost.unwrap();
    assert_eq!(lost.difference.kind, DifferenceKind::Missing { latest: true });
    assert!(lost.is_repaired());
    // There is no latest version to point to.
    let moved = publisher.faults().moved.clone();
    let pointer = moved.iter().find(|pointer| pointer.package.normalized() == "lost").unwrap();
    assert_eq!(pointer.latest, None);
}

#[tokio::test]
async fn pointers_are_compared_and_repaired_on_request() {
    let staged = Staged::new("");
    let publisher = Faulty::closed_in(&staged.publisher, region("us-east-1"));
    let layers =
        [staged.three("right", "eu-west-1").await, staged.three("wrong", "eu-west-1").await];
    let absent = staged.three("absent", "eu-west-1").await;
    let stray = staged.publish(&sound("stray", "1"), "eu-west-1", days(-1), days(1)).await;
    let yank = Yank { reason: "x".to_owned(), at: now() };
    staged.catalog.yank(&stray, &yank, days(9)).await.unwrap();
    let lost = staged.publish(&sound("lost", "1"), "eu-west-1", days(-9), days(1)).await;
    staged.publisher.delete(&lost).await.unwrap();
    let being_published = sound("begun", "1");
    staged.publish(&being_published, "eu-west-1", days(-9), days(1)).await;
    staged.catalog.begin(&intent(&being_published, "eu-west-1")).await.unwrap();
    for (name, latest) in
        [("right", &layers[0][2]), ("wrong", &layers[1][0]), ("stray", &stray), ("lost", &lost)]
    {
        let latest = Some(latest.clone());
        let (region, target) = (region("eu-west-1"), target("p3.12"));
        let pointer = Pointer { region, target, package: package(name), latest };
        publisher.point(&pointer).await.unwrap();
    }
    let reconciler = Reconciler { publisher: publisher.clone(), ..reconciler(&staged) };
    let told = async |repairs| {
        let regions = [region("eu-west-1")];
        let found = reconciler.reconcile(&regions, repairs, now()).await.unwrap();
        let found = found.into_values().next().unwrap().unwrap();
        assert!(found.differences.iter().all(|it| it.is_repaired() == (repairs != Repairs::None)));
        found.differences.iter().map(|it| it.difference.to_string()).collect::<Vec<_>>()
    };
    let expected = [
        format!("pointer {}: the latest, and there is no pointer to it", absent[2]),
        format!("missing {lost}: recorded as the latest"),
        format!("pointer {stray}: no latest is left, but the pointer says \"{stray}\""),
        format!("pointer {}: the latest, but the pointer says \"{}\"", layers[1][2], layers[1][0]),
    ];
    for repairs in [Repairs::None, Repairs::Careful] {
        assert_eq!(told(repairs).await, expected);
    }
    assert_eq!(told(Repairs::None).await, [""; 0]);
}

#[tokio::test]
async fn single_wrong_answer_does_not_condemn_version() {
    // How often the version is not found, how often its content is reported wrong, whether lists
    // contain it, and whether it can be compared at all.
    for (not_found, other_content, is_listed, is_compared) in [
        (1, 0, true, true),
        (0, 1, true, true),
        (1, 0, false, true),
        (9, 0, true, false),
        (0, 9, true, false),
        (1, 9, true, false),
    ] {
        let staged = Staged::new("");
        let [_, before, latest] = staged.three("requests", "eu-west-1").await;
        staged.three("numpy", "eu-west-1").await;
        let recorded = staged.recorded().await;
        let publisher = Faulty::new(&staged.publisher, Duration::ZERO);
        for arn in [&before, &latest] {
            let mut faults = publisher.faults();
            faults.not_found.insert(arn.clone(), not_found);
            faults.other_content.insert(arn.clone(), other_content);
            if !is_listed {
                faults.unlisted.insert(arn.clone());
            }
        }
        let reconciler = Reconciler { publisher: publisher.clone(), ..reconciler(&staged) };
        let regions = [region("eu-west-1")];
        let repairs = Repairs::DeletingOrphans;
        let found = reconciler.reconcile(&regions, repairs, now()).await.unwrap();
        let found = found.into_values().next().unwrap().unwrap();
        assert!(found.differences.is_empty(), "{found:?}");
        let failed: Vec<&LayerVersionArn> = found.failed.iter().map(|(arn, _)| arn).collect();
        let expected = if is_compared { vec![] } else { vec![&before, &latest] };
        assert_eq!(failed, expected, "{not_found} {other_content} {is_listed}");
        for (_, error) in &found.failed {
            let error = error.to_string();
            assert!(error.contains("contradict each other"), "{error}");
        }
        assert_eq!(staged.recorded().await, recorded);
        assert_eq!(staged.there("eu-west-1").await.len(), 6);
    }
}

#[tokio::test]
async fn repairs_in_closed_region_are_tried_once() {
    let staged = Staged::new("");
    staged.three("requests", "eu-west-1").await;
    for version in ["4", "5", "6"] {
        staged.publish_unrecorded(&sound("requests", version), "eu-west-1", days(-9)).await;
    }
    let publisher = Faulty::new(&staged.publisher, Duration::ZERO);
    publisher.faults().refuses_deletions = true;
    let reconciler = Reconciler { publisher: publisher.clone(), ..reconciler(&staged) };
    let regions = [region("eu-west-1")];
    let found = reconciler.reconcile(&regions, Repairs::DeletingOrphans, now()).await.unwrap();
    let found = found.into_values().next().unwrap().unwrap();
    assert_eq!(found.differences.len(), 3, "{found:?}");
    for reconciled in &found.differences {
        let error = reconciled.outcome.as_ref().unwrap().as_ref().unwrap_err();
        assert!(error.to_string().contains("deletions are refused"), "{error}");
    }
    assert_eq!(publisher.faults().deletions, 1);
}
