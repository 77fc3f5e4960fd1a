use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn status(status: u16) -> Outcome {
    Outcome::Status { status, retry_after: None }
}

fn attempt(number: u32, outcome: Outcome) -> Attempt {
    Attempt { number, outcome, time_left: HOUR, random: 1.0 }
}

#[test]
fn every_status_is_retried_or_not_as_the_table_says() {
    let retried: Vec<u16> = (100..=999)
        .filter(|&code| RetryPolicy::default().next_delay(&attempt(1, status(code))).is_some())
        .collect();
    let unknown = (512..=599).chain([509]);
    let mut expected: Vec<u16> =
        [408, 425, 429, 500, 502, 503, 504].into_iter().chain(unknown).collect();
    expected.sort_unstable();
    assert_eq!(retried, expected);
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
        let next = RetryPolicy::default().next_delay(&attempt(1, Outcome::Failure(failure)));
        assert_eq!(next.is_some(), again, "{failure:?}");
    }
}

#[test]
fn waits_double_to_a_limit_and_attempts_end() {
    let policy = RetryPolicy::default().attempts(7).longest_delay(Duration::from_secs(2));
    let waits: Vec<_> = (1..=8)
        .map(|number| policy.next_delay(&attempt(number, status(503))))
        .map(|wait| wait.map(|wait| wait.as_millis()))
        .collect();
    let expected = [200, 400, 800, 1600, 2000, 2000].map(Some);
    assert_eq!(waits[..6], expected);
    assert_eq!(waits[6..], [None, None]);
    assert_eq!(RetryPolicy::never().next_delay(&attempt(1, status(503))), None);
    assert_eq!(RetryPolicy::default().attempts(0), RetryPolicy::never());
}

#[test]
fn half_of_a_wait_is_random() {
    let wait = |random| {
        let attempt = Attempt { random, ..attempt(1, status(503)) };
        RetryPolicy::default().next_delay(&attempt).map(|wait| wait.as_millis())
    };
    assert_eq!([0.0, 0.5, 1.0].map(wait), [100, 150, 200].map(Some));
    // Nonsense from a caller's generator is no reason to panic.
    for random in [-1.0, 2.0, f64::NAN, f64::INFINITY] {
        assert!(wait(random).is_some_and(|wait| (100..=200).contains(&wait)), "{random}");
    }
}

#[test]
fn requested_wait_is_kept_or_the_request_is_given_up_at_once() {
    let policy = RetryPolicy::default();
    let after = |seconds, time_left, random| {
        let retry_after = Some(Duration::from_secs(seconds));
        let outcome = Outcome::Status { status: 429, retry_after };
        policy.next_delay(&Attempt { number: 1, outcome, time_left, random })
    };
    assert_eq!(after(7, HOUR, 0.0), Some(Duration::from_secs(7)));
    assert_eq!(after(7, HOUR, 1.0), Some(Duration::from_millis(7200)));
    assert_eq!(after(7, Duration::from_secs(7), 0.0), None);
    assert_eq!(after(u64::MAX, HOUR, 1.0), None);
}

