//! When a failed request is sent again, and after how long: one rule for the client, for fetching
//! wheels, for reading other collections, and for calls to AWS.
//!
//! The rule is computed from values alone. The caller measures the time, supplies the random
//! number, and sleeps.
//!
//! # Which requests are sent again
//!
//! The rule is for requests that may be repeated without harm: they only read, or they set a value.
//! Requests that must not be sent twice, such as publishing a layer, have a rule of their own.
//!
//! | status | sent again | reason |
//! | --- | --- | --- |
//! | 408 Request Timeout | yes | the request may be repeated ([RFC 9110][408]) |
//! | 425 Too Early | yes | refused only because it came as early data ([RFC 8470][425]) |
//! | 429 Too Many Requests | yes | accepted later ([RFC 6585][429]) |
//! | any other 4xx | no | the request itself is at fault |
//! | 500, 502, 503, 504 | yes | the server, or one behind it, is faulty or overloaded |
//! | 501, 505, 506, 510 | no | the server lacks what the request needs |
//! | 507, 508, 511 | no | somebody has to free space, break a loop, or log in |
//! | any other 5xx, such as 520 to 530 of some networks | yes | an unknown status counts as the x00 of its class ([RFC 9110][unknown]) |
//! | below 400 | no | not a failure |
//!
//! | no complete answer because | sent again | reason |
//! | --- | --- | --- |
//! | the server's name does not resolve | yes | name servers fail for moments |
//! | no connection: refused, unreachable, reset | yes | the server may be restarting |
//! | no trusted connection: a bad certificate, no TLS | no | it stays untrusted, and may be an attack |
//! | no answer in time | yes | the server may be overloaded |
//! | the connection broke off within the answer | yes | the next connection may last |
//! | redirected in a circle, or from https to http | no | the server repeats the redirection |
//! | a proxy asks for a login | no | the login does not change |
//!
//! AWS's SDKs repeat 500, 502, 503 and 504, and treat their own error codes as such a status. Most
//! HTTP libraries that repeat requests take 408, 429 and every 5xx. The table agrees with both but
//! for the statuses of 5xx that do not pass by themselves.
//!
//! # How long to wait
//!
//! The growing delay before attempt `n + 1` is `first_delay × 2ⁿ⁻¹`, at most `longest_delay`. A
//! random part of it, up to half, is left out, so that clients that failed together do not return
//! together.
//!
//! A [`Retry-After`][retry-after] is a lower bound: the wait is the longer of the growing delay and
//! of the requested time plus a random part of `first_delay`. So `Retry-After: 0` and a date in the
//! past change nothing. A `Retry-After` that cannot be read is ignored.
//!
//! A request whose wait would not end within the time left is not repeated. The caller learns at
//! once what it would learn after the wait.
//!
//! [408]: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
//! [425]: https://www.rfc-editor.org/rfc/rfc8470#section-5.2
//! [429]: https://www.rfc-editor.org/rfc/rfc6585#section-4
//! [unknown]: https://www.rfc-editor.org/rfc/rfc9110#section-15
//! [retry-after]: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3

use std::error::Error;
use std::time::{Duration, SystemTime};
use std::{fmt, io, iter};

#[cfg(test)]
mod tests;

/// How many times a request is sent, and how long to wait in between.
///
/// The [module](self) says which requests are repeated and how the wait is computed.
///
/// ```
/// use std::time::Duration;
///
/// use klayers_core::retry::{Attempt, Outcome, RetryPolicy};
///
/// let policy = RetryPolicy::default().attempts(8).longest_delay(Duration::from_secs(20));
/// let attempt = Attempt {
///     number: 1,
///     outcome: Outcome::Status { status: 503, retry_after: Some(Duration::from_secs(3)) },
///     time_left: Duration::from_secs(30),
///     random: 0.0,
/// };
/// assert_eq!(policy.next_delay(&attempt), Some(Duration::from_secs(3)));
///
/// let not_found = Outcome::Status { status: 404, retry_after: None };
/// assert_eq!(policy.next_delay(&Attempt { outcome: not_found, ..attempt }), None);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RetryPolicy {
    attempts: u32,
    first_delay: Duration,
    longest_delay: Duration,
}

impl Default for RetryPolicy {
    /// Four attempts, the second 100 to 200 milliseconds after the first.
    fn default() -> Self {
        Self {
            attempts: 4,
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(5),
        }
    }
}

impl RetryPolicy {
    /// Sends every request once.
    pub fn never() -> Self {
        Self::default().attempts(1)
    }

    /// The most times that a request is sent, including the first; 0 counts as 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The longest wait before the second attempt. It doubles before each further attempt.
    #[must_use]
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// The longest wait before any attempt, unless the server asks for a longer one.
    #[must_use]
    pub fn longest_delay(mut self, delay: Duration) -> Self {
        self.longest_delay = delay;
        self
    }

    /// Whether a request that was answered with this status may be sent again.
    pub fn retries_status(status: u16) -> bool {
        let is_permanent = matches!(status, 501 | 505..=508 | 510 | 511);
        matches!(status, 408 | 425 | 429 | 500..=599) && !is_permanent
    }

