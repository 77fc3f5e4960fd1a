//! When a request is sent again: decided from values, slept elsewhere.

use std::time::{Duration, SystemTime};

use crate::TransportFailure;

/// How often a request is sent again, and after how long.
///
/// All requests of the API only read, so each may be repeated. Whether it helps depends on what
/// went wrong:
///
/// | what went wrong | sent again |
/// | --- | --- |
/// | the server's name does not resolve | yes |
/// | no connection: refused, unreachable, reset | yes |
/// | no trusted connection: a bad certificate, no TLS | no |
/// | no answer within the read timeout | yes |
/// | the connection broke off within the answer | yes |
/// | redirected in a circle, or from https to http | no |
/// | a proxy that asks for a login | no |
/// | status 408, 425, 429 | yes |
/// | status 500, 502, 503, 504 | yes |
/// | any other status | no |
/// | an answer that is too long, or not the one to the question | no |
///
/// An older answer may stand in where it says yes, and for an answer that is not the API's, as the
/// page with which a network asks for a login; see
/// [`Cache::stale_if_error`](crate::Cache::stale_if_error). An answer with layers that were not
/// asked for is told, whatever is kept.
///
/// Between two requests lies a time that doubles with each, up to a limit, of which a random half
/// is left out, so that clients that failed together do not come back together. A server that says
/// with [`Retry-After`][spec], in seconds or as a date, how long to wait is waited for that long.
/// A call never takes longer than its total timeout: where the wait would, it fails at once.
///
/// ```
/// use std::time::Duration;
///
/// use klayers_client::{Client, RetryPolicy};
///
/// let patient = RetryPolicy::default().attempts(8).longest_delay(Duration::from_secs(20));
/// let client = Client::builder().retry_policy(patient).build()?;
/// let hasty = Client::builder().retry_policy(RetryPolicy::never()).build()?;
/// # Ok::<(), klayers_client::Error>(())
/// ```
///
/// [spec]: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
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
    /// Every request is sent once.
    pub fn never() -> Self {
        Self::default().attempts(1)
    }

    /// How often a request is sent at most, the first time included; 0 counts as 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The longest wait before the second attempt; it doubles with each further one.
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
        matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
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

    /// How long to wait before the next attempt; none if there shall be none.
    pub(crate) fn next(&self, attempt: &Attempt) -> Option<Duration> {
        let (again, asked) = match attempt.outcome {
            Outcome::Status { status, retry_after } => (Self::retries_status(status), retry_after),
            Outcome::Failure(failure) => (Self::retries_failure(failure), None),
        };
        if !again || attempt.number >= self.attempts {
            return None;
        }
        let jittered = self.longest_before(attempt.number).mul_f64(0.5 + attempt.random / 2.0);
        // What the server asks for is the least; a moment more, so that not all come at once.
        let wait = match asked {
            Some(asked) => asked.saturating_add(self.first_delay.mul_f64(attempt.random)),
            None => jittered,
        };
        (wait < attempt.left).then_some(wait)
    }

    fn longest_before(&self, number: u32) -> Duration {
        let factor = 1u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_delay.saturating_mul(factor).min(self.longest_delay)
    }
}

/// What came of sending a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// How often it was sent, this time included.
    pub(crate) number: u32,
    pub(crate) outcome: Outcome,
    /// The time that is left for the call.
    pub(crate) left: Duration,
    /// A number from 0 to 1.
    pub(crate) random: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Status { status: u16, retry_after: Option<Duration> },
    Failure(TransportFailure),
}

