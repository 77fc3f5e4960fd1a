//! Tests that wheels are fetched completely or not at all, from servers of every kind.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use klayers_layer::fetch::{FetchError, FetchedWheel, Fetcher, Patience};
use klayers_layer::lock::Lock;
use tempfile::TempDir;
use url::Url;

use crate::samples::target;
use crate::support::server::{Answer, Manner, WheelServer};
use crate::support::{self, WheelFile};

mod answers;
mod logins;
mod sharing;
mod signed;

/// A wheel of about 20 kB that does not compress.
fn wheel(name: &str) -> WheelFile {
    let mut noise = Vec::new();
    let mut state = 1_u32;
    while noise.len() < 20_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.extend_from_slice(&state.to_be_bytes()[..2]);
    }
    WheelFile::new(name, "1.0").file(&format!("{name}.bin"), noise)
}

/// A separate cache.
struct Cache(TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn fetcher(&self) -> Fetcher {
        self.with_patience(Duration::from_millis(500))
    }

    /// A fetcher that waits so long for a server that even on a busy machine it does not repeat a
    /// request.
    fn patient_fetcher(&self) -> Fetcher {
        self.with_patience(Duration::from_mins(1))
    }

    fn with_patience(&self, silence: Duration) -> Fetcher {
        let patience = Patience { silence, ..Patience::default() };
        Fetcher::with_patience(self.0.path(), None, patience).unwrap()
    }

    async fn fetch(&self, lock: &Lock) -> Result<Vec<FetchedWheel>, FetchError> {
        self.fetcher().fetch(lock).await
    }

    /// The complete files, whose content always matches the digest in their names.
    fn whole(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in fs::read_dir(self.0.path().join("wheels")).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let digest = klayers_core::Digest::of(&fs::read(&path).unwrap());
                assert_eq!(path.file_stem().unwrap().to_str().unwrap(), digest.to_string());
                found.push(path);
            }
        }
        found
    }

    /// The sizes of the partial files.
    fn begun(&self) -> Vec<usize> {
        let files = fs::read_dir(self.0.path().join("partial")).unwrap();
        files.map(|file| fs::read(file.unwrap().path()).unwrap().len()).collect()
    }
}

/// The lock of wheels on a server, with their sizes.
fn lock(server: &WheelServer, wheels: &[WheelFile]) -> Lock {
    written(wheels, |wheel| {
        let package = support::package(wheel, &server.url(&wheel.filename()));
        let size = wheel.bytes().len();
        package.replace("hashes =", &format!("size = {size}, hashes ="))
    })
}

/// The lock of wheels on a server, without sizes.
fn lock_without_sizes(server: &WheelServer, wheels: &[WheelFile]) -> Lock {
    written(wheels, |wheel| support::package(wheel, &server.url(&wheel.filename())))
}

fn written(wheels: &[WheelFile], package: impl Fn(&WheelFile) -> String) -> Lock {
    let packages: String = wheels.iter().map(package).collect();
    support::parse(&format!("lock-version = \"1.0\"\n{packages}"), target("p3.12"))
}

fn login(server: &WheelServer, user: &str) -> Url {
    format!("http://{user}@{}/simple/", server.address).parse().unwrap()
}
