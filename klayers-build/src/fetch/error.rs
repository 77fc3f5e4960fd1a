use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::Digest;
use url::Url;

use super::IndexFile;
use crate::secrets::public;
use crate::wheel::WheelFilename;

/// A file in an error message: its name, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named(Box<IndexFile>);

impl From<IndexFile> for Named {
    fn from(file: IndexFile) -> Self {
        Self(Box::new(file))
    }
}

impl Named {
    /// The file's name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Where the file is, without what may be secret.
    pub(crate) fn address(&self) -> String {
        public(&self.0.url).to_string()
    }

    /// The SHA-256 that the file is locked with.
    pub(crate) fn sha256(&self) -> Digest {
        self.0.sha256
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} from {}", self.name(), self.address())
    }
}

/// Why a wheel or a source distribution could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The HTTP client cannot be made.
    #[error("could not set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The server could not be reached, or the transfer broke off.
    #[error("could not fetch {file}")]
    Transport {
        /// The file.
        file: Named,
        /// Why not.
        source: reqwest::Error,
    },
    /// The server refused.
    #[error("could not fetch {file}: the server answered {status}{}", advice(*.status))]
    Status {
        /// The file.
        file: Named,
        /// The HTTP status code.
        status: u16,
    },
    /// The answer ended early.
    #[error("could not fetch {file}: the answer ended after {received} bytes")]
    Cut {
        /// The file.
        file: Named,
        /// How many bytes came.
        received: u64,
    },
    /// The answer came too slowly.
    #[error("could not fetch {file}: less than {least} bytes came in {time:?}")]
    TooSlow {
        /// The file.
        file: Named,
        /// How many bytes have to come at least.
        least: u64,
        /// In which time.
        time: Duration,
    },
    /// The file is larger than it may be.
    #[error("could not fetch {file}: it is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        file: Named,
        /// The most that is taken, in bytes.
        limit: u64,
    },
    /// The bytes are not those of the lock.
    #[error("{file} has SHA-256 {found}, but the lock asks for {}; its server gives out something else than was locked", file.0.sha256)]
    WrongDigest {
        /// The file.
        file: Named,
        /// The SHA-256 of what came.
        found: Digest,
    },
    /// A wheel was built here from its source, and is no longer in the cache. No index has it.
    #[error(
        "{wheel} was built from {source_file} and is not in the cache; no index has it, so it has \
         to be built again: allow it with allow_sdist, or --allow-sdist"
    )]
    Built {
        /// The wheel.
        wheel: Box<WheelFilename>,
        /// The file name of its source distribution.
        source_file: String,
    },
    /// A wheel that was built here is not the one that it should be.
    #[error("{} has SHA-256 {found}, but {wanted} was to be kept", path.display())]
    NotKept {
        /// The wheel.
        path: PathBuf,
        /// What it has.
        found: Digest,
        /// What it should have.
        wanted: Digest,
    },
    /// A URL of scheme `file` does not name a file.
    #[error("{} does not name a file of this machine", public(.0))]
    NotAPath(Url),
    /// A file could not be read or written.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// What to do about a refusal.
fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "; if its index asks for a login or signs its links, name it with --index-url",
        _ => "",
    }
}

impl FetchError {
    /// Whether the file may be had from somewhere else, or with another URL.
    pub(super) fn concerns_place(&self) -> bool {
        match self {
            Self::Transport { .. }
            | Self::Status { .. }
            | Self::Cut { .. }
            | Self::TooSlow { .. }
            | Self::TooLarge { .. }
            | Self::WrongDigest { .. } => true,
            Self::Client(_)
            | Self::Built { .. }
            | Self::NotKept { .. }
            | Self::NotAPath(_)
            | Self::Io { .. } => false,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