#[test]
fn retry_after_zero_does_not_shorten_the_growing_delay() {
    for number in 1..4 {
        let retry_after = Some(Duration::ZERO);
        let zero = attempt(number, Outcome::Status { status: 503, retry_after });
        let none = attempt(number, status(503));
        let policy = RetryPolicy::default();
        assert_eq!(policy.next_delay(&zero), policy.next_delay(&none), "attempt {number}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = httpdate::parse_http_date("Sun, 01 Nov 2026 02:00:00 GMT").expect("a date");
    let seconds = |value, date| parse_retry_after(value, date, now).map(|wait| wait.as_secs());
    assert_eq!(seconds("120", None), Some(120));
    assert_eq!(seconds(" 0 ", None), Some(0));
    assert_eq!(seconds("99999999999999999999", None), Some(u64::MAX));
    assert_eq!(seconds("Sun, 01 Nov 2026 02:00:30 GMT", None), Some(30));
    assert_eq!(seconds("Sunday, 01-Nov-26 02:00:30 GMT", None), Some(30));
    assert_eq!(seconds("Sun Nov  1 02:00:30 2026", None), Some(30));
    assert_eq!(seconds("Sun, 01 Nov 2026 01:00:00 GMT", None), Some(0));
    // A local clock that is a day off does not matter where the server states its own time.
    let theirs = Some("Mon, 02 Nov 2026 02:00:00 GMT");
    assert_eq!(seconds("Mon, 02 Nov 2026 02:00:05 GMT", theirs), Some(5));
    for nonsense in ["", "soon", "-1", "1.5", "Sun, 41 Nov 2026 02:00:00 GMT"] {
        assert_eq!(seconds(nonsense, None), None, "{nonsense:?}");
    }
}

#[test]
fn errors_while_connecting_are_told_apart_by_their_causes() {
    let tls = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, "bad certificate"));
    let proxy = io::Error::other("proxy authorization required");
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    for (error, expected) in [
        (tls, TransportFailure::Tls),
        (proxy, TransportFailure::ProxyLogin),
        (refused, TransportFailure::Connect),
    ] {
        assert_eq!(TransportFailure::while_connecting(&error), expected, "{error}");
    }
}

/// Any policy, including absurd ones.
fn policy() -> impl Strategy<Value = RetryPolicy> {
    let delay = || prop_oneof![0u64..5_000, any::<u64>()].prop_map(Duration::from_millis);
    (0u32..200, delay(), delay()).prop_map(|(attempts, first, longest)| {
        RetryPolicy::default().attempts(attempts).first_delay(first).longest_delay(longest)
    })
}

proptest! {
    #[test]
    fn no_wait_reaches_the_deadline(
        policy in policy(),
        number in 1u32..100,
        time_left in 0u64..10_000,
        requested in proptest::option::of(0u64..20),
        random in 0.0f64..=1.0,
    ) {
        let time_left = Duration::from_millis(time_left);
        let retry_after = requested.map(Duration::from_secs);
        let outcome = Outcome::Status { status: 503, retry_after };
        if let Some(wait) = policy.next_delay(&Attempt { number, outcome, time_left, random }) {
            prop_assert!(wait < time_left);
            prop_assert!(number < policy.attempts);
        }
    }

    #[test]
    fn retry_after_is_always_respected(
        policy in policy(),
        number in 1u32..100,
        requested in any::<u64>(),
        random in 0.0f64..=1.0,
    ) {
        let requested = Duration::from_secs(requested);
        let outcome = Outcome::Status { status: 429, retry_after: Some(requested) };
        let attempt = Attempt { number, outcome, time_left: Duration::MAX, random };
        if let Some(wait) = policy.next_delay(&attempt) {
            prop_assert!(wait >= requested);
            // The request adds to the growing delay; the server cannot shorten it.
            let unasked = policy.next_delay(&Attempt { outcome: status(429), ..attempt });
            prop_assert!(unasked.is_none_or(|unasked| wait >= unasked));
        }
    }

    #[test]
    fn unrequested_waits_grow_and_stay_within_their_bounds(
        policy in policy(),
        number in 1u32..100,
        random in 0.0f64..=1.0,
    ) {
        let wait = |number| {
            let outcome = Outcome::Failure(TransportFailure::Timeout);
            policy.next_delay(&Attempt { number, outcome, time_left: Duration::MAX, random })
        };
        if let Some(first) = wait(number) {
            prop_assert!(first <= policy.longest_delay);
            prop_assert!(first <= policy.growing_delay(number));
            prop_assert!(first >= fraction(policy.growing_delay(number), 0.5));
            prop_assert!(wait(number + 1).is_none_or(|next| next >= first));
        }
    }
}
