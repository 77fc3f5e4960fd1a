use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use klayers_core::{PackageName, PackageVersion, ParseError, Region, Target};
use reqwest::StatusCode;
use url::Url;

use crate::{LayerSpec, RetryPolicy};

/// What caused an error.
type Cause = Arc<dyn StdError + Send + Sync>;

/// Why a layer could not be looked up.
///
/// Each message names its subject and says what to do; what caused it is in
/// [`source`](StdError::source) alone. Addresses are shown without the user name and the password
/// that they may hold.
///
/// Errors may be cloned, since callers that asked for the same at once share one request.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that is not what it was given as, a package name for one.
    #[error(transparent)]
    Parse(#[from] ParseError),

    /// The base URL is none.
    #[error("{text:?} is not the base URL of an API: {expected}")]
    BaseUrl {
        /// The text that was given.
        text: String,
        /// What is expected of it.
        expected: &'static str,
    },

    /// The HTTP client could not be made.
    #[error(
        "the HTTP client could not be set up; check the user agent that was set, and that the \
         system's certificates are installed (ca-certificates)"
    )]
    Setup {
        /// What was wrong.
        source: Cause,
    },

    /// The collection has no layer of the package for the target in the region.
    #[error("no layer of {package} for {target} in {region}{}", did_you_mean(.suggestions))]
    UnknownPackage {
        /// The package that was asked for.
        package: PackageName,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// Packages with names near to it that there are layers of, the nearest first.
        suggestions: Vec<PackageName>,
    },

    /// There are layers of the package, and all are deprecated.
    #[error(
        "all {versions} layer versions of {package} for {target} in {region} are deprecated; \
         list them to choose one that has not expired"
    )]
    NoLatest {
        /// The package that was asked for.
        package: PackageName,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// How many deprecated ones there are.
        versions: usize,
    },

    /// No answer came, or not all of it.
    #[error("could not ask {url}: {failure}")]
    Transport {
        /// The address that was asked.
        url: String,
        /// What failed.
        failure: TransportFailure,
        /// The cause.
        source: Cause,
    },

    /// The answer has a status other than 200.
    #[error("{url} answered {}{}", status_text(*.status), status_advice(*.status, .detail.as_deref()))]
    Status {
        /// The address that was asked.
        url: String,
        /// The HTTP status code.
        status: u16,
        /// What the server said of it, in a [problem body][spec].
        ///
        /// [spec]: https://www.rfc-editor.org/rfc/rfc9457
        detail: Option<String>,
    },

    /// The answer is not one to the question.
    #[error(
        "the answer of {url} cannot be used: {reason}; check that this is the API of a collection"
    )]
    Body {
        /// The address that was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
        /// The cause, where the answer could not be read.
        source: Option<Cause>,
    },

    /// The answer is longer than any list of layers would be.
    #[error(
        "the answer of {url} is longer than {limit} bytes; check that this is the API of a \
         collection"
    )]
    TooLarge {
        /// The address that was asked.
        url: String,
        /// The longest answer that is read, in bytes.
        limit: usize,
    },

    /// The server has no such list: it is one of API v2 as it was at first, which knows layers by
    /// target and region alone.
    #[error(
        "{url} is not known there: this server does not have {what}; ask it for the layers of one \
         target in one region"
    )]
    Unsupported {
        /// The address that was asked.
        url: String,
        /// What the server does not have.
        what: &'static str,
    },

    /// The client is [offline](crate::ClientBuilder::offline), so the server was not asked.
    #[error("{url} was not asked, since the client is offline{}", without_answer(*.kept))]
    Offline {
        /// The address that would have been asked.
        url: String,
        /// Whether there is an answer from earlier, which then was given instead.
        kept: bool,
    },

    /// There are layers of the package, and none of them is the one that was asked for.
    #[error("no layer version for {target} in {region} is {spec}; {}", there_are(.spec, .versions))]
    NoMatch {
        /// What was asked for.
        spec: Box<LayerSpec>,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// The package versions and the layer versions that there are, the newest first.
        versions: Vec<(PackageVersion, u64)>,
    },

    /// The thread of a [`blocking::Client`](crate::blocking::Client) is gone.
    #[error("the thread of the blocking client has ended; make a new client")]
    Stopped,
}

impl Error {
    /// Whether the answer was that there is no such layer: an unknown package, one of which every
    /// layer is deprecated, or no layer version as it was asked for.
    ///
    /// An address that answers 404 is not meant: an API says so with an empty list.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::UnknownPackage { .. } | Self::NoLatest { .. } | Self::NoMatch { .. })
    }

    /// Whether the time allowed ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Transport { failure: TransportFailure::Timeout, .. })
    }

    /// Whether asking again may help: the same question may have an answer later.
    ///
    /// That is what [`RetryPolicy`](crate::RetryPolicy) lists, and what an older answer may stand
    /// in for.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { failure, .. } => RetryPolicy::retries_failure(*failure),
            Self::Status { status, .. } => RetryPolicy::retries_status(*status),
            _ => false,
        }
    }

    pub(crate) fn setup(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Setup { source: source.into().into() }
    }

    pub(crate) fn transport(url: &Url, error: reqwest::Error) -> Self {
        Self::Transport {
            url: shown(url),
            failure: TransportFailure::of(&error),
            source: Arc::new(error.without_url()),
        }
    }
}

