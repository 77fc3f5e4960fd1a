//! The publisher to a folder: the conformance suite, and tests of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use klayers_publish::{FolderPublisher, PublishError, Publisher};
use tempfile::TempDir;

use crate::conformance::publisher::{Home, list, listed, publish, publisher_promises, upload};
use crate::samples::region;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("published")
    }
}

impl Home for Folder {
    fn open(&self) -> Arc<dyn Publisher> {
        Arc::new(FolderPublisher::open(self.root()).unwrap())
    }

    fn zips(&self) -> &Path {
        self.0.path()
    }
}

publisher_promises!(Folder::new());

#[tokio::test]
async fn content_is_stored_once_and_outlives_the_upload() {
    let home = Folder::new();
    let publisher = home.open();
    let layer = upload(&home, "Klayers-p312-a");
    let stored = home.root().join(format!("content/{}.zip", layer.digest));
    let published = publish(&*publisher, &layer, "eu-west-1").await;
    assert!(published.arn.to_string().contains(":000000000000:"));
    std::fs::write(&stored, "cut").unwrap();
    publish(&*publisher, &layer, "us-east-1").await;
    let content = std::fs::read(&layer.zip).unwrap();
    std::fs::remove_file(&layer.zip).unwrap();
    assert_eq!(std::fs::read(&stored).unwrap(), content);
    publish(&*publisher, &layer, "us-west-2").await;
    assert_eq!(std::fs::read_dir(home.root().join("content")).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(home.root().join("staging")).unwrap().count(), 0);
}

#[tokio::test]
async fn record_describes_the_publication() {
    let home = Folder::new();
    let layer = upload(&home, "Klayers-p312-a");
    let published = publish(&*home.open(), &layer, "eu-west-1").await;
    let record = home.root().join("eu-west-1/Klayers-p312-a/1.json");
    insta::assert_snapshot!("published", std::fs::read_to_string(&record).unwrap());
    home.open().delete(&published.arn).await.unwrap();
    insta::assert_snapshot!("deleted", std::fs::read_to_string(&record).unwrap());
}

#[tokio::test]
async fn other_files_are_ignored_and_damaged_records_are_named() {
    let home = Folder::new();
    let publisher = home.open();
    let layer = upload(&home, "Klayers-p312-a");
    let published = publish(&*publisher, &layer, "eu-west-1").await;
    let folder = home.root().join("eu-west-1/Klayers-p312-a");
    for name in ["0.json", "x.json", "8.json~", ".DS_Store", "99999999999999999999.json"] {
        std::fs::write(folder.join(name), "{}").unwrap();
    }
    assert_eq!(
        list(&*publisher, "Klayers-p312-a", "eu-west-1").await,
        [listed(&published, &layer)]
    );

    let damaged = folder.join("5.json");
    std::fs::write(&damaged, "{").unwrap();
    let listed = publisher.list(&region("eu-west-1"), &layer.name).await;
    match listed.unwrap_err() {
        PublishError::Record { path, .. } => assert_eq!(path, damaged),
        other => panic!("{other:?}"),
    }
    // The number of the damaged record is still taken.
    assert_eq!(publish(&*publisher, &layer, "eu-west-1").await.arn.version(), 6);
}
