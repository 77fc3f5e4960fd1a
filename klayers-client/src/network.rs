//! The proxies and the trusted certificates that the environment names. Every HTTP client of this
//! crate is built from one [`Network`].

use url::Url;

use crate::Error;
use crate::environment::variable;
use crate::proxy::{Proxies, Proxy};
use crate::trust::TrustedCertificates;

/// How this process reaches servers.
#[derive(Debug)]
pub(crate) struct Network {
    proxies: Proxies,
    /// The trusted certificates, unless they are the system's.
    trusted: Option<TrustedCertificates>,
}

impl Network {
    /// The network that the environment describes.
    pub(crate) fn from_env() -> Result<Self, Error> {
        Ok(Self { proxies: Proxies::new(variable), trusted: TrustedCertificates::new(variable)? })
    }

    /// A builder of HTTP clients with these proxies and certificates.
    pub(crate) fn http_client(&self) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder();
        let builder = if self.proxies.off { builder.no_proxy() } else { builder };
        match &self.trusted {
            Some(trusted) => builder.tls_certs_only(trusted.certificates.clone()),
            None => builder,
        }
    }

    /// The proxy for an address.
    pub(crate) fn proxy(&self, url: &Url) -> Option<Proxy> {
        self.proxies.of(url)
    }

    /// Describes a failed request, with the proxy and the certificates that it used.
    pub(crate) fn failed(&self, url: &Url, error: reqwest::Error) -> Error {
        let trusted = self.trusted.as_ref().map(|trusted| trusted.named_by.as_str());
        Error::transport(url, self.proxy(url).as_ref(), trusted, error)
    }
}
