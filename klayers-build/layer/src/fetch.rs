//! Fetches the wheels of a lock into the cache and verifies them. Also fetches the source
//! distributions of wheels that are built here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use klayers_core::retry::{Attempt, Outcome, RetryPolicy, TransportFailure};
use klayers_core::{Digest, PackageName};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};
use reqwest::{Client, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;
use url::Url;

use crate::index::IndexReader;
use crate::lock::{Lock, LockedWheel, SdistSource};
use crate::sources::Sources;
use klayers_wheel::ContentFile;
use klayers_wheel::cached::CacheLog;
use klayers_wheel::regular;

mod cache;
mod error;
pub mod outcome;
mod patience;

pub use error::{FetchError, Named};
pub use patience::Patience;

use cache::{Kind, Partial, WheelCache};
use patience::Pace;

/// Number of wheels that are fetched at once.
const PARALLEL: usize = 8;
/// The most requests for one file.
const ATTEMPTS: u32 = 4;
/// The longest wait before the second request for a file.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest wait between two requests. If a server asks for a longer one, the file is not
/// fetched.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest file that is accepted if the lock states no size, in bytes.
const LARGEST: u64 = 1 << 30;
/// Buffer size for reading local files, in bytes.
const BUFFER: usize = 1 << 18;

/// Fetches wheels into a cache that concurrent runs and processes share.
#[derive(Clone, Debug)]
pub struct Fetcher {
    cache: WheelCache,
    /// Created when the first wheel is missing: creating it loads the system's certificates.
    client: Arc<OnceCell<Client>>,
    patience: Patience,
    index: IndexReader,
    log: CacheLog,
}

/// A wheel in the cache. Its SHA-256 is the one in the lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FetchedWheel {
    /// The entry of the lock.
    pub wheel: LockedWheel,
    /// The file in the cache.
    pub path: PathBuf,
}

/// A wheel or a source distribution to fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct IndexFile {
    kind: Kind,
    package: PackageName,
    name: String,
    url: Url,
    size: Option<u64>,
    sha256: Digest,
}

impl IndexFile {
    fn wheel(wheel: &LockedWheel) -> Self {
        let LockedWheel { pin, filename, url, size, sha256, .. } = wheel;
        let (name, url, package) = (filename.to_string(), url.clone(), pin.name.clone());
        Self { kind: Kind::Wheel, package, name, url, size: *size, sha256: *sha256 }
    }

    fn sdist(package: &PackageName, sdist: &SdistSource) -> Self {
        let SdistSource { url, size, sha256 } = sdist;
        let (name, url, package) = (sdist.filename(), url.clone(), package.clone());
        Self { kind: Kind::Sdist, package, name, url, size: *size, sha256: *sha256 }
    }
}

impl Fetcher {
    /// Creates a fetcher with its cache in a folder, which is created if missing.
    ///
    /// `index` is the URL of the package index. If that URL contains a user name and password, they
    /// are sent for all wheels on the index's host. A wheel that cannot be fetched from the URL in
    /// its lock is looked up in the index by name: the lock of a layer omits the signature of a
    /// URL, and signatures expire.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created.
    pub fn new(cache: &Path, index: Option<Url>) -> Result<Self, FetchError> {
        Self::with_patience(cache, index, Patience::default())
    }

