//! What is kept of answers, and where.

use std::time::Duration;

#[cfg(feature = "disk-cache")]
pub(crate) mod disk;

/// How a client keeps answers, so that it need not ask for each again.
///
/// Answers are kept as [RFC 9111] says for a cache of one user, and [RFC 5861] for stale ones: for
/// as long as the server says they are fresh, after which it is asked whether they changed. Only
/// what was found to be the answer to the question is kept. That there is no layer is asked again
/// each time, in a few bytes: it may have been published since.
///
/// By default answers are kept in memory, and an older one stands in for a day where the server
/// cannot be asked; [`Answer`](crate::Answer) says how old it is.
///
/// ```
/// use std::time::Duration;
///
/// use klayers_client::{Cache, Client};
///
/// let cache = Cache::memory().stale_if_error(Duration::from_hours(1));
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
    /// Keeps answers in memory, 1,000 of each kind at most.
    pub fn memory() -> Self {
        Self {
            entries: 1_000,
            stale_if_error: Duration::from_hours(24),
            assume_fresh: Duration::ZERO,
            #[cfg(feature = "disk-cache")]
            folder: None,
            #[cfg(feature = "disk-cache")]
            folder_limit: 64 * 1024 * 1024,
        }
    }

    /// Keeps nothing. Those who ask for the same at the same time still share one request.
    pub fn none() -> Self {
        Self { entries: 0, stale_if_error: Duration::ZERO, ..Self::memory() }
    }

    /// Keeps answers in files of this folder, too, which other processes may use at the same time.
    ///
    /// A file that is damaged is replaced; a folder that cannot be written to is done without.
    #[cfg(feature = "disk-cache")]
    #[must_use]
    pub fn folder(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// How large the folder may become, in bytes; 64 MiB if it is not set. The files that were
    /// written first go first.
    #[cfg(feature = "disk-cache")]
    #[must_use]
    pub fn folder_limit(mut self, bytes: u64) -> Self {
        self.folder_limit = bytes;
        self
    }

    /// The folder for caches of the user who runs this process, by the conventions of the system;
    /// none if there is no home folder.
    ///
    /// `XDG_CACHE_HOME` names another one, except on Windows.
    #[cfg(feature = "disk-cache")]
    pub fn user_folder() -> Option<std::path::PathBuf> {
        use etcetera::BaseStrategy;
        Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("klayers"))
    }

    /// For how long after it was fresh an answer may stand in where the server cannot be asked, for
    /// the reasons that [`RetryPolicy`](crate::RetryPolicy) tells; a day if it is not set. A server
    /// that names a shorter time is obeyed.
    #[must_use]
    pub fn stale_if_error(mut self, time: Duration) -> Self {
        self.stale_if_error = time;
        self
    }

    /// How long an answer is fresh of which the server says nothing at all; not at all if it is not
    /// set, so that it is asked each time.
    #[must_use]
    pub fn assume_fresh(mut self, time: Duration) -> Self {
        self.assume_fresh = time;
        self
    }
}
