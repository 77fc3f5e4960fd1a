use std::convert::Infallible;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use klayers_core::{PackageName, PackageVersion, ParseError, Region, Target};
use url::Url;

use self::message::{
    did_you_mean, no_latest, offline_advice, status_advice, status_text, there_are, through,
    withdrawn_first,
};
use crate::display::without_login;
use crate::failure::{CauseText, advice, transport_failure};
use crate::proxy::Proxy;
use crate::{LayerSpec, RetryPolicy, TransportFailure, WithdrawnVersion};

mod message;

/// The cause of an error; shared, since errors can be cloned.
type Cause = Arc<dyn StdError + Send + Sync>;

/// Why a layer could not be looked up.
///
/// Each message names its subject and says what to do. The cause is in
/// [`source`](StdError::source) and not repeated in the message. Addresses are shown without the
/// user name and the password that they may hold.
///
/// Errors can be cloned, since simultaneous callers with the same question share one request.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text could not be parsed, for example as a package name.
    #[error(transparent)]
    Parse(#[from] ParseError),

    /// The base URL is not valid.
    #[error("{text:?} is not the base URL of an API: {expected}")]
    BaseUrl {
        /// The text, without anything that may be secret.
        text: String,
        /// What a base URL must look like.
        expected: &'static str,
    },

    /// The HTTP client could not be set up.
    #[error(
        "could not set up the HTTP client; check the user agent, and that the system's certificates \
         are installed (ca-certificates)"
    )]
    Setup {
        /// The cause.
        source: Cause,
    },

    /// The certificates that an environment variable names cannot be used.
    #[error(
        "could not use the certificates in {}, which {variable} names: {reason}; correct the \
         variable, or unset it to trust the system's certificates", .path.display()
    )]
    Certificates {
        /// The variable.
        variable: &'static str,
        /// The file or the folder that the variable names.
        path: PathBuf,
        /// What is wrong with the file or the folder.
        reason: &'static str,
        /// The cause, if there is one.
        source: Option<Cause>,
    },

    /// The collection has no layer of the package for the target in the region.
    #[error("no layer of {package} for {target} in {region}{}", did_you_mean(.suggestions))]
    UnknownPackage {
        /// The requested package.
        package: PackageName,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// Packages that have layers and similar names, the most similar first.
        suggestions: Vec<PackageName>,
    },

    /// The package has layers, but none is the latest: all are deprecated or withdrawn.
    #[error(
        "none of the {versions} layer versions of {package} for {target} in {region} is the \
         latest: {}", no_latest(.withdrawn)
    )]
    NoLatest {
        /// The requested package.
        package: PackageName,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// The number of layer versions.
        versions: usize,
        /// The versions that were withdrawn, the newest first.
        withdrawn: Vec<WithdrawnVersion>,
    },

    /// The answer did not arrive, or only a part of it.
    #[error("could not reach {url}{}: {failure}; {advice}", through(.proxy.as_deref()))]
    Transport {
        /// The requested address.
        url: String,
        /// The proxy of the request, with the variable that names it.
        proxy: Option<String>,
        /// What failed.
        failure: TransportFailure,
        /// What the user can do.
        advice: String,
        /// The cause.
        source: Cause,
    },

    /// The answer has a status other than 200.
    #[error("{url} answered {}{}", status_text(*.status), status_advice(*.status, .detail.as_deref(), *.retry_after))]
    Status {
        /// The requested address.
        url: String,
        /// The HTTP status code.
        status: u16,
        /// The server's explanation, from a [problem body][spec].
        ///
        /// [spec]: https://www.rfc-editor.org/rfc/rfc9457
        detail: Option<String>,
        /// How long the server asks clients to wait before they ask again.
        retry_after: Option<Duration>,
    },

    /// The answer does not match the question, or is not an answer of this API.
    #[error(
        "could not use the answer of {url}: {reason}; check that this is the API of a collection"
    )]
    Body {
        /// The requested address.
        url: String,
        /// What is wrong with the answer.
        reason: String,
        /// The cause, if the answer could not be read.
        source: Option<Cause>,
    },

    /// The answer is longer than any list of layers can be.
    #[error(
        "the answer of {url} is longer than {limit} bytes; check that this is the API of a \
         collection"
    )]
    TooLarge {
        /// The requested address.
        url: String,
        /// The limit, in bytes.
        limit: usize,
    },

    /// The server does not have this list. The first version of API v2, which the public server
    /// still has, only lists layers by target and region.
    #[error(
        "this server does not have {what} ({url} is unknown to it); ask for the layers of one target \
         in one region instead"
    )]
    Unsupported {
        /// The requested address.
        url: String,
        /// What the server does not have.
        what: &'static str,
    },

    /// The client is [offline](crate::ClientBuilder::offline), so the server was not asked.
    #[error("could not ask {url}: the client is offline{}", offline_advice(*.cached))]
    Offline {
        /// The address that would have been requested.
        url: String,
        /// Whether a cached answer was given instead.
        cached: bool,
    },

    /// The package has layers, but none of them is the requested one.
    #[error(
        "no layer version for {target} in {region} is {spec}; {}{}",
        withdrawn_first(.withdrawn),
        there_are(.spec, .versions)
    )]
    NoMatch {
        /// The request.
        spec: Box<LayerSpec>,
        /// The region.
        region: Region,
        /// The target.
        target: Target,
        /// The existing versions, as package version and layer version, the newest first.
        versions: Vec<(PackageVersion, u64)>,
        /// The versions that would match if they had not been withdrawn, the newest first.
        withdrawn: Vec<WithdrawnVersion>,
    },

    /// The thread of a [`blocking::Client`](crate::blocking::Client) has ended.
    #[error("the thread of the blocking client has ended; make a new client")]
    Stopped,
}

