//! Finds the proxy for an address, as curl, pip and the AWS CLI do: `HTTPS_PROXY` or `HTTP_PROXY`,
//! then `ALL_PROXY`, except for the hosts in `NO_PROXY`. The variables may be in lower case.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// The proxies that the environment or the system names.
#[derive(Debug)]
pub(crate) struct Proxies {
    matcher: Matcher,
    /// The variable that names the proxy for addresses of this scheme.
    https: Option<&'static str>,
    http: Option<&'static str>,
    /// Whether all hosts are reached without a proxy.
    pub(crate) off: bool,
}

/// A proxy, and the variable that names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Proxy {
    /// Without the user name and the password.
    address: String,
    variable: Option<&'static str>,
}

impl Proxies {
    /// Finds out with `get` which variables are set. The HTTP client and the matcher read the
    /// addresses themselves.
    pub(crate) fn new(get: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| names.into_iter().find(|name| get(name).is_some());
        let is_set = |name: &&'static str| get(name).is_some_and(|value| !value.is_empty());
        let all = first(["ALL_PROXY", "all_proxy"]).filter(is_set);
        let no = first(["NO_PROXY", "no_proxy"]).and_then(&get).unwrap_or_default();
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]).filter(is_set).or(all),
            http: first(["HTTP_PROXY", "http_proxy"]).filter(is_set).or(all),
            // The matcher applies a star to host names, but not to IP addresses.
            off: no.split(',').any(|entry| entry.trim() == "*"),
            matcher: Matcher::from_system(),
        }
    }

    /// The proxy for an address.
    pub(crate) fn of(&self, url: &Url) -> Option<Proxy> {
        if self.off {
            return None;
        }
        let found = self.matcher.intercept(&url.as_str().parse().ok()?)?;
        let variable = if url.scheme() == "https" { self.https } else { self.http };
        Some(Proxy { address: found.uri().to_string().trim_end_matches('/').to_owned(), variable })
    }
}

impl Proxy {
    /// What the user can do if the proxy requires a login.
    pub(crate) fn login_advice(&self) -> String {
        let (scheme, host) = self.address.split_once("://").unwrap_or(("http", &self.address));
        let form = format!("{scheme}://USER:PASSWORD@{host}");
        match self.variable {
            Some(variable) => format!(
                "put the user name and the password into {variable}, as in {variable}={form}"
            ),
            None => format!(
                "set HTTPS_PROXY with the user name and the password, as in HTTPS_PROXY={form}"
            ),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variable {
            Some(variable) => write!(formatter, "{} ({variable})", self.address),
            None => write!(formatter, "{} (the system's settings)", self.address),
        }
    }
}
