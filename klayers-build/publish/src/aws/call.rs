//! One call to AWS: rate-limited, within its time limits, and retried where that does no harm.
//!
//! | what happened | a call that may be repeated | publishing |
//! | --- | --- | --- |
//! | throttled (429, `TooManyRequestsException`, …) | 10 attempts | 10 attempts |
//! | 5xx, half an answer, S3's 200 with an error in it | 4 attempts | 1 attempt: it may have succeeded |
//! | no answer in time | 2 attempts | 1 attempt: it may have succeeded |
//! | no connection | 4 attempts | 1 attempt, since a later run tries again |
//! | anything else | 1 attempt | 1 attempt |
//!
//! Which statuses are repeated, and how long the waits are, is the rule of
//! [`klayers_core::retry`]. A call ends within its [`Timeouts`], with the error of its last attempt.

use std::fmt::Debug;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use klayers_core::Region;
use klayers_core::retry::{Attempt, RetryPolicy};
use tracing::debug;

use super::accounts::Access;
use super::timeouts::{SILENT_ATTEMPTS, Timeouts};
use crate::{AwsError, AwsErrorKind};

/// The most attempts of a call without a usable answer.
const ATTEMPTS: u32 = 4;
/// The most attempts of a call that is throttled. With the waits between them, they take a minute
/// or two.
const THROTTLED_ATTEMPTS: u32 = 10;
/// The longest wait before the second attempt, and before any.
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(20);

pub(crate) type AwsResult<T> = Result<T, Box<AwsError>>;

/// A call of an operation in a region.
#[derive(Debug)]
pub struct Call<'a> {
    operation: &'static str,
    region: &'a Region,
    access: Arc<Access>,
    timeouts: Timeouts,
}

impl<'a> Call<'a> {
    /// A query or a small change.
    pub fn new(operation: &'static str, region: &'a Region, access: Arc<Access>) -> Self {
        Self { operation, region, access, timeouts: Timeouts::QUERY }
    }

    /// Sets other time limits.
    pub(super) fn within(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// Calls until there is an answer, if there is hope for one.
    ///
    /// # Errors
    ///
    /// If there was no answer, or the last one was an error.
    pub async fn repeated<T, E, F>(&self, send: impl Fn() -> F) -> AwsResult<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call(send, ATTEMPTS).await
    }

    /// Requests page after page, each with retries as in [`repeated`](Self::repeated). `next`
    /// returns the marker of the page after a page.
    pub(super) async fn pages<T, E, F>(
        &self,
        send: impl Fn(Option<String>) -> F,
        next: impl Fn(&T) -> Option<&str>,
    ) -> AwsResult<Vec<T>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut pages = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let page = self.repeated(|| send(marker.clone())).await?;
            let following = next(&page).filter(|marker| !marker.is_empty()).map(str::to_owned);
            if following.is_some() && following == marker {
                // Otherwise the same page would be requested forever.
                return Err(self.incomplete("NextMarker"));
            }
            marker = following;
            pages.push(page);
            if marker.is_none() {
                return Ok(pages);
            }
        }
    }

    /// Calls again only where nothing was done.
    pub(super) async fn once<T, E, F>(&self, send: impl Fn() -> F) -> AwsResult<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call(send, 1).await
    }

    async fn call<T, E, F>(&self, send: impl Fn() -> F, attempts: u32) -> AwsResult<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (mut unanswered, mut throttled) = (0, 0);
        self.access.until_ready().await;
        let begun = Instant::now();
        let total = self.timeouts.total.min(self.access.deadline());
        loop {
            let left = total.saturating_sub(begun.elapsed());
            let mut error = match self.attempt(Box::pin(send()), left).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(outcome) = error.outcome() else { return Err(error) };
            let (number, limit) = match error.kind() {
                AwsErrorKind::Throttled { .. } => (&mut throttled, THROTTLED_ATTEMPTS),
                AwsErrorKind::Silent => (&mut unanswered, attempts.min(SILENT_ATTEMPTS)),
                _ => (&mut unanswered, attempts),
            };
            *number += 1;
            let time_left = total.saturating_sub(begun.elapsed());
            let attempt = Attempt { number: *number, outcome, time_left, random: fastrand::f64() };
            let Some(wait) = policy(limit).next_delay(&attempt) else {
                error.lasted(begun.elapsed());
                return Err(error);
            };
            debug!(operation = self.operation, region = %self.region, ?wait, %error, "call repeated");
            tokio::time::sleep(wait).await;
            self.access.until_ready().await;
        }
    }

    /// Waits for the answer to one request, and warns if it takes long. The future is boxed because
    /// it is large.
    async fn attempt<T, E, F>(&self, sent: Pin<Box<F>>, left: Duration) -> AwsResult<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let limit = self.timeouts.attempt.min(left);
        let watch = self.access.watch();
        let _waiting = watch.begin(Instant::now());
        let mut sent = pin!(tokio::time::timeout(limit, sent));
        let answer = loop {
            let next_check =
                watch.warn_if_silent(self.region, self.timeouts.sending, Instant::now());
            if let Ok(answer) = tokio::time::timeout(next_check, &mut sent).await {
                break answer;
            }
        };
        let Ok(answer) = answer else {
            return Err(AwsError::silent(self.operation, self.region, limit));
        };
        let answer = answer.map_err(|error| AwsError::new(self.operation, self.region, error));
        let throttled = matches!(&answer, Err(error) if error.is_throttled());
        watch.answered(self.region, throttled, Instant::now());
        answer
    }

    /// The error of an answer that lacks a required field.
    pub(super) fn incomplete(&self, field: &'static str) -> Box<AwsError> {
        AwsError::incomplete(self.operation, self.region, field)
    }
}

fn policy(attempts: u32) -> RetryPolicy {
    RetryPolicy::default().attempts(attempts).first_delay(FIRST_DELAY).longest_delay(LONGEST_DELAY)
}
