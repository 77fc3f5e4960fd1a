//! Telling somebody what a run did: its summary, posted to a URL.

use std::fmt;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use klayers_catalog::report::RunReport;

/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is tried.
const TRIES: u32 = 3;
/// How long the second try waits; the third waits twice as long.
const WAIT: Duration = Duration::from_millis(500);
/// How many failures a message has room for.
const FAILURES: usize = 20;
/// How long a message may be, in characters: Slack cuts what is longer than 40,000, and asks for
/// [4,000](https://docs.slack.dev/reference/methods/chat.postMessage#truncating).
const LONGEST: usize = 4_000;

/// Which runs are told of, and how.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NotifyConfig {
    /// Where to; nobody is told anything without one.
    pub url: Option<SecretUrl>,
    /// In which format.
    pub format: NotifyFormat,
    /// Of which runs.
    pub on: NotifyOn,
}

/// The format of what is posted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyFormat {
    /// Numbers and names, for a program.
    #[default]
    Json,
    /// A message, as an incoming webhook of Slack takes it; others take the same.
    Slack,
}

/// Which runs are told of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOn {
    /// Those of which something failed.
    #[default]
    Failure,
    /// All.
    Always,
}

/// A URL that whoever knows it may post to, so that it is shown to nobody.
#[derive(Clone, Eq, PartialEq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Reads a URL of scheme `http` or `https`; none if it is not one. What it is instead is not
    /// told, since it may be the URL with a slip of the pen.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Self(url))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}

/// Posts the summaries of runs.
#[derive(Clone, Debug)]
pub struct Notifier {
    url: SecretUrl,
    format: NotifyFormat,
    on: NotifyOn,
    timeout: Duration,
}

impl Notifier {
    /// A notifier as it is configured; none if nobody is to be told anything.
    pub fn new(config: &NotifyConfig) -> Option<Self> {
        let NotifyConfig { url, format, on } = config.clone();
        Some(Self { url: url?, format, on, timeout: TIMEOUT })
    }

    /// The same with another time that one try may take than 10 seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Tells of a run, under its number where it has one, if it is one that is told of; says
    /// whether it was.
    ///
    /// # Errors
    ///
    /// If it could not be told of in three tries, or was refused. No error holds the URL.
    pub async fn notify(
        &self,
        number: Option<u64>,
        report: &RunReport,
    ) -> Result<bool, NotifyError> {
        if self.on == NotifyOn::Failure && report.is_complete() {
            return Ok(false);
        }
        let body = self.format.body(number, report).to_string();
        // Wherever else the answer points, that is not what was configured.
        let client = Client::builder()
            .user_agent(concat!("klayers-pipeline/", env!("CARGO_PKG_VERSION")))
            .timeout(self.timeout)
            .redirect(Policy::none())
            .build()
            .map_err(NotifyError::unanswered)?;
        let mut attempt = 1;
        loop {
            match self.post(&client, body.clone()).await {
                Ok(()) => return Ok(true),
                Err(error) if attempt == TRIES || !error.may_pass() => return Err(error),
                Err(_) => tokio::time::sleep(WAIT * attempt).await,
            }
            attempt += 1;
        }
    }

    async fn post(&self, client: &Client, body: String) -> Result<(), NotifyError> {
        let SecretUrl(url) = self.url.clone();
        let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        let status = request.send().await.map_err(NotifyError::unanswered)?.status();
        if status.is_success() { Ok(()) } else { Err(NotifyError::Status(status)) }
    }
}

impl NotifyFormat {
    fn body(self, number: Option<u64>, report: &RunReport) -> Value {
        let text = message(number, report);
        match self {
            Self::Json => json!({
                "run": number,
                "complete": report.is_complete(),
                "begunAt": report.begun_at,
                "milliseconds": report.milliseconds,
                "scheduled": report.scheduled,
                "whole": report.whole,
                "layers": report.layers,
                "built": report.built.len(),
                "unchanged": report.unchanged,
                "failed": report.failed,
                "published": report.published,
                "completed": report.completed,
                "failures": report.failures,
                "warnings": report.warnings,
                "slowest": report.slowest(),
                "biggest": report.biggest(),
                "text": text,
            }),
            // https://docs.slack.dev/messaging/formatting-message-text#escaping
            Self::Slack => json!({
                "text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            }),
        }
    }
}

/// What is told to people.
fn message(number: Option<u64>, report: &RunReport) -> String {
    let number = number.map(|number| format!(" {number}")).unwrap_or_default();
    let outcome = if report.is_complete() { "done" } else { "failed in part" };
    let summary = report.summary().with_failures(FAILURES);
    let text = format!("Klayers run{number} of {:.0}: {outcome}\n{summary}", report.begun_at);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Why nobody could be told. The URL is in none of these: it is a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// There was no answer.
    #[error("the URL in [notify] did not answer")]
    Unanswered(#[source] reqwest::Error),
    /// The answer was not that it was taken.
    #[error("the URL in [notify] answered with the status {0}")]
    Status(StatusCode),
}

impl NotifyError {
    fn unanswered(error: reqwest::Error) -> Self {
        Self::Unanswered(error.without_url())
    }

    /// Whether the same may be answered otherwise a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Status(status) => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
        }
    }
}
