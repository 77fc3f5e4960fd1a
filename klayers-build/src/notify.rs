//! Notifications: posts the summary of a run to a URL.

use std::fmt;
use std::time::Duration;

use klayers_core::retry::{Attempt, Outcome, RetryPolicy};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use klayers_catalog::report::RunReport;
use klayers_layer::fetch::outcome;

/// Timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most requests for one notification.
const ATTEMPTS: u32 = 3;
/// The longest wait before the second request.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest wait between two requests. If the server asks for a longer one, the notification is
/// given up.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The most failures that a message lists.
const FAILURES: usize = 20;
/// The longest message, in characters. Slack truncates after 40,000, and recommends
/// [4,000](https://docs.slack.dev/reference/methods/chat.postMessage#truncating).
const LONGEST: usize = 4_000;

/// Which runs cause a notification, and how it is sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NotifyConfig {
    /// The URL to post to. Without a URL, no notifications are sent.
    pub url: Option<SecretUrl>,
    /// The format of the body.
    pub format: NotifyFormat,
    /// The runs that cause a notification.
    pub on: NotifyOn,
}

/// The format of the posted body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyFormat {
    /// Numbers and names, for a program.
    #[default]
    Json,
    /// A message for an incoming webhook of Slack. Other services accept the same format.
    Slack,
}

/// The runs that cause a notification.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOn {
    /// Runs in which something failed.
    #[default]
    Failure,
    /// All runs.
    Always,
}

/// A webhook URL. Anybody who knows it may post to it, so it is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Parses a URL of scheme `http` or `https`. Other text gives `None` without a reason, since the
    /// reason could show a misspelt secret.
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
    /// Creates the configured notifier. `None` if no URL is configured.
    pub fn new(config: &NotifyConfig) -> Option<Self> {
        let NotifyConfig { url, format, on } = config.clone();
        Some(Self { url: url?, format, on, timeout: TIMEOUT })
    }

    /// Sets the timeout of one request; 10 seconds by default.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends a notification about a run, if runs with this result cause one. Returns whether it was
    /// sent. `number` is the number of the run in the catalog, if the run was recorded.
    ///
    /// # Errors
    ///
    /// If three requests failed, or one failed for good. No error contains the URL.
    pub async fn notify(
        &self,
        number: Option<u64>,
        report: &RunReport,
    ) -> Result<bool, NotifyError> {
        if self.on == NotifyOn::Failure && report.is_complete() {
            return Ok(false);
        }
        let body = self.format.body(number, report).to_string();
        // A redirection leads to a server that nobody configured.
        let client = Client::builder()
            .user_agent(concat!("klayers-pipeline/", env!("CARGO_PKG_VERSION")))
            .timeout(self.timeout)
            .redirect(Policy::none())
            .build()
            .map_err(NotifyError::unanswered)?;
        // Somebody who gets a notification twice is better off than somebody who gets none.
        let policy = RetryPolicy::default().attempts(ATTEMPTS).first_delay(FIRST_DELAY);
        let mut number = 1;
        loop {
            let (error, outcome) = match self.post(&client, body.clone()).await {
                Ok(()) => return Ok(true),
                Err(failure) => failure,
            };
            let wait = outcome.and_then(|outcome| {
                let random = fastrand::f64();
                policy.next_delay(&Attempt { number, outcome, time_left: LONGEST_WAIT, random })
            });
            let Some(wait) = wait else { return Err(error) };
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    /// Posts the notification once. The outcome of a failure is for the retry policy.
    async fn post(
        &self,
        client: &Client,
        body: String,
    ) -> Result<(), (NotifyError, Option<Outcome>)> {
        let SecretUrl(url) = self.url.clone();
        let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let outcome = outcome::of_error(&error);
                return Err((NotifyError::unanswered(error), outcome));
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err((NotifyError::Status(status), Some(outcome::of_response(&response))))
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

/// The message for people.
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

/// Why a notification could not be sent. The URL is a secret, so no variant contains it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// There was no answer.
    #[error("the URL in [notify] did not answer")]
    Unanswered(#[source] reqwest::Error),
    /// The answer was not a success.
    #[error("the URL in [notify] answered with the status {0}")]
    Status(StatusCode),
}

impl NotifyError {
    fn unanswered(error: reqwest::Error) -> Self {
        Self::Unanswered(error.without_url())
    }
}
