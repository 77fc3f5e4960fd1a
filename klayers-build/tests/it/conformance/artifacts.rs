//! The conformance suite of artifact stores.

use std::io::Write as _;
use std::sync::Arc;

use klayers_catalog::artifacts::{ArtifactError, Artifacts};
use klayers_core::Digest;
use tempfile::{NamedTempFile, TempPath};

/// The place of a store. Everything opened there is the same store.
pub(crate) trait Home {
    fn open(&self) -> Arc<dyn Artifacts>;
}

/// Defines the tests of an artifact store. The expression creates a home.
macro_rules! artifacts_promises {
    ($home:expr) => {
        $crate::conformance::promises! {
            $home; artifacts:
            stored_file_can_be_read,
            file_that_was_never_stored_is_missing,
            storing_twice_equals_storing_once,
            file_with_wrong_digest_is_refused,
            files_from_other_file_systems_are_accepted,
            same_file_can_be_stored_concurrently,
            reopened_store_has_same_files,
        }
    };
}

pub(crate) use artifacts_promises;

pub(crate) async fn stored_file_can_be_read(home: &impl Home) {
    let artifacts = home.open();
    for content in [&b""[..], b"zip", &vec![7; 300_000]] {
        let file = staged(&*artifacts, content);
        let path = file.to_path_buf();
        artifacts.put(file, Digest::of(content)).await.unwrap();
        assert!(!path.exists());
        assert!(artifacts.contains(Digest::of(content)).await.unwrap());
        assert_eq!(read(&*artifacts, Digest::of(content)).await, content);
    }
}

pub(crate) async fn file_that_was_never_stored_is_missing(home: &impl Home) {
    let artifacts = home.open();
    let digest = Digest::of(b"never put");
    assert!(!artifacts.contains(digest).await.unwrap());
    let error = artifacts.get(digest).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Missing(missing) if missing == digest));
}

pub(crate) async fn storing_twice_equals_storing_once(home: &impl Home) {
    let artifacts = home.open();
    let digest = Digest::of(b"zip");
    for _ in 0..2 {
        let file = staged(&*artifacts, b"zip");
        let path = file.to_path_buf();
        artifacts.put(file, digest).await.unwrap();
        assert!(!path.exists());
        assert_eq!(read(&*artifacts, digest).await, b"zip");
    }
}

pub(crate) async fn file_with_wrong_digest_is_refused(home: &impl Home) {
    let artifacts = home.open();
    let (claimed, real) = (Digest::of(b"whole"), Digest::of(b"whol"));
    let error = artifacts.put(staged(&*artifacts, b"whol"), claimed).await.unwrap_err();
    assert!(
        matches!(error, ArtifactError::Mismatch { digest, actual } if (digest, actual) == (claimed, real))
    );
    for digest in [claimed, real] {
        assert!(!artifacts.contains(digest).await.unwrap());
    }
}

pub(crate) async fn files_from_other_file_systems_are_accepted(home: &impl Home) {
    let artifacts = home.open();
    // On Linux, shared memory is a separate file system.
    for folder in ["/dev/shm".into(), std::env::temp_dir()] {
        if let Ok(mut file) = NamedTempFile::new_in(&folder) {
            let content = folder.display().to_string().into_bytes();
            file.write_all(&content).unwrap();
            let file = file.into_temp_path();
            let path = file.to_path_buf();
            artifacts.put(file, Digest::of(&content)).await.unwrap();
            assert!(!path.exists());
            assert_eq!(read(&*artifacts, Digest::of(&content)).await, content);
        }
    }
}

pub(crate) async fn same_file_can_be_stored_concurrently(home: &impl Home) {
    let content = vec![42; 100_000];
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let artifacts = home.open();
            let file = staged(&*artifacts, &content);
            let digest = Digest::of(&content);
            tokio::spawn(async move {
                artifacts.put(file, digest).await.unwrap();
                read(&*artifacts, digest).await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), content);
    }
}

pub(crate) async fn reopened_store_has_same_files(home: &impl Home) {
    let artifacts = home.open();
    artifacts.put(staged(&*artifacts, b"zip"), Digest::of(b"zip")).await.unwrap();
    drop(artifacts);
    assert_eq!(read(&*home.open(), Digest::of(b"zip")).await, b"zip");
}

pub(crate) fn staged(artifacts: &dyn Artifacts, content: &[u8]) -> TempPath {
    let mut file = NamedTempFile::new_in(artifacts.staging()).unwrap();
    file.write_all(content).unwrap();
    file.into_temp_path()
}

pub(crate) async fn read(artifacts: &dyn Artifacts, digest: Digest) -> Vec<u8> {
    let artifact = artifacts.get(digest).await.unwrap();
    std::fs::read(artifact.path()).unwrap()
}
