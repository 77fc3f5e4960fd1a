//! The conformance suite of publishers.

use std::path::Path;
use std::sync::Arc;

use klayers_core::{Digest, LayerVersionArn};
use klayers_publish::{
    LayerUpload, ListedVersion, PublishError, PublishedVersion, Publisher, stated_digest,
};

use crate::samples::{at, region, target};
use crate::support::empty_zip;

/// The place where layer versions are published. Everything opened there publishes to the same
/// place.
pub(crate) trait Home {
    fn open(&self) -> Arc<dyn Publisher>;

    /// A folder for the zips to publish.
    fn zips(&self) -> &Path;

    /// Whether regions of partitions other than `aws` exist.
    fn has_other_partitions(&self) -> bool {
        true
    }
}

/// Defines the tests of a publisher. The expression creates a home.
macro_rules! publisher_promises {
    ($home:expr) => {
        $crate::conformance::promises! {
            $home; publisher:
            versions_are_numbered_by_layer_and_region,
            versions_are_listed_newest_first,
            layer_without_versions_has_empty_list,
            deleted_version_is_not_listed,
            deleting_missing_version_succeeds,
            numbers_are_never_reused,
            concurrent_publications_get_different_numbers,
            changed_zip_is_not_published,
            versions_of_other_accounts_are_not_deleted,
            reopened_publisher_lists_same_versions,
        }
    };
}

pub(crate) use publisher_promises;

pub(crate) async fn versions_are_numbered_by_layer_and_region(home: &impl Home) {
    let publisher = home.open();
    let (one, other) = (upload(home, "Klayers-p312-a"), upload(home, "Klayers-p312-b"));
    for (layer, place, partition, number) in [
        (&one, "eu-west-1", "aws", 1),
        (&one, "eu-west-1", "aws", 2),
        (&other, "eu-west-1", "aws", 1),
        (&one, "us-east-1", "aws", 1),
        (&one, "cn-north-1", "aws-cn", 1),
        (&one, "eu-west-1", "aws", 3),
    ] {
        if partition != "aws" && !home.has_other_partitions() {
            continue;
        }
        let published = publish(&*publisher, layer, place).await;
        let arn = &published.arn;
        assert_eq!(arn.version(), number, "{arn}");
        assert_eq!((arn.region(), arn.name()), (&region(place), &layer.name));
        assert_eq!(arn.layer().partition().as_str(), partition);
        assert_eq!(published.digest, layer.digest);
    }
}

pub(crate) async fn versions_are_listed_newest_first(home: &impl Home) {
    let publisher = home.open();
    let mut expected = Vec::new();
    // More than ten, because their numbers would sort differently as text.
    for number in 0..12 {
        let layer = upload_of(home, "Klayers-p312-a", &format!("content {number}"));
        expected.insert(0, listed(&publish(&*publisher, &layer, "eu-west-1").await, &layer));
    }
    publish(&*publisher, &upload(home, "Klayers-p312-b"), "eu-west-1").await;
    assert_eq!(list(&*publisher, "Klayers-p312-a", "eu-west-1").await, expected);
}

pub(crate) async fn layer_without_versions_has_empty_list(home: &impl Home) {
    let publisher = home.open();
    publish(&*publisher, &upload(home, "Klayers-p312-a"), "eu-west-1").await;
    assert_eq!(list(&*publisher, "Klayers-p312-b", "eu-west-1").await, []);
    assert_eq!(list(&*publisher, "Klayers-p312-a", "eu-west-2").await, []);
}

pub(crate) async fn deleted_version_is_not_listed(home: &impl Home) {
    let publisher = home.open();
    let layer = upload(home, "Klayers-p312-a");
    let mut versions = Vec::new();
    for _ in 0..3 {
        versions.insert(0, listed(&publish(&*publisher, &layer, "eu-west-1").await, &layer));
    }
    publisher.delete(&versions.remove(1).arn).await.unwrap();
    assert_eq!(list(&*publisher, "Klayers-p312-a", "eu-west-1").await, versions);
}

pub(crate) async fn deleting_missing_version_succeeds(home: &impl Home) {
    let publisher = home.open();
    let layer = upload(home, "Klayers-p312-a");
    let published = publish(&*publisher, &layer, "eu-west-1").await.arn;
    let later = published.layer().clone().version(7.try_into().unwrap());
    for arn in [&later, &published, &published] {
        publisher.delete(arn).await.unwrap();
    }
    assert_eq!(list(&*publisher, "Klayers-p312-a", "eu-west-1").await, []);
}

