//! What went wrong between the client and the server, and what to do about it.

use std::error::Error as StdError;
use std::iter;

use klayers_core::retry::TransportFailure;
use klayers_core::terminal::one_line;

use crate::proxy::Proxy;

/// Classifies an error of the HTTP client.
pub(crate) fn transport_failure(error: &reqwest::Error) -> TransportFailure {
    if error.is_timeout() {
        TransportFailure::Timeout
    } else if error.is_dns() {
        TransportFailure::Resolve
    } else if error.is_connect() {
        TransportFailure::while_connecting(error)
    } else if error.is_redirect() {
        TransportFailure::Redirect
    } else {
        TransportFailure::Interrupted
    }
}

/// What the user can do. `trusted` names the trusted certificates, unless they are the system's.
pub(crate) fn advice(
    failure: TransportFailure,
    proxy: Option<&Proxy>,
    trusted: Option<&str>,
) -> String {
    match (failure, proxy, trusted) {
        (TransportFailure::ProxyLogin, Some(proxy), _) => return proxy.login_advice(),
        (TransportFailure::Tls, _, Some(trusted)) => {
            return format!(
                "only the certificates of {trusted} are trusted; add the certificate of the \
                 authority that signed the server's, or unset the variable"
            );
        }
        (TransportFailure::ProxyLogin, None, _) => {
            "set HTTPS_PROXY with a user name and a password"
        }
        (TransportFailure::Resolve | TransportFailure::Connect, Some(_), _) => {
            "check the address of the proxy, and that the proxy is running"
        }
        (TransportFailure::Resolve | TransportFailure::Connect, None, _) => {
            "check the address and the network"
        }
        (TransportFailure::Tls, _, None) => {
            "check the address and the server's certificate, and that the authority that \
             signed it is installed; AWS_CA_BUNDLE or SSL_CERT_FILE can name other certificates"
        }
        (TransportFailure::Timeout, ..) => "try again, or allow more time",
        (TransportFailure::Redirect, ..) => "use the address that the server redirects to",
        _ => "try again",
    }
    .to_owned()
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
