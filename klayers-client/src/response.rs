//! A server's response as a value.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use klayers_core::api::Problem;
use klayers_core::retry::parse_retry_after;
use reqwest::header::{self, HeaderMap, HeaderName};
use url::Url;

use crate::Error;
use crate::display::{server_text, without_login};

/// A server's response.
#[derive(Debug)]
pub(crate) struct Response {
    /// The address that answered, after all redirects.
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) times: Times,
}

/// When a request was sent, and when the head of its response arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Times {
    pub(crate) sent: SystemTime,
    pub(crate) received: SystemTime,
}

impl Response {
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The error for an unexpected status.
    pub(crate) fn status_error(&self) -> Error {
        Error::Status {
            url: without_login(&self.url),
            status: self.status,
            detail: self.detail(),
            retry_after: self.retry_after(),
        }
    }

    /// How long the server asks clients to wait before they ask again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let date = self.header(&header::DATE);
        parse_retry_after(self.header(&header::RETRY_AFTER)?, date, self.times.received)
    }

    /// The error for a body that could not be parsed.
    pub(crate) fn body_error(&self, source: &serde_json::Error) -> Error {
        let form = match self.headers.get(header::CONTENT_TYPE) {
            Some(value) => {
                format!("content type {}", server_text(&String::from_utf8_lossy(value.as_bytes())))
            }
            None => "no content type".to_owned(),
        };
        let page = if form.starts_with("content type text/html") {
            ", a web page such as the login page of a network"
        } else {
            ""
        };
        Error::Body {
            url: without_login(&self.url),
            reason: format!("it is not the list of layers expected ({form}{page})"),
            source: Some(
                Box::<dyn StdError + Send + Sync>::from(server_text(&source.to_string())).into(),
            ),
        }
    }

    /// The error for an answer that was parsed but does not match the question.
    pub(crate) fn refuse(&self, reason: String) -> Error {
        Error::Body { url: without_login(&self.url), reason, source: None }
    }

    /// The server's explanation of a status, from a problem body.
    fn detail(&self) -> Option<String> {
        let media_type = self.header(&header::CONTENT_TYPE)?.split(';').next()?.trim();
        if !media_type.eq_ignore_ascii_case(Problem::CONTENT_TYPE) {
            return None;
        }
        let problem: Problem = serde_json::from_slice(&self.body).ok()?;
        Some(server_text(&problem.detail.unwrap_or(problem.title)))
    }
}
