use std::error::Error as StdError;
use std::time::{Duration, SystemTime};
use std::{io, iter};

use reqwest::header::{self, HeaderMap};
use reqwest::redirect;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::encoding;
use crate::error::shown;
use crate::proxy::Proxies;
use crate::response::{Response, Times};
use crate::retry::{Attempt, Outcome, RetryPolicy};
use crate::trust::Trust;
use crate::{Error, TransportFailure};

/// The longest body that is read, in bytes. A list of 1,000 layers has about 200,000.
pub(crate) const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// The most redirections that are followed.
const MOST_REDIRECTS: usize = 5;

/// How a client waits and what it calls itself.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) user_agent: String,
    pub(crate) retries: RetryPolicy,
}

/// The socket: asks an address, again where that helps, and brings what it answered.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    proxies: Proxies,
    /// The certificates that are trusted, where they are not those of the system.
    trusted: Option<String>,
    total_timeout: Duration,
    retries: RetryPolicy,
}

impl Transport {
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        let trust = Trust::new(variable)?;
        let trusted = trust.as_ref().map(|trust| trust.named_by.clone());
        let proxies = Proxies::new(variable);
        let Options { connect_timeout, read_timeout, total_timeout, user_agent, retries } = options;
        let http = prepared(&proxies, trust)
            .connect_timeout(connect_timeout)
            .read_timeout(read_timeout)
            .user_agent(user_agent)
            .redirect(redirect::Policy::custom(follow))
            .build()
            .map_err(Error::setup)?;
        Ok(Self { http, proxies, trusted, total_timeout, retries })
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.total_timeout)
    }

    /// Asks an address, with `conditions` beside what is always sent.
    pub(crate) async fn get(
        &self,
        url: &Url,
        conditions: &HeaderMap,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let mut number = 1;
        loop {
            let result = self.once(url, conditions, deadline).await;
            let Some(outcome) = outcome(&result) else { return result };
            let (left, random) = (deadline.left(), fastrand::f64());
            let attempt = Attempt { number, outcome, left, random };
            let Some(wait) = self.retries.next(&attempt) else { return result };
            sleep(wait).await;
            number += 1;
        }
    }

    async fn once(
        &self,
        url: &Url,
        conditions: &HeaderMap,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let sent = now();
        let mut response = self
            .http
            .get(url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, encoding::ACCEPTED)
            .headers(conditions.clone())
            .timeout(deadline.left())
            .send()
            .await
            .map_err(|error| self.failed(url, error))?;
        let received = now();
        let url = response.url().clone();
        let too_large = || Error::TooLarge { url: shown(&url), limit: LONGEST_BODY };
        let longest = u64::try_from(LONGEST_BODY).unwrap_or(u64::MAX);
        if response.content_length().is_some_and(|length| length > longest) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&url, error))? {
            if body.len() + chunk.len() > LONGEST_BODY {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        if status == 407
            && let Some(proxy) = self.proxies.of(&url)
        {
            return Err(Error::proxy_login(&url, &proxy));
        }
        let headers = std::mem::take(response.headers_mut());
        let body = match encoding::decode(&headers, body, LONGEST_BODY) {
            Ok(body) => body,
            // Any other status says enough by itself.
            Err(_) if status != 200 => Vec::new(),
            Err(error) => return Err(error.of(&url)),
        };
        Ok(Response { status, headers, body, times: Times { sent, received }, url })
    }

    fn failed(&self, url: &Url, error: reqwest::Error) -> Error {
        Error::transport(url, self.proxies.of(url).as_ref(), self.trusted.as_deref(), error)
    }
}

/// What a policy has to judge; none of what is good, or bad in a way that no repetition changes.
fn outcome(result: &Result<Response, Error>) -> Option<Outcome> {
    match result {
        Ok(response) if response.status < 400 => None,
        Ok(response) => {
            let retry_after = response.retry_after();
            Some(Outcome::Status { status: response.status, retry_after })
        }
        Err(Error::Transport { failure, .. }) => Some(Outcome::Failure(*failure)),
        Err(_) => None,
    }
}

/// A client that asks through the proxies and trusts the certificates that the environment names.
pub(crate) fn prepared(proxies: &Proxies, trust: Option<Trust>) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder();
    let builder = if proxies.off { builder.no_proxy() } else { builder };
    match trust {
        Some(trust) => builder.tls_certs_only(trust.certificates),
        None => builder,
    }
}

/// A variable of the environment. Proxies and certificates are the matter of whoever runs a
/// program, whatever the program is, as in every tool that opens connections.
#[expect(clippy::disallowed_methods, reason = "where the socket is, there is the edge")]
pub(crate) fn variable(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// The clock. Ages of answers are counted by it, for they outlast the process on the disk.
#[expect(clippy::disallowed_methods, reason = "where the socket is, there is the edge")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// The end of the time that a call has, over all its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

impl TransportFailure {
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
}

/// Whether the proxy asked for a login instead of opening a tunnel. It is known by its words alone:
/// the type of the error is private to the connector.
fn is_proxy_login(error: &reqwest::Error) -> bool {
    let first: &(dyn StdError + 'static) = error;
    let mut causes = iter::successors(Some(first), |&cause| cause.source());
    causes.any(|cause| cause.to_string().ends_with("proxy authorization required"))
}

/// Whether the other side was reached, and what it said was no TLS that can be trusted. That is
/// the one cause of data that is invalid before there is a connection.
fn is_tls(error: &reqwest::Error) -> bool {
    let first: &(dyn StdError + 'static) = error;
    let causes = iter::successors(Some(first), |&cause| cause.source());
    // An error of I/O that wraps another is not caused by it, but is it.
    causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .flat_map(|error| iter::successors(Some(error), |error| error.get_ref()?.downcast_ref()))
        .any(|error| error.kind() == io::ErrorKind::InvalidData)
}

fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    if attempt.previous().len() > MOST_REDIRECTS {
        return attempt.error("too many redirections");
    }
    let from = attempt.previous().last();
    if from.is_some_and(|from| loses_encryption(from, attempt.url())) {
        return attempt.error("a redirection from https to http");
    }
    attempt.follow()
}

fn loses_encryption(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_do_not_lose_encryption() {
        let url = |text: &str| -> Url { text.parse().expect("a URL") };
        for (from, to, loses) in [
            ("https://a.example", "https://b.example", false),
            ("http://a.example", "http://b.example", false),
            ("http://a.example", "https://a.example", false),
            ("https://a.example", "http://a.example", true),
        ] {
            assert_eq!(loses_encryption(&url(from), &url(to)), loses, "{from} {to}");
        }
    }
}