/// How long a `Retry-After` asks to wait: seconds, or until a date. The date is the server's, so
/// it is held against the server's own clock where the answer tells it.
pub(crate) fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn status(status: u16) -> Outcome {
        Outcome::Status { status, retry_after: None }
    }

    fn attempt(number: u32, outcome: Outcome) -> Attempt {
        Attempt { number, outcome, left: LONG, random: 1.0 }
    }

    #[test]
    fn every_status_is_retried_or_not_as_the_table_says() {
        let retried: Vec<u16> = (100..=999)
            .filter(|&code| RetryPolicy::default().next(&attempt(1, status(code))).is_some())
            .collect();
        assert_eq!(retried, [408, 425, 429, 500, 502, 503, 504]);
    }

    #[test]
    fn every_failure_is_retried_or_not_as_the_table_says() {
        use TransportFailure::{Connect, Interrupted, ProxyLogin, Redirect, Resolve, Timeout, Tls};
        for (failure, again) in [
            (Resolve, true),
            (Connect, true),
            (Tls, false),
            (Timeout, true),
            (Interrupted, true),
            (Redirect, false),
            (ProxyLogin, false),
        ] {
            let next = RetryPolicy::default().next(&attempt(1, Outcome::Failure(failure)));
            assert_eq!(next.is_some(), again, "{failure:?}");
        }
    }

    #[test]
    fn waits_double_to_a_limit_and_attempts_end() {
        let policy = RetryPolicy::default().attempts(7).longest_delay(Duration::from_secs(2));
        let waits: Vec<_> = (1..=8)
            .map(|number| policy.next(&attempt(number, status(503))).map(|wait| wait.as_millis()))
            .collect();
        let expected = [200, 400, 800, 1600, 2000, 2000].map(Some);
        assert_eq!(waits[..6], expected);
        assert_eq!(waits[6..], [None, None]);
        assert_eq!(RetryPolicy::never().next(&attempt(1, status(503))), None);
        assert_eq!(RetryPolicy::default().attempts(0), RetryPolicy::never());
    }

    #[test]
    fn a_server_that_says_when_is_waited_for_or_given_up_at_once() {
        let policy = RetryPolicy::default();
        let after = |seconds, left, random| {
            let outcome =
                Outcome::Status { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
            policy.next(&Attempt { number: 1, outcome, left, random })
        };
        assert_eq!(after(7, LONG, 0.0), Some(Duration::from_secs(7)));
        assert_eq!(after(7, LONG, 1.0), Some(Duration::from_millis(7200)));
        assert_eq!(after(7, Duration::from_secs(7), 0.0), None);
        assert_eq!(after(u64::MAX, LONG, 1.0), None);
        assert_eq!(after(0, LONG, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 01 Nov 2026 02:00:00 GMT").expect("a date");
        let seconds = |value, date| retry_after(value, date, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120", None), Some(120));
        assert_eq!(seconds(" 0 ", None), Some(0));
        assert_eq!(seconds("99999999999999999999", None), Some(u64::MAX));
        assert_eq!(seconds("Sun, 01 Nov 2026 02:00:30 GMT", None), Some(30));
        assert_eq!(seconds("Sunday, 01-Nov-26 02:00:30 GMT", None), Some(30));
        assert_eq!(seconds("Sun Nov  1 02:00:30 2026", None), Some(30));
        assert_eq!(seconds("Sun, 01 Nov 2026 01:00:00 GMT", None), Some(0));
        // A clock that is wrong by a day does not matter where the server tells its own.
        let theirs = Some("Mon, 02 Nov 2026 02:00:00 GMT");
        assert_eq!(seconds("Mon, 02 Nov 2026 02:00:05 GMT", theirs), Some(5));
        for nonsense in ["", "soon", "-1", "1.5", "Sun, 41 Nov 2026 02:00:00 GMT"] {
            assert_eq!(seconds(nonsense, None), None, "{nonsense:?}");
        }
    }

    proptest! {
        #[test]
        fn no_wait_reaches_the_deadline(
            number in 1u32..100,
            attempts in 0u32..200,
            left in 0u64..10_000,
            asked in proptest::option::of(0u64..20),
            random in 0.0f64..=1.0,
            first in 0u64..u64::MAX,
        ) {
            let left = Duration::from_millis(left);
            let retry_after = asked.map(Duration::from_secs);
            let policy = RetryPolicy::default()
                .attempts(attempts)
                .first_delay(Duration::from_millis(first));
            let outcome = Outcome::Status { status: 503, retry_after };
            if let Some(wait) = policy.next(&Attempt { number, outcome, left, random }) {
                prop_assert!(wait < left);
                prop_assert!(number < attempts);
                prop_assert!(retry_after.is_none_or(|least| wait >= least));
            }
        }
    }
}
