use std::time::Duration;

use klayers_core::retry::{Attempt, Outcome};
use reqwest::header::{self, HeaderMap};
use reqwest::redirect;
use tokio::time::sleep;
use url::Url;

use crate::clock::{Deadline, now};
use crate::display::without_login;
use crate::network::Network;
use crate::response::{Response, Times};
use crate::{Error, RetryPolicy, encoding};

/// The limit of a body, in bytes. A list of 1,000 layers has about 200,000 bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024 * 1024;

/// The limit of redirects per request.
const MAX_REDIRECTS: usize = 5;

/// The timeouts, the user agent and the retries of a client.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) user_agent: String,
    pub(crate) retries: RetryPolicy,
}

/// Sends requests, repeats them as the retry policy says, and returns the responses.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    network: Network,
    total_timeout: Duration,
    retries: RetryPolicy,
}

impl Transport {
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        let network = Network::from_env()?;
        let Options { connect_timeout, read_timeout, total_timeout, user_agent, retries } = options;
        let http = network
            .http_client()
            .connect_timeout(connect_timeout)
            .read_timeout(read_timeout)
            .user_agent(user_agent)
            .redirect(redirect::Policy::custom(follow))
            .build()
            .map_err(Error::setup)?;
        Ok(Self { http, network, total_timeout, retries })
    }

    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.total_timeout)
    }

    /// Requests an address. `conditions` are additional header fields.
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
            let (time_left, random) = (deadline.left(), fastrand::f64());
            let attempt = Attempt { number, outcome, time_left, random };
            let Some(wait) = self.retries.next_delay(&attempt) else { return result };
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
            .map_err(|error| self.network.failed(url, error))?;
        let received = now();
        let url = response.url().clone();
        let too_large = || Error::TooLarge { url: without_login(&url), limit: MAX_BODY };
        let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        let failed = |error| self.network.failed(&url, error);
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        if status == 407
            && let Some(proxy) = self.network.proxy(&url)
        {
            return Err(Error::proxy_login(&url, &proxy));
        }
        let headers = std::mem::take(response.headers_mut());
        let body = match encoding::decode(&headers, body, MAX_BODY) {
            Ok(body) => body,
            // The body of any other status is not needed.
            Err(_) if status != 200 => Vec::new(),
            Err(error) => return Err(error.into_error(&url)),
        };
        Ok(Response { status, headers, body, times: Times { sent, received }, url })
    }
}

/// How a request failed, for the retry policy to judge. `None` if it succeeded, or failed in a way
/// that no repetition changes.
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

/// Follows a redirect, unless there were too many or it loses encryption.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    let from = attempt.previous().last();
    if from.is_some_and(|from| loses_encryption(from, attempt.url())) {
        return attempt.error("a redirect from https to http");
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
    fn redirects_from_https_to_http_lose_encryption() {
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
