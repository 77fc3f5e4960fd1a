//! The artifacts in a folder: the conformance suite, and tests of its own.

use std::sync::Arc;

use klayers_catalog::artifacts::{ArtifactError, Artifacts, FolderArtifacts};
use klayers_core::Digest;
use tempfile::TempDir;

use crate::conformance::artifacts::{Home, artifacts_promises, read, staged};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Home for Folder {
    fn open(&self) -> Arc<dyn Artifacts> {
        Arc::new(FolderArtifacts::open(self.0.path().join("a/rtifacts")).unwrap())
    }
}

artifacts_promises!(Folder::new());

#[tokio::test]
async fn truncated_file_is_replaced() {
    let home = Folder::new();
    let artifacts = home.open();
    let digest = Digest::of(b"whole");
    for damage in [&b""[..], b"whol", b"holes"] {
        artifacts.put(staged(&*artifacts, b"whole"), digest).await.unwrap();
        let stored = artifacts.get(digest).await.unwrap();
        std::fs::write(stored.path(), damage).unwrap();
    }
    artifacts.put(staged(&*artifacts, b"whole"), digest).await.unwrap();
    assert_eq!(read(&*artifacts, digest).await, b"whole");
}

#[tokio::test]
async fn unwritable_path_is_named() {
    let home = Folder::new();
    let artifacts = home.open();
    let digest = Digest::of(b"zip");
    let folder = artifacts.staging().with_file_name(&digest.to_string()[..2]);
    std::fs::write(&folder, "in the way").unwrap();
    let file = staged(&*artifacts, b"zip");
    match artifacts.put(file, digest).await.unwrap_err() {
        ArtifactError::Io { path, .. } => assert_eq!(path, folder),
        other => panic!("{other:?}"),
    }
    let in_the_way = FolderArtifacts::open(&folder).unwrap_err();
    assert!(matches!(in_the_way, ArtifactError::Io { .. }), "{in_the_way:?}");
    assert_eq!(std::fs::read_dir(artifacts.staging()).unwrap().count(), 0);
}
