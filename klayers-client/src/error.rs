use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use klayers_core::terminal::one_line;
use klayers_core::{PackageName, PackageVersion, ParseError, Region, Target};
use reqwest::StatusCode;
use url::Url;

use crate::duration::from_now;
use crate::proxy::Proxy;
use crate::{LayerSpec, RetryPolicy, VersionRow};

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
        /// The text that was given, without what may be secret in it.
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

    /// The certificates that a variable names cannot be used.
    #[error(
        "{variable} names {} for the certificates to trust, and {reason}; correct the variable, or \
         unset it to trust those of the system", .path.display()
    )]
    Certificates {
        /// The variable.
        variable: &'static str,
        /// The file or the folder that it names.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
        /// The cause, where there is one.
        source: Option<Cause>,
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

    /// There are layers of the package, and none is the latest: all are deprecated or withdrawn.
    #[error(
        "none of the {versions} layer versions of {package} for {target} in {region} is the \
         latest: {}", no_latest(.withdrawn)
    )]
    NoLatest {
        /// The package that was asked for.
        package: PackageName,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// How many layer versions there are.
        versions: usize,
        /// Those that were withdrawn, the newest first.
        withdrawn: Vec<Withdrawn>,
    },

    /// No answer came, or not all of it.
    #[error("could not ask {url}{}: {failure}; {advice}", through(.proxy.as_deref()))]
    Transport {
        /// The address that was asked.
        url: String,
        /// The proxy it was asked through, with the variable that set it.
        proxy: Option<String>,
        /// What failed.
        failure: TransportFailure,
        /// What to do.
        advice: String,
        /// The cause.
        source: Cause,
    },

    /// The answer has a status other than 200.
    #[error("{url} answered {}{}", status_text(*.status), status_advice(*.status, .detail.as_deref(), *.retry_after))]
    Status {
        /// The address that was asked.
        url: String,
        /// The HTTP status code.
        status: u16,
        /// What the server said of it, in a [problem body][spec].
        ///
        /// [spec]: https://www.rfc-editor.org/rfc/rfc9457
        detail: Option<String>,
        /// How long the server asks to wait before it is asked again.
        retry_after: Option<Duration>,
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
    #[error(
        "no layer version for {target} in {region} is {spec}; {}{}",
        withdrawn_first(.withdrawn),
        there_are(.spec, .versions)
    )]
    NoMatch {
        /// What was asked for.
        spec: Box<LayerSpec>,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// The package versions and the layer versions that there are, the newest first.
        versions: Vec<(PackageVersion, u64)>,
        /// Those that would be it, had they not been withdrawn; the newest first.
        withdrawn: Vec<Withdrawn>,
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

    /// `trusted` says which certificates are trusted, where they are not those of the system.
    pub(crate) fn transport(
        url: &Url,
        proxy: Option<&Proxy>,
        trusted: Option<&str>,
        error: reqwest::Error,
    ) -> Self {
        let failure = TransportFailure::of(&error);
        Self::Transport {
            url: shown(url),
            proxy: proxy.map(ToString::to_string),
            failure,
            advice: failure.advice(proxy, trusted),
            source: innermost(&error.without_url()),
        }
    }

    /// That a proxy answered 407 in the place of the server.
    pub(crate) fn proxy_login(url: &Url, proxy: &Proxy) -> Self {
        let failure = TransportFailure::ProxyLogin;
        Self::Transport {
            url: shown(url),
            proxy: Some(proxy.to_string()),
            failure,
            advice: failure.advice(Some(proxy), None),
            source: Arc::new(Told(status_text(407))),
        }
    }

    /// Whether an answer that is kept may be used in the place of this error: no answer came, or
    /// none of the API's, as where a network asks for a login with a page of its own. An API that
    /// names layers which were not asked for is not such a case.
    pub(crate) fn leaves_what_is_kept(&self) -> bool {
        match self {
            Self::Body { source, .. } => source.is_some(),
            Self::TooLarge { .. } => true,
            error => error.is_transient(),
        }
    }
}

/// A layer version that was withdrawn.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Withdrawn {
    /// The package's version in it.
    pub package_version: PackageVersion,
    /// The number of the layer version.
    pub layer_version: u64,
    /// Why it was withdrawn.
    pub reason: String,
}

impl Withdrawn {
    /// That of a row; none if it was not withdrawn.
    pub(crate) fn of(row: &VersionRow) -> Option<Self> {
        Some(Self {
            package_version: row.package_version.clone(),
            layer_version: row.arn.version(),
            reason: row.yanked.clone()?,
        })
    }
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package_version, layer_version, reason } = self;
        write!(formatter, "{package_version} (layer version {layer_version}) is withdrawn")?;
        match reason.trim() {
            "" => Ok(()),
            reason => write!(formatter, ": {}", printable(reason)),
        }
    }
}