/// For packages that are given as a [`PackageName`] already.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// What failed between the client and the server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TransportFailure {
    /// The server's name does not resolve.
    Resolve,
    /// No connection.
    Connect,
    /// No trusted connection: a certificate that is not valid, or no TLS.
    Tls,
    /// The time allowed ran out.
    Timeout,
    /// The server sends elsewhere, in a circle or to where it is not safe to follow.
    Redirect,
    /// The connection broke before the answer was complete.
    Interrupted,
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Resolve => {
                "the name of the server was not found; check the address and the network"
            }
            Self::Connect => "no connection to the server; check the address and the network",
            Self::Tls => {
                "no trusted connection to the server; check the address, the server's certificate, \
                 and that the authority that signed it is installed"
            }
            Self::Timeout => "no answer in time; try again, or allow more time",
            Self::Redirect => {
                "it redirects too often, or from https to http; give the address it leads to"
            }
            Self::Interrupted => "the connection broke off; try again",
        })
    }
}

/// An address as messages show it.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Only addresses without a host refuse these, and they hold neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// A text of a server's, made fit for a terminal: one line of a bearable length, without control
/// characters.
pub(crate) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn without_answer(kept: bool) -> &'static str {
    if kept { "" } else { ", and no earlier answer is kept; ask once without being offline" }
}

/// What there is instead of what was asked for.
fn there_are(spec: &LayerSpec, versions: &[(PackageVersion, u64)]) -> String {
    const MOST: usize = 8;
    let mut names: Vec<String> = versions
        .iter()
        .map(|(version, number)| match spec.layer_version() {
            Some(_) => number.to_string(),
            None => version.to_string(),
        })
        .collect();
    names.dedup();
    let more = if names.len() > MOST { ", …" } else { "" };
    names.truncate(MOST);
    format!("there are {}{more}", names.join(", "))
}

fn did_you_mean(suggestions: &[PackageName]) -> String {
    match suggestions {
        [] => "; the list of latest layers says what there is".to_owned(),
        [name] => format!("; did you mean {name}?"),
        [names @ .., last] => {
            let names: Vec<_> = names.iter().map(PackageName::spelling).collect();
            format!("; did you mean {} or {last}?", names.join(", "))
        }
    }
}

fn status_text(status: u16) -> String {
    StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |known| known.to_string())
}

fn status_advice(status: u16, detail: Option<&str>) -> String {
    let advice = match status {
        401 | 403 => "; check that you may use it",
        404 | 405 | 410 => "; check that this is the API of a collection",
        408 | 429 => "; try again later",
        500.. => "; the server has a fault, try again later",
        _ => "",
    };
    match detail {
        Some(detail) => format!(" ({detail}){advice}"),
        None => advice.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(suggestions: &[&str]) -> Error {
        let names = suggestions.iter().map(|name| name.parse());
        Error::UnknownPackage {
            package: "reqests".parse().expect("a name"),
            region: "eu-west-1".parse().expect("a region"),
            target: "p3.13".parse().expect("a target"),
            suggestions: names.collect::<Result<_, _>>().expect("names"),
        }
    }

    #[test]
    fn suggestions_read_as_a_question() {
        for (suggestions, end) in [
            (&[][..], "; the list of latest layers says what there is"),
            (&["requests"], "; did you mean requests?"),
            (&["a", "b"], "; did you mean a or b?"),
            (&["a", "b", "c"], "; did you mean a, b or c?"),
        ] {
            let error = unknown(suggestions);
            assert_eq!(
                error.to_string(),
                format!("no layer of reqests for p3.13 in eu-west-1{end}")
            );
            assert!(error.is_not_found());
        }
    }

    #[test]
    fn a_status_comes_with_advice() {
        for (status, detail, expected) in [
            (404, None, "x answered 404 Not Found; check that this is the API of a collection"),
            (
                503,
                Some("in repair"),
                "x answered 503 Service Unavailable (in repair); the server has a fault, try \
                 again later",
            ),
            (204, None, "x answered 204 No Content"),
            (
                999,
                None,
                "x answered 999 <unknown status code>; the server has a fault, try again later",
            ),
        ] {
            let error =
                Error::Status { url: "x".to_owned(), status, detail: detail.map(str::to_owned) };
            assert_eq!(error.to_string(), expected);
            assert!(!error.is_not_found());
        }
    }

    #[test]
    fn addresses_are_shown_without_credentials() {
        let url = "https://me:secret@layers.example/api".parse().expect("a URL");
        assert_eq!(shown(&url), "https://layers.example/api");
    }
}
