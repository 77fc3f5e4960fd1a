//! One call to AWS: in its turn, and again where that cannot do harm.
//!
//! | what happened | a call that may be repeated | publishing |
//! | --- | --- | --- |
//! | throttled (429, `TooManyRequestsException`, …) | again, after the time that AWS says or a growing one | again |
//! | 5xx, no answer, half an answer | again, four times in all | never: it may have been done |
//! | refused before anything was sent | again, four times in all | never, since it can be tried later |
//! | anything else | no | no |

use std::fmt::Debug;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use klayers_core::Region;
use tracing::debug;

use super::accounts::Limit;
use super::error::{AwsError, Fault};

/// How often a call is made that does not get an answer.
const ATTEMPTS: u32 = 4;
/// How often a call is made that is throttled: with the waits between them, for a minute or two.
const THROTTLED_ATTEMPTS: u32 = 10;
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(20);

pub(crate) type Answer<T> = Result<T, Box<AwsError>>;

/// A call of an operation in a region.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) region: &'a Region,
    pub(crate) limit: Limit,
}

impl Call<'_> {
    /// Calls until there is an answer, if there is hope for one.
    pub(crate) async fn repeated<T, E, F>(&self, send: impl Fn() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call(send, ATTEMPTS).await
    }

    /// Asks for page after page, each as [`repeated`](Self::repeated) does; `next` says of a page
    /// where the next begins.
    pub(super) async fn pages<T, E, F>(
        &self,
        send: impl Fn(Option<String>) -> F,
        next: impl Fn(&T) -> Option<&str>,
    ) -> Answer<Vec<T>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut pages = Vec::new();
        let mut marker = None;
        loop {
            let page = self.repeated(|| send(marker.clone())).await?;
            marker = next(&page).filter(|marker| !marker.is_empty()).map(str::to_owned);
            pages.push(page);
            if marker.is_none() {
                return Ok(pages);
            }
        }
    }

    /// Calls again only where nothing was done.
    pub(super) async fn once<T, E, F>(&self, send: impl Fn() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call(send, 1).await
    }

    async fn call<T, E, F>(&self, send: impl Fn() -> F, attempts: u32) -> Answer<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (mut unanswered, mut throttled) = (0, 0);
        loop {
            self.limit.until_ready().await;
            let error = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => AwsError::new(self.operation, self.region, error),
            };
            let (attempt, limit) = match error.fault() {
                Fault::Throttled { .. } => (&mut throttled, THROTTLED_ATTEMPTS),
                Fault::Unclear | Fault::Unreachable => (&mut unanswered, attempts),
                _ => return Err(error),
            };
            *attempt += 1;
            if *attempt >= limit {
                return Err(error);
            }
            let wait = match error.fault() {
                Fault::Throttled { retry_after: Some(told) } => *told,
                _ => backoff(*attempt),
            };
            debug!(operation = self.operation, region = %self.region, ?wait, %error, "call repeated");
            tokio::time::sleep(wait).await;
        }
    }

    /// An answer without something that it must have.
    pub(super) fn incomplete(&self, field: &'static str) -> Box<AwsError> {
        AwsError::incomplete(self.operation, self.region, field)
    }
}

/// Doubles with each attempt, up to a bound; of that a random half to whole, so that callers that
/// failed together do not come back together.
fn backoff(attempt: u32) -> Duration {
    let longest = SHORTEST_WAIT.saturating_mul(1 << attempt.min(16)).min(LONGEST_WAIT);
    longest.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}
