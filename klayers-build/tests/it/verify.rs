//! A wheel is read through once, and what was found is believed only as long as it is that wheel.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use klayers_build::Error;
use klayers_build::assemble::LayerZip;
use klayers_build::builder::Builder;
use klayers_build::cached::Inspection;
use klayers_build::fetch::{FetchedWheel, Fetcher};
use klayers_build::lock::Lock;
use klayers_build::verify::{VerifyError, verify};
use klayers_build::wheel::{Acceptance, Acceptances};
use klayers_core::{Digest, LayerName};

use crate::samples::target;
use crate::support::{WheelFile, lock_of};

/// A wheel in a cache, and what its lock says.
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

    /// Writes other bytes into the wheel, as many as there were.
    fn damage(&self) {
        let mut bytes = fs::read(&self.fetched.path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&self.fetched.path, bytes).unwrap();
    }

    async fn build(&self) -> Result<LayerZip, Error> {
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
async fn what_was_found_is_kept_beside_the_wheel_and_not_found_again() {
    let cached = Cached::new().await;
    assert!(!cached.inventory().exists());
    assert_eq!(cached.verify().unwrap(), FILES);
    let written = fs::metadata(cached.inventory()).unwrap().modified().unwrap();
    assert_eq!(cached.verify().unwrap(), FILES);
    assert_eq!(fs::metadata(cached.inventory()).unwrap().modified().unwrap(), written);
}

/// Whether a broken `RECORD` is accepted is decided each time, from the one inventory.
#[tokio::test]
async fn changing_what_is_accepted_reads_no_wheel_again_and_bypasses_nothing() {
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
async fn an_inventory_that_is_cut_or_foreign_is_made_again() {
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
async fn a_wheel_that_was_touched_is_read_again() {
    let cached = Cached::new().await;
    cached.verify().unwrap();
    let before = fs::read(cached.inventory()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&cached.fetched.path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    assert_eq!(cached.verify().unwrap(), FILES);
    assert_ne!(fs::read(cached.inventory()).unwrap(), before);
}

#[tokio::test]
async fn other_bytes_than_the_locks_are_not_even_looked_at() {
    let cached = Cached::new().await;
    cached.verify().unwrap();
    for bytes in [b"no archive at all".to_vec(), Vec::new()] {
        fs::write(&cached.fetched.path, bytes).unwrap();
        let error = cached.verify().unwrap_err();
        assert!(matches!(error, VerifyError::Damaged { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_wheel_damaged_in_the_cache_is_fetched_again() {
    let cached = Cached::new().await;
    let sound = cached.build().await.unwrap();
    cached.damage();
    assert!(matches!(cached.verify().unwrap_err(), VerifyError::Damaged { .. }));
    let again = cached.build().await.unwrap();
    assert_eq!(again.digest, sound.digest);
    assert_eq!(cached.verify().unwrap(), FILES);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_to_is_no_obstacle() {
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
async fn many_at_once_come_to_the_same() {
    let cached = Cached::new().await;
    let found: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| cached.verify().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|files| *files == FILES), "{found:?}");
    // Of those that wrote, none left anything but the inventory.
    let folder = cached.fetched.path.parent().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
}
