//! What a server answered, as a value.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use klayers_core::api::Problem;
use reqwest::header::{self, HeaderMap, HeaderName};
use url::Url;

use crate::Error;
use crate::error::{printable, shown};
use crate::retry::retry_after;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Response {
    /// The address that answered, behind all redirections.
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) times: Times,
}

/// When a request was sent, and when the head of its answer was there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Times {
    pub(crate) sent: SystemTime,
    pub(crate) received: SystemTime,
}

impl Response {
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The error that a status other than the wanted one is.
    pub(crate) fn status_error(&self) -> Error {
        Error::Status {
            url: shown(&self.url),
            status: self.status,
            detail: self.detail(),
            retry_after: self.retry_after(),
        }
    }

    /// How long the server asks to wait before it is asked again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let date = self.header(&header::DATE);
        retry_after(self.header(&header::RETRY_AFTER)?, date, self.times.received)
    }

    /// The error that an unusable body is.
    pub(crate) fn body_error(&self, source: &serde_json::Error) -> Error {
        let form = match self.headers.get(header::CONTENT_TYPE) {
            Some(value) => {
                format!("content type {}", printable(&String::from_utf8_lossy(value.as_bytes())))
            }
            None => "no content type".to_owned(),
        };
        let page = if form.starts_with("content type text/html") {
            ", a web page as of a network that asks for a login"
        } else {
            ""
        };
        Error::Body {
            url: shown(&self.url),
            reason: format!("it is not the list of layers expected ({form}{page})"),
            source: Some(
                Box::<dyn StdError + Send + Sync>::from(printable(&source.to_string())).into(),
            ),
        }
    }

    pub(crate) fn refuse(&self, reason: String) -> Error {
        Error::Body { url: shown(&self.url), reason, source: None }
    }

    /// What a server says of a status, in a problem body.
    fn detail(&self) -> Option<String> {
        let media_type = self.header(&header::CONTENT_TYPE)?.split(';').next()?.trim();
        if !media_type.eq_ignore_ascii_case(Problem::CONTENT_TYPE) {
            return None;
        }
        let problem: Problem = serde_json::from_slice(&self.body).ok()?;
        Some(printable(&problem.detail.unwrap_or(problem.title)))
    }
}
