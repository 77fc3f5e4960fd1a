//! What went wrong between the client and the server, and what to do about it.

use std::error::Error as StdError;
use std::{fmt, io, iter};

use klayers_core::terminal::one_line;

use crate::proxy::Proxy;

/// What failed between the client and the server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TransportFailure {
    /// The server's name does not resolve.
    Resolve,
    /// The connection was refused, reset, or the network is unreachable.
    Connect,
    /// The TLS connection cannot be trusted: an invalid certificate, or no TLS at all.
    Tls,
    /// The time allowed ran out.
    Timeout,
    /// The server redirects in a circle, or from https to http.
    Redirect,
    /// The connection broke before the answer was complete.
    Interrupted,
    /// The proxy requires a user name and a password (407).
    ProxyLogin,
}

impl TransportFailure {
    /// Classifies an error of the HTTP client.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if is_proxy_login(error) {
            Self::ProxyLogin
        } else if error.is_dns() {
            Self::Resolve
        } else if error.is_connect() && is_tls(error) {
            Self::Tls
        } else if error.is_connect() {
            Self::Connect
        } else if error.is_redirect() {
            Self::Redirect
        } else {
            Self::Interrupted
        }
    }

    /// What the user can do. `trusted` names the trusted certificates, unless they are the system's.
    pub(crate) fn advice(self, proxy: Option<&Proxy>, trusted: Option<&str>) -> String {
        match (self, proxy, trusted) {
            (Self::ProxyLogin, Some(proxy), _) => return proxy.login_advice(),
            (Self::Tls, _, Some(trusted)) => {
                return format!(
                    "only the certificates of {trusted} are trusted; add the certificate of the \
                     authority that signed the server's, or unset the variable"
                );
            }
            (Self::ProxyLogin, None, _) => "set HTTPS_PROXY with a user name and a password",
            (Self::Resolve | Self::Connect, Some(_), _) => {
                "check the address of the proxy, and that the proxy is running"
            }
            (Self::Resolve | Self::Connect, None, _) => "check the address and the network",
            (Self::Tls, _, None) => {
                "check the address and the server's certificate, and that the authority that \
                 signed it is installed; AWS_CA_BUNDLE or SSL_CERT_FILE can name other certificates"
            }
            (Self::Timeout, ..) => "try again, or allow more time",
            (Self::Redirect, ..) => "use the address that the server redirects to",
            (Self::Interrupted, ..) => "try again",
        }
        .to_owned()
    }
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Resolve => "the host name does not resolve",
            Self::Connect => "no connection",
            Self::Tls => "no trusted connection",
            Self::Timeout => "no answer in time",
            Self::Redirect => "too many redirects, or a redirect from https to http",
            Self::Interrupted => "the connection broke off",
            Self::ProxyLogin => "the proxy requires a user name and a password (407)",
        })
    }
}

/// The text of a cause whose type is not kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CauseText(pub(crate) String);

impl CauseText {
    /// The innermost cause of an error. The outer causes only repeat, in other words, that there was
    /// no connection.
    pub(crate) fn innermost(error: &reqwest::Error) -> Self {
        let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
        Self(one_line(&text).into_owned())
    }
}

/// An error and its causes, the outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    iter::successors(Some(first), |&cause| cause.source())
}

/// Whether the proxy refused to open a tunnel without a login. Only the message tells: the type of
/// the error is private to the connector.
fn is_proxy_login(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.to_string().ends_with("proxy authorization required"))
}

/// Whether the server was reached, but did not offer TLS that can be trusted. Before a connection is
/// established, nothing else is reported as invalid data.
fn is_tls(error: &reqwest::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        // `source` skips an I/O error that is wrapped in another; `get_ref` finds it.
        .flat_map(|error| iter::successors(Some(error), |error| error.get_ref()?.downcast_ref()))
        .any(|error| error.kind() == io::ErrorKind::InvalidData)
}