    /// Like [`new`](Self::new), with other limits for slow servers.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_patience(
        cache: &Path,
        index: Option<Url>,
        patience: Patience,
    ) -> Result<Self, FetchError> {
        let (client, log) = (Arc::default(), CacheLog::default());
        let index = IndexReader::new(&Sources { index_url: index, ..Sources::default() });
        Ok(Self { cache: WheelCache::open(cache)?, client, patience, index, log })
    }

    /// Also looks for wheels and logins in these sources.
    #[must_use]
    pub fn with_sources(self, sources: &Sources) -> Self {
        Self { index: IndexReader::new(sources), ..self }
    }

    async fn client(&self) -> Result<&Client, FetchError> {
        let make = async || {
            Client::builder()
                .user_agent(concat!("klayers-pipeline/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(self.patience.silence)
                .build()
                .map_err(FetchError::Client)
        };
        self.client.get_or_try_init(make).await
    }

    /// Fetches those wheels of a lock that are not in the cache, several at once. Returns them in
    /// the order of the lock.
    ///
    /// # Errors
    ///
    /// The first error. Wheels that were complete by then stay in the cache; partial files stay as
    /// well, and a later call continues them.
    pub async fn fetch(&self, lock: &Lock) -> Result<Vec<FetchedWheel>, FetchError> {
        stream::iter(lock.wheels())
            .map(|wheel| self.fetch_one(wheel))
            .buffered(PARALLEL)
            .try_collect()
            .await
    }

    async fn fetch_one(&self, wheel: &LockedWheel) -> Result<FetchedWheel, FetchError> {
        let path = match (self.kept(wheel)?, &wheel.built_from) {
            (Some(path), _) => path,
            (None, None) => self.fetch_anywhere(IndexFile::wheel(wheel)).await?,
            (None, Some(source)) => {
                let (wheel, source_file) = (wheel.filename.clone().into(), source.filename());
                return Err(FetchError::Built { wheel, source_file });
            }
        };
        Ok(FetchedWheel { wheel: wheel.clone(), path })
    }

    /// Returns the path of a wheel in the cache, if it is there.
    fn kept(&self, wheel: &LockedWheel) -> Result<Option<PathBuf>, FetchError> {
        self.cache.get(Kind::Wheel, wheel.sha256, wheel.size, &self.log)
    }

    /// Fetches a source distribution, unless it is in the cache.
    ///
    /// # Errors
    ///
    /// If it cannot be fetched, or has another SHA-256.
    pub async fn fetch_sdist(
        &self,
        package: &PackageName,
        sdist: &SdistSource,
    ) -> Result<PathBuf, FetchError> {
        match self.cache.get(Kind::Sdist, sdist.sha256, sdist.size, &self.log)? {
            Some(path) => Ok(path),
            None => self.fetch_anywhere(IndexFile::sdist(package, sdist)).await,
        }
    }

    /// Returns the path of a wheel that was built here, if it is in the cache and still has the
    /// bytes that were built. The bytes are checked because uv hashes such a wheel anew, and would
    /// write the wrong hash into the lock.
    pub(crate) async fn cached_build(
        &self,
        sha256: Digest,
        size: Option<u64>,
    ) -> Result<Option<PathBuf>, FetchError> {
        let Some(path) = self.cache.get(Kind::Wheel, sha256, size, &self.log)? else {
            return Ok(None);
        };
        let hashed = path.clone();
        let file = tokio::task::spawn_blocking(move || {
            let file = ContentFile::open(&hashed)?;
            let found = file.digest()?;
            Ok((file, found))
        });
        let file = file.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let (file, found) = file.map_err(|source| FetchError::io("read", &path, source))?;
        if found == sha256 {
            return Ok(Some(path));
        }
        self.log.add(&path);
        file.changed().remove().map_err(|source| FetchError::io("remove", &path, source))?;
        Ok(None)
    }

    /// Copies a wheel that was built here into the cache.
    pub(crate) async fn store_build(
        &self,
        wheel: &Path,
        wanted: Digest,
    ) -> Result<PathBuf, FetchError> {
        if let Some(path) = self.cache.get(Kind::Wheel, wanted, None, &self.log)? {
            return Ok(path);
        }
        let mut partial = self.cache.partial(Kind::Wheel, wanted).await?;
        partial.clear()?;
        let io = |source| FetchError::io("read", wheel, source);
        let mut file = open(wheel).map_err(io)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer).await.map_err(io)? {
                0 => break,
                read => partial.write(&buffer[..read])?,
            }
        }
        let found = partial.digest();
        if found != wanted {
            partial.discard()?;
            return Err(FetchError::NotKept { path: wheel.to_owned(), found, wanted });
        }
        self.cache.keep(&partial)
    }

    /// Removes temporary files from the cache that killed processes created a day before `now` or
    /// earlier.
    pub fn sweep(&self, now: Timestamp) {
        self.cache.sweep(now);
    }

    /// The folder of the cache.
    pub(crate) fn cache_folder(&self) -> &Path {
        self.cache.folder()
    }

    /// The folder with the notes about wheels that were built here.
    pub(crate) fn built(&self) -> PathBuf {
        self.cache.built()
    }

    /// The log of changed files in the cache. Clones of a fetcher share the log.
    pub fn cache_log(&self) -> &CacheLog {
        &self.log
    }

    /// Fetches a file from the URL in its lock, or else from the URL that the index lists today.
    async fn fetch_anywhere(&self, file: IndexFile) -> Result<PathBuf, FetchError> {
        let error = match self.fetch_missing(&file).await {
            Err(error) if error.concerns_place() => error,
            outcome => return outcome,
        };
        match self.index.find(&file.package, &file.name).await {
            Some(url) if without_fragment(&url) != without_fragment(&file.url) => {
                self.fetch_missing(&IndexFile { url, ..file }).await
            }
            _ => Err(error),
        }
    }

    async fn fetch_missing(&self, file: &IndexFile) -> Result<PathBuf, FetchError> {
        let mut partial = self.cache.partial(file.kind, file.sha256).await?;
        // The process that held the partial file before may have completed it.
        if let Some(path) = self.cache.get(file.kind, file.sha256, file.size, &self.log)? {
            partial.discard()?;
            return Ok(path);
        }
        let policy = RetryPolicy::default().attempts(ATTEMPTS).first_delay(FIRST_DELAY);
        let mut number = 1;
        loop {
            let resumed = partial.len() > 0;
            let transferred = self.transfer(file, &mut partial).await;
            let found = partial.digest();
            match transferred {
                Ok(()) if found == file.sha256 => return self.cache.keep(&partial),
                Ok(()) => {
                    partial.clear()?;
                    // A resumed file proves nothing: its beginning may have come from another
                    // server, or from another day.
                    if !resumed {
                        partial.discard()?;
                        return Err(FetchError::WrongDigest { file: file.clone().into(), found });
                    }
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::NoRange(error)) if number == ATTEMPTS => return Err(error),
                // The next request asks for the whole file.
                Err(Failure::NoRange(_)) => {}
                Err(Failure::Failed { error, outcome }) => {
                    let random = fastrand::f64();
                    let attempt = Attempt { number, outcome, time_left: LONGEST_WAIT, random };
                    let Some(wait) = policy.next_delay(&attempt) else { return Err(error) };
                    tokio::time::sleep(wait).await;
                }
            }
            number += 1;
            if number > ATTEMPTS {
                partial.discard()?;
                return Err(FetchError::WrongDigest { file: file.clone().into(), found });
            }
        }
    }

    /// Downloads the missing rest of a partial file.
    async fn transfer(&self, file: &IndexFile, partial: &mut Partial) -> Result<(), Failure> {
        if file.url.scheme() == "file" {
            return copy_file(file, partial).await;
        }
        let transport = |source: reqwest::Error| {
            let outcome = outcome::of_error(&source);
            let error =
                FetchError::Transport { file: file.clone().into(), source: source.without_url() };
            match outcome {
                Some(outcome) => Failure::Failed { error, outcome },
                None => Failure::Final(error),
            }
        };
        let interrupted = |error| {
            let outcome = Outcome::Failure(TransportFailure::Interrupted);
            Failure::Failed { error, outcome }
        };
        let mut request =
            self.client().await?.get(file.url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some((user, password)) = self.index.login(&file.url) {
            request = request.basic_auth(user, password);
        }
        if partial.len() > 0 {
            request = request.header(RANGE, format!("bytes={}-", partial.len()));
        }
        let mut response = request.send().await.map_err(transport)?;
        let status = response.status();
        let continues = status == StatusCode::PARTIAL_CONTENT
            && response
                .headers()
                .get(CONTENT_RANGE)
                .and_then(|range| range.to_str().ok())
                .is_some_and(|range| range.starts_with(&format!("bytes {}-", partial.len())));
        // An error answer says nothing about the bytes that are already there.
        if (status.is_success() && !continues) || status == StatusCode::RANGE_NOT_SATISFIABLE {
            partial.clear()?;
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE
            || (status == StatusCode::PARTIAL_CONTENT && !continues)
        {
            let error = FetchError::Status { file: file.clone().into(), status: status.as_u16() };
            return Err(Failure::NoRange(error));
        }
        if !status.is_success() {
            let error = FetchError::Status { file: file.clone().into(), status: status.as_u16() };
            return Err(Failure::Failed { error, outcome: outcome::of_response(&response) });
        }
        let mut pace = Pace::begin(self.patience);
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            take(file, partial, &chunk)?;
            if pace.is_too_slow(chunk.len()) && file.size != Some(partial.len()) {
                let (file, Patience { least, slow: time, .. }) = (file.clone(), self.patience);
                let error = FetchError::TooSlow { file: file.into(), least, time };
                return Err(interrupted(error));
            }
        }
        if file.size.is_some_and(|size| partial.len() < size) {
            let error = FetchError::Cut { file: file.clone().into(), received: partial.len() };
            return Err(interrupted(error));
        }
        Ok(())
    }
}

