//! Tests that a wheel is read once, and that its inventory is trusted only while the file is
//! unchanged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use klayers_core::{Digest, LayerName};
use klayers_layer::LayerError;
use klayers_layer::assemble::LayerZip;
use klayers_layer::builder::Builder;
use klayers_layer::fetch::{FetchedWheel, Fetcher};
use klayers_layer::lock::Lock;
use klayers_layer::verify::{VerifyError, verify};
use klayers_wheel::cached::Inspection;
use klayers_wheel::{Acceptance, Acceptances};

use crate::samples::target;
use crate::support::{WheelFile, lock_of};

/// A wheel in a cache, and its lock.
struct Cached {
    folder: tempfile::TempDir,
    lock: Lock,
    fetched: FetchedWheel,
}

impl Cached {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wheel = WheelFile::new("sample", "1").file("sample.py", "answer = 42\n");
        let lock = lock_of(&[wheel], &folder.path().join("index"), target("p3.12"));
        let mut fetched = fetcher(folder.path()).fetch(&lock).await.unwrap();
        Self { fetched: fetched.remove(0), folder, lock }
    }

    fn inventory(&self) -> PathBuf {
        self.fetched.path.with_extension("inventory")
    }

    fn verify(&self) -> Result<Vec<String>, VerifyError> {
        let (inspection, accepted) = (Inspection::default(), Acceptances::default());
        let wheels = verify(std::slice::from_ref(&self.fetched), &inspection, &accepted)?;
        let files = &wheels[0].inventory().files;
        Ok(files.iter().map(|file| file.path.to_string()).collect())
    }

    /// Changes a byte of the wheel.
    fn damage(&self) {
        let mut bytes = fs::read(&self.fetched.path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&self.fetched.path, bytes).unwrap();
    }

    async fn build(&self) -> Result<LayerZip, LayerError> {
        let name = LayerName::new("Klayers", target("p3.12"), "sample").unwrap();
        let builder = Builder::new(fetcher(self.folder.path()));
        Ok(builder.build(&name, &self.lock, self.folder.path()).await?.zip)
    }
}

fn fetcher(folder: &Path) -> Fetcher {
    Fetcher::new(&folder.join("cache"), None).unwrap()
}

const FILES: [&str; 4] = [
    "sample-1.dist-info/METADATA",
    "sample-1.dist-info/RECORD",
    "sample-1.dist-info/WHEEL",
    "sample.py",
];

#[tokio::test]
async fn inventory_is_stored_beside_the_wheel_and_reused() {
    let cached = Cached::new().await;
    assert!(!cached.inventory().exists());
    assert_eq!(cached.verify().unwrap(), FILES);
    let written = fs::metadata(cached.inventory()).unwrap().modified().unwrap();
    assert_eq!(cached.verify().unwrap(), FILES);
    assert_eq!(fs::metadata(cached.inventory()).unwrap().modified().unwrap(), written);
}

/// Whether a wrong `RECORD` is accepted is decided each time, from the same inventory.
#[tokio::test]
async fn changed_acceptances_apply_without_reading_the_wheel_again() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let wheel = bad_wheels::Wheel::sample().record(|_| String::new());
    let path = index.join(bad_wheels::FILENAME);
    fs::create_dir_all(&index).unwrap();
    fs::write(&path, wheel.bytes()).unwrap();
    let (url, sha256) = (url::Url::from_file_path(&path).unwrap(), Digest::of(&wheel.bytes()));
    let lock = format!(
        "lock-version = \"1.0\"\n[[packages]]\nname = \"sample\"\nversion = \"1.0\"\n\
         wheels = [{{ url = \"{url}\", hashes = {{ sha256 = \"{sha256}\" }} }}]\n"
    );
    let lock = crate::support::parse(&lock, target("p3.12"));
    let fetched = fetcher(folder.path()).fetch(&lock).await.unwrap();
    let accepting: Acceptances =
        [("sample".parse().unwrap(), Acceptance::Record)].into_iter().collect();
    let inspection = Inspection::default();
    let refused = || match verify(&fetched, &inspection, &Acceptances::default()).map(drop) {
        Err(VerifyError::Wheel(error)) => error.rule().to_string(),
        other => panic!("{other:?}"),
    };
    let inventory = fetched[0].path.with_extension("inventory");
    let written = || fs::metadata(&inventory).unwrap().modified().unwrap();
    let said = refused();
    let first = written();
    let wheels = verify(&fetched, &inspection, &accepting).unwrap();
    assert_eq!(wheels[0].inventory().record_faults.count(), 4);
    assert_eq!(refused(), said);
    assert_eq!(written(), first);
}

#[tokio::test]
async fn truncated_or_foreign_inventory_is_made_again() {
    let cached = Cached::new().await;
    cached.verify().unwrap();
    let whole = fs::read(cached.inventory()).unwrap();
    for spoilt in [&b""[..], b"klayers inventory 9\n", &whole[..whole.len() - 1], b"{}"] {
        fs::write(cached.inventory(), spoilt).unwrap();
        assert_eq!(cached.verify().unwrap(), FILES);
        assert_ne!(fs::read(cached.inventory()).unwrap(), spoilt);
    }
    fs::remove_file(cached.inventory()).unwrap();
    fs::create_dir(cached.inventory()).unwrap();
    assert_eq!(cached.verify().unwrap(), FILES);
}

#[tokio::test]
async fn wheel_with_changed_times_is_read_again() {
    let cached = Cached::new().await;
    cached.verify().unwrap();
    let before = fs::read(cached.inventory()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&cached.fetched.path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    assert_eq!(cached.verify().unwrap(), FILES);
    assert_ne!(fs::read(cached.inventory()).unwrap(), before);
}

#[tokio::test]
async fn wheel_with_other_bytes_than_locked_is_not_parsed() {
    let cached = Cached::new().await;
    cached.verify().unwrap();
    for bytes in [b"no archive at all".to_vec(), Vec::new()] {
        fs::write(&cached.fetched.path, bytes).unwrap();
        let error = cached.verify().unwrap_err();
        assert!(matches!(error, VerifyError::Damaged { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn damaged_wheel_in_the_cache_is_fetched_again() {
    let cached = Cached::new().await;
    let sound = cached.build().await.unwrap();
    cached.damage();
    assert!(matches!(cached.verify().unwrap_err(), VerifyError::Damaged { .. }));
    let again = cached.build().await.unwrap();
    assert_eq!(again.digest, sound.digest);
    assert_eq!(cached.verify().unwrap(), FILES);
}

#[tokio::test]
async fn wheels_are_verified_in_a_read_only_cache() {
    let cached = Cached::new().await;
    let folder = cached.fetched.path.parent().unwrap();
    let writable = fs::metadata(folder).unwrap().permissions();
    let mut read_only = writable.clone();
    read_only.set_readonly(true);
    fs::set_permissions(folder, read_only).unwrap();
    let files = cached.verify();
    fs::set_permissions(folder, writable).unwrap();
    assert_eq!(files.unwrap(), FILES);
}

#[tokio::test]
async fn concurrent_verifications_agree() {
    let cached = Cached::new().await;
    let found: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| cached.verify().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|files| *files == FILES), "{found:?}");
    // The writers left nothing but the inventory.
    let folder = cached.fetched.path.parent().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
}
