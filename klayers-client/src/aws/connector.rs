//! An HTTP client for AWS's SDK that uses the same proxies and certificates as all other requests of
//! this crate.

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
use crate::TransportFailure;
use crate::failure::transport_failure;
use crate::network::Network;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit of a call without a body.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The lowest upload speed that a call's time limit allows for, in bytes per second.
const MIN_UPLOAD_SPEED: u64 = 50_000;

/// The HTTP client for AWS's SDK.
///
/// [`Layers::from_env`](super::Layers::from_env) uses this client. If you load a configuration of
/// your own, pass the client to `aws_config::ConfigLoader::http_client`. Requests for credentials
/// then use the proxies and certificates that the environment names, too.
///
/// # Errors
///
/// [`AwsError::Setup`] if the certificates to trust cannot be read.
pub fn http_client() -> Result<SharedHttpClient, AwsError> {
    sdk_client(Network::from_env().map_err(AwsError::setup)?)
}

/// The HTTP client for AWS's SDK over a network.
pub(super) fn sdk_client(network: Network) -> Result<SharedHttpClient, AwsError> {
    let build = |builder: reqwest::ClientBuilder| {
        // A request is signed for one address and not valid at another.
        let builder = builder.redirect(redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT);
        builder.build().map_err(AwsError::setup)
    };
    let http = build(network.http_client())?;
    let metadata = build(reqwest::Client::builder().no_proxy())?;
    Ok(SharedHttpClient::new(Connector(Arc::new(Clients { http, metadata, network }))))
}

#[derive(Clone, Debug)]
struct Connector(Arc<Clients>);

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
        let clients = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { clients.send(request).await })
    }
}

#[derive(Debug)]
struct Clients {
    http: reqwest::Client,
    /// For the metadata services of the machine, which hand out credentials.
    metadata: reqwest::Client,
    network: Network,
}

impl Clients {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let url: Url = request.uri().parse().map_err(user)?;
        let (head, body) = request.try_into_http1x().map_err(user)?.into_parts();
        let body = body.bytes().ok_or_else(|| user("the body is a stream"))?;
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let failed = |error| self.failed(&url, error);
        let http = if is_metadata_service(&url) { &self.metadata } else { &self.http };
        let mut response = http
            .request(head.method, url.clone())
            .headers(head.headers)
            .body(body.to_vec())
            .timeout(CALL_TIMEOUT + Duration::from_secs(size / MIN_UPLOAD_SPEED))
            .send()
            .await
            .map_err(failed)?;
        let status = response.status().as_u16().try_into().map_err(user)?;
        let headers = std::mem::take(response.headers_mut());
        let body = response.bytes().await.map_err(failed)?;
        let mut answer = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in &headers {
            // All headers that the SDK reads are text.
            if let Ok(value) = value.to_str() {
                answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    /// Classifies an error for the SDK, which decides by the class whether to retry the call.
    fn failed(&self, url: &Url, error: reqwest::Error) -> ConnectorError {
        let kind = match transport_failure(&error) {
            TransportFailure::Timeout => ConnectorError::timeout,
            // A retry would fail in the same way.
            TransportFailure::Tls | TransportFailure::ProxyLogin => ConnectorError::user,
            _ => ConnectorError::io,
        };
        kind(self.network.failed(url, error).into())
    }
}

/// Whether an address belongs to the metadata service of EC2 or ECS. A proxy cannot reach this
/// machine's service, and must not see the credentials that the service hands out.
fn is_metadata_service(url: &Url) -> bool {
    const EC2: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address == EC2,
        Some(Host::Domain(_)) | None => false,
    }
}

/// An error that a retry does not help: the request cannot be sent, or the response is malformed.
fn user(error: impl Into<Box<dyn StdError + Send + Sync>>) -> ConnectorError {
    ConnectorError::user(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_recognised() {
        for (url, expected) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.2/v2/credentials", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("https://lambda.eu-west-1.amazonaws.com/", false),
            ("http://127.0.0.1:4566/", false),
            ("http://[::1]:4566/", false),
        ] {
            assert_eq!(is_metadata_service(&url.parse().expect("a URL")), expected, "{url}");
        }
    }
}
