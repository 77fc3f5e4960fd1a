use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::Digest;
use url::Url;

use super::IndexFile;
use crate::secrets::public;
use klayers_wheel::WheelFilename;

/// A file in an error message: its name and URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named(Box<IndexFile>);

impl From<IndexFile> for Named {
    fn from(file: IndexFile) -> Self {
        Self(Box::new(file))
    }
}

impl Named {
    /// The file's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The URL of the file, without secrets.
    pub fn address(&self) -> String {
        public(&self.0.url).to_string()
    }

    /// The SHA-256 in the lock.
    pub fn sha256(&self) -> Digest {
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
    /// The HTTP client could not be created.
    #[error("could not set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The server could not be reached, or the transfer broke off.
    #[error("could not fetch {file}")]
    Transport {
        /// The file.
        file: Named,
        /// The cause.
        source: reqwest::Error,
    },
    /// The server answered with an error status.
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
        /// The number of bytes received.
        received: u64,
    },
    /// The answer came too slowly.
    #[error("could not fetch {file}: less than {least} bytes came in {time:?}")]
    TooSlow {
        /// The file.
        file: Named,
        /// The least number of bytes required.
        least: u64,
        /// The time in which they are required.
        time: Duration,
    },
    /// The file is larger than allowed.
    #[error("could not fetch {file}: it is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        file: Named,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The bytes are not the locked ones.
    #[error("{file} has SHA-256 {found}, but the lock asks for {}; its server sends another file than was locked", file.0.sha256)]
    WrongDigest {
        /// The file.
        file: Named,
        /// The SHA-256 of the received bytes.
        found: Digest,
    },
    /// A wheel that was built here is no longer in the cache. No index has it.
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
    /// A wheel that was built here changed before it was stored.
    #[error("could not store {} in the cache: it has SHA-256 {found}, but {wanted} was expected", path.display())]
    NotKept {
        /// The wheel.
        path: PathBuf,
        /// The actual SHA-256.
        found: Digest,
        /// The expected SHA-256.
        wanted: Digest,
    },
    /// A URL of scheme `file` does not name a file.
    #[error("{} does not name a file on this machine", public(.0))]
    NotAPath(Url),
    /// A file could not be read or written.
    #[error("could not {action} {}", path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Returns advice about an error status.
fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "; if its index asks for a login or signs its links, name it with --index-url",
        _ => "",
    }
}

impl FetchError {
    /// Whether another URL of the file may work.
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
