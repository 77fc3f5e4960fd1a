//! The end of layer versions.

use super::*;

pub(crate) async fn latest_version_is_never_deleted(home: &impl Home) {
    let catalog = home.open();
    let build = build("p3.12", "requests", "2.32.5");
    publish(&*catalog, &build, "eu-west-1", 1).await;
    for number in [1, 2] {
        let arn = arn(&build, "eu-west-1", number);
        let error = catalog.begin_deletion(&arn, expiry()).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotDeletable(which) if which == arn));
    }
    assert_eq!(all(&*catalog).await, [published(&build, "eu-west-1", 1)]);
}

pub(crate) async fn deletion_keeps_record_and_first_deletion_time(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    let first = at("2027-11-07T02:00:00.5Z");
    for time in [first, at("2027-12-05T02:00:00Z")] {
        catalog.begin_deletion(&arn(&old, "eu-west-1", 1), time).await.unwrap();
    }
    let versions = all(&*catalog).await;
    assert_eq!(versions[0], published(&new, "eu-west-1", 2));
    assert_eq!(versions[1].arn, arn(&old, "eu-west-1", 1));
    assert_eq!(versions[1].status, Status::Deleted { at: first });
    // Its number is not free again: a published version stays recorded.
    catalog.complete(&published(&old, "eu-west-1", 1), expiry()).await.unwrap();
    assert_eq!(all(&*catalog).await, versions);
}

pub(crate) async fn deletion_is_under_way_until_it_ends(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    for arn in [&arns[1], &arns[0]] {
        catalog.begin_deletion(arn, expiry()).await.unwrap();
        // Beginning again is not a second deletion.
        catalog.begin_deletion(arn, expiry()).await.unwrap();
    }
    assert_eq!(home.open().deletions_under_way().await.unwrap(), arns[..2]);
    for _ in 0..2 {
        catalog.end_deletion(&arns[0]).await.unwrap();
        assert_eq!(catalog.deletions_under_way().await.unwrap(), arns[1..2]);
    }
    catalog.end_deletion(&arns[1]).await.unwrap();
    catalog.end_deletion(&arns[2]).await.unwrap();
    assert_eq!(catalog.deletions_under_way().await.unwrap(), []);
    // A deletion that has ended does not begin again.
    catalog.begin_deletion(&arns[0], expiry()).await.unwrap();
    assert_eq!(catalog.deletions_under_way().await.unwrap(), []);
    let latest = catalog.layer_version(&arns[2]).await.unwrap().unwrap();
    assert_eq!(latest.status, Status::Latest);
}

pub(crate) async fn expired_versions_are_listed_until_deleted(home: &impl Home) {
    let catalog = home.open();
    let requests = three(&*catalog, "requests").await;
    let numpy = three(&*catalog, "numpy").await;
    let just_before = at("2027-11-01T01:59:59.999999999Z");
    assert_eq!(catalog.expired(just_before).await.unwrap(), []);
    let told = async || -> Vec<LayerVersionArn> {
        let versions = catalog.expired(expiry()).await.unwrap();
        versions.into_iter().map(|version| version.arn).collect()
    };
    let newest_first = [&numpy[1], &numpy[0], &requests[1], &requests[0]];
    assert_eq!(told().await, newest_first.map(Clone::clone));
    catalog.begin_deletion(&numpy[1], expiry()).await.unwrap();
    assert_eq!(
        told().await,
        newest_first[1..].iter().map(|arn| (*arn).clone()).collect::<Vec<_>>()
    );
}

pub(crate) async fn withdrawing_latest_makes_previous_version_latest(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    publish(&*catalog, &build("p3.12", "requests", "3"), "us-east-1", 3).await;
    let latest = catalog.yank(&arns[2], &broken(), later()).await.unwrap().unwrap();
    assert_eq!((&latest.arn, &latest.status), (&arns[1], &Status::Latest));
    let withdrawn = catalog.layer_version(&arns[2]).await.unwrap().unwrap();
    let status = Status::Deprecated { expires_at: later(), yanked: Some(broken()) };
    assert_eq!(withdrawn.status, status);
    let oldest = catalog.layer_version(&arns[0]).await.unwrap().unwrap();
    assert_eq!(oldest.expires_at(), Some(expiry()));
    // Other regions are not affected.
    let query = Query { region: Some(region("us-east-1")), ..Query::default() };
    assert_eq!(catalog.layer_versions(&query).await.unwrap().len(), 1);
    // The next publication supersedes the version that became the latest again.
    publish(&*catalog, &build("p3.12", "requests", "4"), "eu-west-1", 4).await;
    let superseded = catalog.layer_version(&arns[1]).await.unwrap().unwrap();
    assert_eq!(superseded.status, Status::Deprecated { expires_at: expiry(), yanked: None });
}

pub(crate) async fn withdrawing_older_version_keeps_latest(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    let latest = catalog.yank(&arns[0], &broken(), later()).await.unwrap().unwrap();
    assert_eq!((&latest.arn, &latest.status), (&arns[2], &Status::Latest));
    let withdrawn = catalog.layer_version(&arns[0]).await.unwrap().unwrap();
    // It expires at its original time, not later.
    let status = Status::Deprecated { expires_at: expiry(), yanked: Some(broken()) };
    assert_eq!(withdrawn.status, status);
}

