use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect;
use tokio::time::Instant;
use url::Url;

use crate::Error;
use crate::error::shown;
use crate::protocol::Answer;

/// The longest body that is read, in bytes. A list of 1,000 layers has about 200,000.
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// The most redirections that are followed.
const MOST_REDIRECTS: usize = 5;

/// How a client waits and what it calls itself.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) user_agent: String,
}

/// The socket: asks an address, and brings what it answered.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    total_timeout: Duration,
}

impl Transport {
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .user_agent(options.user_agent)
            .redirect(redirect::Policy::custom(follow))
            .build()
            .map_err(Error::setup)?;
        Ok(Self { http, total_timeout: options.total_timeout })
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.total_timeout)
    }

    pub(crate) async fn get(&self, url: Url, deadline: Deadline) -> Result<Answer, Error> {
        let mut response = self
            .http
            .get(url.clone())
            .header(ACCEPT, "application/json")
            .timeout(deadline.0.saturating_duration_since(Instant::now()))
            .send()
            .await
            .map_err(|error| Error::transport(&url, error))?;
        let url = response.url().clone();
        let too_large = || Error::TooLarge { url: shown(&url), limit: LONGEST_BODY };
        let longest = u64::try_from(LONGEST_BODY).unwrap_or(u64::MAX);
        if response.content_length().is_some_and(|length| length > longest) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| Error::transport(&url, error))?
        {
            if body.len() + chunk.len() > LONGEST_BODY {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let content_type = response.headers().get(CONTENT_TYPE);
        Ok(Answer {
            status: response.status().as_u16(),
            content_type: content_type
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into()),
            body,
            url,
        })
    }
}

/// The end of the time that a call has, over all its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

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