pub(crate) async fn numbers_are_never_reused(home: &impl Home) {
    let layer = upload(home, "Klayers-p312-a");
    for number in 1..=4 {
        let publisher = home.open();
        let published = publish(&*publisher, &layer, "eu-west-1").await;
        assert_eq!(published.arn.version(), number);
        publisher.delete(&published.arn).await.unwrap();
    }
}

pub(crate) async fn concurrent_publications_get_different_numbers(home: &impl Home) {
    let layer = upload(home, "Klayers-p312-a");
    let tasks: Vec<_> = (0..24)
        .map(|_| {
            let (publisher, layer) = (home.open(), layer.clone());
            tokio::spawn(async move {
                let published = publish(&*publisher, &layer, "eu-west-1").await;
                // A deletion must not free a number for other publications.
                if published.arn.version() % 3 == 0 {
                    publisher.delete(&published.arn).await.unwrap();
                }
                published.arn.version()
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=24).collect::<Vec<u64>>());
    let listed = list(&*home.open(), "Klayers-p312-a", "eu-west-1").await;
    assert_eq!(listed.len(), 16);
}

pub(crate) async fn changed_zip_is_not_published(home: &impl Home) {
    let publisher = home.open();
    let layer = upload(home, "Klayers-p312-a");
    std::fs::write(&layer.zip, "changed").unwrap();
    let error = publisher.publish(&region("eu-west-1"), &layer, now()).await.unwrap_err();
    assert!(
        matches!(error, PublishError::Mismatch { digest, .. } if digest == layer.digest),
        "{error:?}"
    );
    assert_eq!(list(&*publisher, "Klayers-p312-a", "eu-west-1").await, []);
}

pub(crate) async fn versions_of_other_accounts_are_not_deleted(home: &impl Home) {
    let arn: LayerVersionArn =
        "arn:aws:lambda:eu-west-1:113088814899:layer:Klayers-p312-a:1".parse().unwrap();
    let error = home.open().delete(&arn).await.unwrap_err();
    assert!(matches!(error, PublishError::NotOurs(which) if which == arn));
}

pub(crate) async fn reopened_publisher_lists_same_versions(home: &impl Home) {
    let publisher = home.open();
    let layer = upload(home, "Klayers-p312-a");
    let deleted = publish(&*publisher, &layer, "eu-west-1").await;
    let kept = publish(&*publisher, &layer, "eu-west-1").await;
    publisher.delete(&deleted.arn).await.unwrap();
    drop(publisher);
    assert_eq!(list(&*home.open(), "Klayers-p312-a", "eu-west-1").await, [listed(&kept, &layer)]);
}

/// The version as a list contains it.
pub(crate) fn listed(published: &PublishedVersion, layer: &LayerUpload) -> ListedVersion {
    assert_eq!(stated_digest(&layer.description), Some(published.digest));
    ListedVersion {
        arn: published.arn.clone(),
        description: layer.description.clone(),
        created_at: published.created_at,
    }
}

pub(crate) fn upload(home: &impl Home, name: &str) -> LayerUpload {
    upload_of(home, name, name)
}

/// An upload of a zip that is empty except for a comment.
fn upload_of(home: &impl Home, name: &str, comment: &str) -> LayerUpload {
    let content = empty_zip(comment);
    let digest = Digest::of(&content);
    let zip = home.zips().join(format!("{digest}.zip"));
    std::fs::write(&zip, &content).unwrap();
    LayerUpload {
        name: name.parse().unwrap(),
        target: target("p3.12"),
        description: format!("{name} | sha256:{digest}"),
        license: Some("MIT".to_owned()),
        zip,
        digest,
        size: content.len() as u64,
    }
}

pub(crate) async fn publish(
    publisher: &dyn Publisher,
    layer: &LayerUpload,
    place: &str,
) -> PublishedVersion {
    publisher.publish(&region(place), layer, now()).await.unwrap()
}

pub(crate) async fn list(
    publisher: &dyn Publisher,
    layer: &str,
    place: &str,
) -> Vec<ListedVersion> {
    publisher.list(&region(place), &layer.parse().unwrap()).await.unwrap()
}

fn now() -> klayers_core::Timestamp {
    at("2026-11-01T02:20:00.123456789Z")
}