impl Error {
    /// Whether the collection has no such layer: the package is unknown, all its layers are
    /// deprecated, or no layer version matches the request.
    ///
    /// A status of 404 does not count: an API answers with an empty list instead.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::UnknownPackage { .. } | Self::NoLatest { .. } | Self::NoMatch { .. })
    }

    /// Whether the time allowed ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Transport { failure: TransportFailure::Timeout, .. })
    }

    /// Whether the same question may succeed later.
    ///
    /// [`RetryPolicy`](crate::RetryPolicy) lists these errors. A stale cached answer can replace
    /// them.
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

    /// `trusted` names the trusted certificates, unless they are the system's.
    pub(crate) fn transport(
        url: &Url,
        proxy: Option<&Proxy>,
        trusted: Option<&str>,
        error: reqwest::Error,
    ) -> Self {
        let failure = transport_failure(&error);
        Self::Transport {
            url: without_login(url),
            proxy: proxy.map(ToString::to_string),
            failure,
            advice: advice(failure, proxy, trusted),
            source: Arc::new(CauseText::innermost(&error.without_url())),
        }
    }

    /// The proxy answered 407 in place of the server.
    pub(crate) fn proxy_login(url: &Url, proxy: &Proxy) -> Self {
        let failure = TransportFailure::ProxyLogin;
        Self::Transport {
            url: without_login(url),
            proxy: Some(proxy.to_string()),
            failure,
            advice: advice(failure, Some(proxy), None),
            source: Arc::new(CauseText(status_text(407))),
        }
    }

    /// Whether a stale cached answer may replace this error. It may if no answer arrived, or if the
    /// answer was not from the API, such as the login page of a network. It may not if the API named
    /// layers that were not requested.
    pub(crate) fn allows_stale_answer(&self) -> bool {
        match self {
            Self::Body { source, .. } => source.is_some(),
            Self::TooLarge { .. } => true,
            error => error.is_transient(),
        }
    }
}

/// For callers that pass a [`PackageName`], whose conversion cannot fail.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