pub(crate) async fn withdrawing_twice_equals_withdrawing_once(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    let first = catalog.yank(&arns[2], &broken(), later()).await.unwrap();
    let before = all(&*catalog).await;
    let other = Yank { reason: "another".to_owned(), at: at("2027-01-01T00:00:00Z") };
    let again = catalog.yank(&arns[2], &other, at("2030-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(all(&*catalog).await, before);
}

pub(crate) async fn withdrawn_version_does_not_become_latest_again(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    catalog.yank(&arns[1], &broken(), later()).await.unwrap();
    let latest = catalog.yank(&arns[2], &broken(), later()).await.unwrap().unwrap();
    assert_eq!(latest.arn, arns[0]);
    assert_eq!(catalog.yank(&arns[0], &broken(), later()).await.unwrap(), None);
    assert_eq!(catalog.layer_versions(&Query::default()).await.unwrap(), []);
    // Nor does a deleted version.
    let numpy = three(&*catalog, "numpy").await;
    for arn in &numpy[..2] {
        catalog.begin_deletion(arn, expiry()).await.unwrap();
    }
    assert_eq!(catalog.yank(&numpy[2], &broken(), later()).await.unwrap(), None);
}

pub(crate) async fn missing_version_cannot_be_withdrawn(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    catalog.begin_deletion(&arns[0], expiry()).await.unwrap();
    let unknown = arn(&build("p3.12", "requests", "9"), "eu-west-1", 9);
    for arn in [&arns[0], &unknown] {
        let error = catalog.yank(arn, &broken(), later()).await.unwrap_err();
        assert!(matches!(&error, CatalogError::NotYankable(which) if which == arn), "{error:?}");
    }
    assert_eq!(catalog.yanked_builds(target("p3.12")).await.unwrap(), []);
}

pub(crate) async fn withdrawn_builds_are_listed_after_deletion(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    publish(&*catalog, &build("p3.12", "requests", "3"), "us-east-1", 1).await;
    three(&*catalog, "numpy").await;
    for arn in [&arns[2], &arn(&build("p3.12", "requests", "3"), "us-east-1", 1)] {
        catalog.yank(arn, &broken(), later()).await.unwrap();
    }
    let told = async |key: &str| catalog.yanked_builds(target(key)).await.unwrap();
    // A build that was withdrawn in two regions is listed once.
    let withdrawn = [build("p3.12", "requests", "3")];
    assert_eq!(told("p3.12").await, withdrawn);
    catalog.begin_deletion(&arns[2], expiry()).await.unwrap();
    assert_eq!(told("p3.12").await, withdrawn);
    assert_eq!(told("p3.12-arm64").await, []);
}

pub(crate) async fn lost_version_is_deleted_and_lost_latest_is_replaced(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    let lost_at = at("2026-12-01T00:00:00Z");
    catalog.yank(&arns[1], &broken(), later()).await.unwrap();
    // A withdrawn version is skipped.
    let latest = catalog.record_loss(&arns[2], lost_at).await.unwrap().unwrap();
    assert_eq!((&latest.arn, &latest.status), (&arns[0], &Status::Latest));
    let lost = catalog.layer_version(&arns[2]).await.unwrap().unwrap();
    assert_eq!(lost.status, Status::Deleted { at: lost_at });
    // It is gone, so there is nothing to delete.
    assert_eq!(catalog.deletions_under_way().await.unwrap(), []);
    let latest = catalog.record_loss(&arns[1], lost_at).await.unwrap().unwrap();
    assert_eq!(latest.arn, arns[0]);
    let before = all(&*catalog).await;
    catalog.record_loss(&arns[2], expiry()).await.unwrap();
    assert_eq!(all(&*catalog).await, before);
    assert_eq!(catalog.record_loss(&arns[0], lost_at).await.unwrap(), None);

    let unknown = arn(&build("p3.12", "requests", "9"), "eu-west-1", 9);
    let error = catalog.record_loss(&unknown, lost_at).await.unwrap_err();
    assert!(matches!(error, CatalogError::Unknown(which) if which == unknown));
}

/// Publishes three versions of a layer in one region. Returns them from oldest to latest.
pub(super) async fn three(catalog: &dyn Catalog, name: &str) -> [LayerVersionArn; 3] {
    let mut number = 0;
    let mut arns = Vec::new();
    for version in ["1", "2", "3"] {
        number += 1;
        let build = build("p3.12", name, version);
        publish(catalog, &build, "eu-west-1", number).await;
        arns.push(arn(&build, "eu-west-1", number));
    }
    arns.try_into().unwrap()
}

fn broken() -> Yank {
    Yank { reason: "it is 'broken'; sorry".to_owned(), at: at("2026-11-20T10:00:00.5Z") }
}

/// When a withdrawn version expires: later than a superseded one.
fn later() -> Timestamp {
    at("2027-11-20T10:00:00.5Z")
}
