//! The options of the cache.

use std::time::Duration;

#[cfg(feature = "disk-cache")]
pub(crate) mod disk;

/// How a client caches answers.
///
/// The client follows [RFC 9111] for private caches and [RFC 5861] for stale answers. An answer is
/// used for as long as the server says that it is fresh. Afterwards the client asks the server
/// whether the answer changed. Only answers that were checked to match their question are cached.
/// The answer that a layer does not exist is always confirmed with the server, in a few bytes, since
/// the layer may have been published meanwhile.
///
/// By default answers are cached in memory. If the server cannot be reached, a stale answer is used
/// for up to a day; [`Answer`](crate::Answer) tells its age.
///
/// ```
/// use std::time::Duration;
///
/// use klayers_client::{Cache, Client};
///
/// let cache = Cache::memory().stale_if_error(Duration::from_secs(3_600));
/// let client = Client::builder().cache(cache).build()?;
/// # Ok::<(), klayers_client::Error>(())
/// ```
///
/// [RFC 9111]: https://www.rfc-editor.org/rfc/rfc9111
/// [RFC 5861]: https://www.rfc-editor.org/rfc/rfc5861
#[derive(Clone, Debug)]
pub struct Cache {
    pub(crate) entries: usize,
    pub(crate) stale_if_error: Duration,
    pub(crate) assume_fresh: Duration,
    #[cfg(feature = "disk-cache")]
    pub(crate) folder: Option<std::path::PathBuf>,
    #[cfg(feature = "disk-cache")]
    pub(crate) folder_limit: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self::memory()
    }
}

impl Cache {
    /// Caches answers in memory, up to 1,000 of each kind.
    pub fn memory() -> Self {
        Self {
            entries: 1_000,
            stale_if_error: Duration::from_secs(24 * 3_600),
            assume_fresh: Duration::ZERO,
            #[cfg(feature = "disk-cache")]
            folder: None,
            #[cfg(feature = "disk-cache")]
            folder_limit: 64 * 1024 * 1024,
        }
    }

    /// Caches nothing. Simultaneous callers with the same question still share one request.
    pub fn none() -> Self {
        Self { entries: 0, stale_if_error: Duration::ZERO, ..Self::memory() }
    }

    /// Also caches answers in files of this folder. Several processes can share the folder.
    ///
    /// A damaged file is replaced. If the folder cannot be written, answers are cached in memory only.
    #[cfg(feature = "disk-cache")]
    #[must_use]
    pub fn folder(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The size limit of the folder, in bytes; by default 64 MiB. The oldest files are removed first.
    #[cfg(feature = "disk-cache")]
    #[must_use]
    pub fn folder_limit(mut self, bytes: u64) -> Self {
        self.folder_limit = bytes;
        self
    }

    /// The cache folder of the user who runs this process, as the operating system prescribes; none if
    /// the user has no home folder.
    ///
    /// Except on Windows, `XDG_CACHE_HOME` can name another folder.
    #[cfg(feature = "disk-cache")]
    pub fn user_folder() -> Option<std::path::PathBuf> {
        use etcetera::BaseStrategy;
        Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("klayers"))
    }

    /// How long a stale answer may be used if the server cannot be reached, for the reasons that
    /// [`RetryPolicy`](crate::RetryPolicy) lists; by default a day. A shorter time that the server
    /// states has precedence.
    #[must_use]
    pub fn stale_if_error(mut self, time: Duration) -> Self {
        self.stale_if_error = time;
        self
    }

    /// How long an answer is fresh if the server does not say; by default not at all, so that the
    /// server is asked each time.
    #[must_use]
    pub fn assume_fresh(mut self, time: Duration) -> Self {
        self.assume_fresh = time;
        self
    }
}