/// Copies a local file.
async fn copy_file(file: &IndexFile, partial: &mut Partial) -> Result<(), Failure> {
    let path = file.url.to_file_path().map_err(|()| FetchError::NotAPath(file.url.clone()))?;
    partial.clear()?;
    let io = |source| Failure::Final(FetchError::io("read", &path, source));
    let mut from = open(&path).map_err(io)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await.map_err(io)?;
        if read == 0 {
            return Ok(());
        }
        take(file, partial, &buffer[..read])?;
    }
}

/// Opens a local file.
fn open(path: &Path) -> std::io::Result<tokio::fs::File> {
    regular::open(path).map(tokio::fs::File::from_std)
}

fn take(file: &IndexFile, partial: &mut Partial, chunk: &[u8]) -> Result<(), FetchError> {
    let limit = file.size.unwrap_or(LARGEST);
    if partial.len() + chunk.len() as u64 > limit {
        partial.clear()?;
        return Err(FetchError::TooLarge { file: file.clone().into(), limit });
    }
    partial.write(chunk)
}

fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

enum Failure {
    /// No repetition helps.
    Final(FetchError),
    /// The server does not send the part that was asked for.
    NoRange(FetchError),
    /// The retry policy decides what follows.
    Failed { error: FetchError, outcome: Outcome },
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}