    /// Whether a request that failed in this way may be sent again.
    pub fn retries_failure(failure: TransportFailure) -> bool {
        match failure {
            TransportFailure::Resolve
            | TransportFailure::Connect
            | TransportFailure::Timeout
            | TransportFailure::Interrupted => true,
            TransportFailure::Tls | TransportFailure::Redirect | TransportFailure::ProxyLogin => {
                false
            }
        }
    }

    /// How long to wait before the next attempt. `None` if the request is not sent again.
    pub fn next_delay(&self, attempt: &Attempt) -> Option<Duration> {
        if !attempt.outcome.is_transient() || attempt.number >= self.attempts {
            return None;
        }
        let random = attempt.random.clamp(0.0, 1.0);
        let growing = fraction(self.growing_delay(attempt.number), 0.5 + random / 2.0);
        let wait = match attempt.outcome {
            Outcome::Status { retry_after: Some(requested), .. } => {
                requested.saturating_add(fraction(self.first_delay, random)).max(growing)
            }
            _ => growing,
        };
        (wait < attempt.time_left).then_some(wait)
    }

    fn growing_delay(&self, number: u32) -> Duration {
        let factor = 1u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_delay.saturating_mul(factor).min(self.longest_delay)
    }
}

/// A part of a delay; the whole delay where that part cannot be computed.
fn fraction(delay: Duration, part: f64) -> Duration {
    Duration::try_from_secs_f64(delay.as_secs_f64() * part).map_or(delay, |it| it.min(delay))
}

/// One request that was sent and failed.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// How many times the request has been sent, including this time.
    pub number: u32,
    /// How the request failed.
    pub outcome: Outcome,
    /// The time left for waiting: what remains of the caller's deadline, or the longest wait that
    /// the caller accepts.
    pub time_left: Duration,
    /// A random number from 0 to 1.
    pub random: f64,
}

/// How a request failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The server answered with a status other than the expected one.
    Status {
        /// The status code.
        status: u16,
        /// The `Retry-After` of the answer, as [`parse_retry_after`] reads it.
        retry_after: Option<Duration>,
    },
    /// There was no complete answer.
    Failure(TransportFailure),
}

impl Outcome {
    /// Whether the same request may succeed later.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Status { status, .. } => RetryPolicy::retries_status(status),
            Self::Failure(failure) => RetryPolicy::retries_failure(failure),
        }
    }
}

/// Why there was no complete answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TransportFailure {
    /// The server's name does not resolve.
    Resolve,
    /// There is no connection.
    Connect,
    /// There is no trusted connection: a certificate is not valid, or the server has no TLS.
    Tls,
    /// The time allowed ran out.
    Timeout,
    /// The server redirects in a circle, too often, or to where it is not safe to follow.
    Redirect,
    /// The connection broke before the answer was complete.
    Interrupted,
    /// The proxy asks for a user name and a password (407).
    ProxyLogin,
}

impl TransportFailure {
    /// Classifies an error that occurred while connecting: [`Tls`](Self::Tls),
    /// [`ProxyLogin`](Self::ProxyLogin), or else [`Connect`](Self::Connect).
    ///
    /// HTTP libraries keep the first two as causes of private types. A proxy that asks for a login
    /// is recognised by its text; a connection without valid TLS, by an I/O error about invalid
    /// data, which nothing else causes before there is a connection.
    pub fn while_connecting(error: &(dyn Error + 'static)) -> Self {
        let causes = || iter::successors(Some(error), |&cause| cause.source());
        if causes().any(|cause| cause.to_string().ends_with("proxy authorization required")) {
            return Self::ProxyLogin;
        }
        // An I/O error that wraps another does not have the other as its source.
        let is_tls = causes()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .flat_map(|error| iter::successors(Some(error), |it| it.get_ref()?.downcast_ref()))
            .any(|error| error.kind() == io::ErrorKind::InvalidData);
        if is_tls { Self::Tls } else { Self::Connect }
    }
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Resolve => "the host name does not resolve",
            Self::Connect => "no connection",
            Self::Tls => "no trusted connection",
            Self::Timeout => "no answer in time",
            Self::Redirect => "too many redirects, or a redirect from https to http",
            Self::Interrupted => "the connection broke off",
            Self::ProxyLogin => "the proxy requires a user name and a password (407)",
        })
    }
}

/// Reads a `Retry-After`: how long the server asks to wait, given in seconds or as a date.
///
/// A date is relative to the server's clock, which `date` tells: the `Date` of the same answer.
/// Without a `Date`, `now` takes its place.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use klayers_core::retry::parse_retry_after;
///
/// let now = SystemTime::UNIX_EPOCH;
/// assert_eq!(parse_retry_after("120", None, now), Some(Duration::from_secs(120)));
/// let date = Some("Sun, 01 Nov 2026 02:00:00 GMT");
/// let later = parse_retry_after("Sun, 01 Nov 2026 02:00:30 GMT", date, now);
/// assert_eq!(later, Some(Duration::from_secs(30)));
/// assert_eq!(parse_retry_after("soon", date, now), None);
/// ```
pub fn parse_retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    Some(until.duration_since(now).unwrap_or_default())
}
