//! AWS's SDK, sent through the client's own sockets: the proxies and the certificates that the
//! environment names count for its calls as they do for everything else that this crate asks.

use std::error::Error as StdError;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use reqwest::redirect;
use url::{Host, Url};

use super::AwsError;
use crate::proxy::Proxies;
use crate::transport::{prepared, variable};
use crate::trust::Trust;
use crate::{Error, TransportFailure};

const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// How long a call without a body may take.
const LONGEST_CALL: Duration = Duration::from_mins(1);

/// The slowest line, in bytes per second, over which a body is still sent to its end.
const SLOWEST_UPLOAD: u64 = 50_000;

/// The HTTP client for AWS's SDK.
///
/// [`Layers::from_env`](super::Layers::from_env) uses it. To load a configuration of your own, hand
/// it to `aws_config::ConfigLoader::http_client`, so that credentials, too, are asked for with the
/// proxies and certificates that the environment names.
///
/// # Errors
///
/// [`AwsError::Setup`] if the certificates to trust cannot be read.
pub fn http_client() -> Result<SharedHttpClient, AwsError> {
    let trust = Trust::new(variable).map_err(AwsError::setup)?;
    let trusted = trust.as_ref().map(|trust| trust.named_by.clone());
    let proxies = Proxies::new(variable);
    let built = |builder: reqwest::ClientBuilder| {
        // A request is signed for one address, and is worth nothing at another.
        let builder = builder.redirect(redirect::Policy::none()).connect_timeout(LONGEST_CONNECT);
        builder.build().map_err(AwsError::setup)
    };
    let http = built(prepared(&proxies, trust))?;
    let machine = built(reqwest::Client::builder().no_proxy())?;
    Ok(SharedHttpClient::new(Connector(Arc::new(Sockets { http, machine, proxies, trusted }))))
}

#[derive(Clone, Debug)]
struct Connector(Arc<Sockets>);

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sockets = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { sockets.send(request).await })
    }
}

#[derive(Debug)]
struct Sockets {
    http: reqwest::Client,
    /// Asks the services of the machine itself, which hand out credentials.
    machine: reqwest::Client,
    proxies: Proxies,
    /// The certificates that are trusted, where they are not those of the system.
    trusted: Option<String>,
}

impl Sockets {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let url: Url = request.uri().parse().map_err(user)?;
        let (head, body) = request.try_into_http1x().map_err(user)?.into_parts();
        let body = body.bytes().ok_or_else(|| user("the body is a stream"))?;
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let failed = |error| self.failed(&url, error);
        let http = if is_of_the_machine(&url) { &self.machine } else { &self.http };
        let mut response = http
            .request(head.method, url.clone())
            .headers(head.headers)
            .body(body.to_vec())
            .timeout(LONGEST_CALL + Duration::from_secs(size / SLOWEST_UPLOAD))
            .send()
            .await
            .map_err(failed)?;
        let status = response.status().as_u16().try_into().map_err(user)?;
        let headers = std::mem::take(response.headers_mut());
        let body = response.bytes().await.map_err(failed)?;
        let mut answer = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in &headers {
            // No header that a call reads is anything but text.
            if let Ok(value) = value.to_str() {
                answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    /// An error as the SDK sorts them, which decides what it tries again, in the words of the client.
    fn failed(&self, url: &Url, error: reqwest::Error) -> ConnectorError {
        let kind = match TransportFailure::of(&error) {
            TransportFailure::Timeout => ConnectorError::timeout,
            // The same the next time.
            TransportFailure::Tls | TransportFailure::ProxyLogin => ConnectorError::user,
            _ => ConnectorError::io,
        };
        let proxy = self.proxies.of(url);
        kind(Error::transport(url, proxy.as_ref(), self.trusted.as_deref(), error).into())
    }
}

/// Whether an address is that of EC2's or ECS's metadata service. No proxy can reach the service of
/// this machine, and none may see the credentials that it hands out.
fn is_of_the_machine(url: &Url) -> bool {
    const EC2: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address == EC2,
        Some(Host::Domain(_)) | None => false,
    }
}

/// A request that cannot be sent, or an answer that is none.
fn user(error: impl Into<Box<dyn StdError + Send + Sync>>) -> ConnectorError {
    ConnectorError::user(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_of_the_machine() {
        for (url, expected) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.2/v2/credentials", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("https://lambda.eu-west-1.amazonaws.com/", false),
            ("http://127.0.0.1:4566/", false),
            ("http://[::1]:4566/", false),
        ] {
            assert_eq!(is_of_the_machine(&url.parse().expect("a URL")), expected, "{url}");
        }
    }
}