/// What is at the bottom of a chain of causes. The layers above it say again, in other words, that
/// no connection could be made.
fn innermost(error: &reqwest::Error) -> Cause {
    let first: &(dyn StdError + 'static) = error;
    let last = std::iter::successors(Some(first), |&cause| cause.source()).last();
    Arc::new(Told(one_line(&last.unwrap_or(first).to_string()).into_owned()))
}

/// A cause of which the words alone are kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

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
    /// The proxy asks for a user name and a password (407).
    ProxyLogin,
}

impl TransportFailure {
    /// What to do.
    fn advice(self, proxy: Option<&Proxy>, trusted: Option<&str>) -> String {
        let fixed = match self {
            Self::ProxyLogin => {
                let set = || "set HTTPS_PROXY with a user name and a password".to_owned();
                return proxy.map_or_else(set, Proxy::login_advice);
            }
            Self::Tls if let Some(trusted) = trusted => {
                return format!(
                    "trusted are the certificates of {trusted} alone; add that of the authority \
                     that signed the server's, or unset the variable"
                );
            }
            Self::Resolve | Self::Connect if proxy.is_some() => {
                "check the address of the proxy, and that it is there"
            }
            Self::Resolve | Self::Connect => "check the address and the network",
            Self::Tls => {
                "check the address, the server's certificate, and that the authority that signed \
                 it is installed; AWS_CA_BUNDLE or SSL_CERT_FILE names the certificates of another"
            }
            Self::Timeout => "try again, or allow more time",
            Self::Redirect => "give the address that it leads to",
            Self::Interrupted => "try again",
        };
        fixed.to_owned()
    }
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Resolve => "its name was not found",
            Self::Connect => "no connection",
            Self::Tls => "no trusted connection",
            Self::Timeout => "no answer in time",
            Self::Redirect => "it redirects too often, or from https to http",
            Self::Interrupted => "the connection broke off",
            Self::ProxyLogin => "the proxy asks for a user name and a password (407)",
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
    let mut shown: String = one_line(text).chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn through(proxy: Option<&str>) -> String {
    proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default()
}

/// Why there is no latest layer version, and what to do.
fn no_latest(withdrawn: &[Withdrawn]) -> String {
    match withdrawn {
        [] => "they are deprecated; `klayers versions` lists them, and until when each exists"
            .to_owned(),
        [newest, ..] => format!("{newest}; name another version, as in package==1.2"),
    }
}

/// What is told before anything else there is: that what was asked for was withdrawn.
fn withdrawn_first(withdrawn: &[Withdrawn]) -> String {
    withdrawn.first().map(|newest| format!("{newest}; ")).unwrap_or_default()
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

fn status_advice(status: u16, detail: Option<&str>, retry_after: Option<Duration>) -> String {
    let later = || retry_after.map_or_else(|| "later".to_owned(), from_now);
    let advice = match status {
        401 | 403 => "; check that you may use it".to_owned(),
        404 | 405 | 410 => "; check that this is the API of a collection".to_owned(),
        407 => "; the proxy asks for a user name and a password".to_owned(),
        408 | 429 => format!("; try again {}", later()),
        511 => "; the network asks for a login: open a page in a browser".to_owned(),
        500.. => format!("; the server has a fault, try again {}", later()),
        _ => String::new(),
    };
    match detail {
        Some(detail) => format!(" ({detail}){advice}"),
        None => advice,
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
            let (url, detail) = ("x".to_owned(), detail.map(str::to_owned));
            let error = Error::Status { url, status, detail, retry_after: None };
            assert_eq!(error.to_string(), expected);
            assert!(!error.is_not_found());
        }
    }

    #[test]
    fn a_wait_that_the_server_asks_for_is_told() {
        for (status, seconds, expected) in [
            (429, 3_600, "x answered 429 Too Many Requests; try again in an hour"),
            (
                503,
                30,
                "x answered 503 Service Unavailable; the server has a fault, try again in 30 \
                 seconds",
            ),
        ] {
            let (url, retry_after) = ("x".to_owned(), Some(Duration::from_secs(seconds)));
            let error = Error::Status { url, status, detail: None, retry_after };
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(printable(&"x".repeat(200)).chars().count(), 200);
        assert!(printable(&"x".repeat(201)).ends_with("x…"));
    }

    #[test]
    fn addresses_are_shown_without_credentials() {
        let url = "https://me:secret@layers.example/api".parse().expect("a URL");
        assert_eq!(shown(&url), "https://layers.example/api");
    }
}
