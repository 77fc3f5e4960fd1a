//! Durations in words.

use std::time::Duration;

/// A time from now: `in 30 seconds`, `in an hour`. The duration is rounded up, since a retry that
/// comes too early fails.
pub(crate) fn from_now(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (number, one, many) = match seconds {
        0..=90 => (seconds, "a second", "seconds"),
        91..=5_400 => (seconds.div_ceil(60), "a minute", "minutes"),
        5_401..=129_600 => (seconds.div_ceil(3_600), "an hour", "hours"),
        _ => (seconds.div_ceil(86_400), "a day", "days"),
    };
    match (seconds, number) {
        (0, _) => "now".to_owned(),
        (60, _) => "in a minute".to_owned(),
        (3_600, _) => "in an hour".to_owned(),
        (86_400, _) => "in a day".to_owned(),
        (_, 1) => format!("in {one}"),
        (_, number) => format!("in {number} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_one_suitable_unit() {
        for (seconds, expected) in [
            (0, "now"),
            (1, "in a second"),
            (30, "in 30 seconds"),
            (60, "in a minute"),
            (61, "in 61 seconds"),
            (120, "in 2 minutes"),
            (121, "in 3 minutes"),
            (3_600, "in an hour"),
            (7_200, "in 2 hours"),
            (86_400, "in a day"),
            (864_000, "in 10 days"),
        ] {
            assert_eq!(from_now(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(from_now(Duration::from_millis(1_200)), "in 2 seconds");
    }
}
