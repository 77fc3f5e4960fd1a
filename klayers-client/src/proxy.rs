//! Through which proxy a server is asked, as curl, pip and the AWS CLI find it: `HTTPS_PROXY` or
//! `HTTP_PROXY`, then `ALL_PROXY`, but for the hosts in `NO_PROXY`; in lower case, too.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// What the environment, or the system, says of proxies.
#[derive(Debug)]
pub(crate) struct Proxies {
    matcher: Matcher,
    /// The variables that are set, by the scheme of the addresses they are for.
    https: Option<&'static str>,
    http: Option<&'static str>,
    /// Whether no host is asked through a proxy.
    pub(crate) off: bool,
}

/// A proxy, and the variable that set it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Proxy {
    /// Without a user name and password.
    address: String,
    variable: Option<&'static str>,
}

impl Proxies {
    /// Reads which variables are set with `get`. Their values are read where the connections are
    /// made.
    pub(crate) fn new(get: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| names.into_iter().find(|name| get(name).is_some());
        let is_set = |name: &&'static str| get(name).is_some_and(|value| !value.is_empty());
        let all = first(["ALL_PROXY", "all_proxy"]).filter(is_set);
        let no = first(["NO_PROXY", "no_proxy"]).and_then(&get).unwrap_or_default();
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]).filter(is_set).or(all),
            http: first(["HTTP_PROXY", "http_proxy"]).filter(is_set).or(all),
            // The matcher takes a star for all names, but not for addresses.
            off: no.split(',').any(|entry| entry.trim() == "*"),
            matcher: Matcher::from_system(),
        }
    }

    /// The proxy through which an address is asked.
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
    /// What to do where the proxy asks for a login.
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
