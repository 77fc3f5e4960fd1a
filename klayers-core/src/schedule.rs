use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// The schedule expression of Amazon EventBridge for the monthly build: 02:00 UTC on the first
/// Sunday of the month ([specification][spec]).
///
/// [spec]: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
pub const EVENTBRIDGE_CRON: &str = "cron(0 2 ? * SUN#1 *)";

/// The hour of the monthly build, in UTC.
const HOUR: i8 = 2;

/// The start of the next monthly build: 02:00 UTC on the first Sunday of a month, later than `now`; none
/// after the year 9999.
///
/// ```
/// use klayers_core::next_build;
///
/// let now = "2026-11-22T16:00:00Z".parse()?;
/// assert_eq!(next_build(now), Some("2026-12-06T02:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn next_build(now: Timestamp) -> Option<Timestamp> {
    let month = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let this = build_of(month)?;
    if this > now {
        return Some(this);
    }
    build_of(month.last_of_month().tomorrow().ok()?)
}

/// The scheduled start of the last monthly build: 02:00 UTC on the first Sunday of a month, not later
/// than `now`; none before the year -9999.
///
/// ```
/// use klayers_core::last_build;
///
/// let now = "2026-11-22T16:00:00Z".parse()?;
/// assert_eq!(last_build(now), Some("2026-11-01T02:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn last_build(now: Timestamp) -> Option<Timestamp> {
    let month = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let this = build_of(month)?;
    if this <= now {
        return Some(this);
    }
    build_of(month.yesterday().ok()?.first_of_month())
}

/// The build of the month that begins on this day.
fn build_of(first_of_month: Date) -> Option<Timestamp> {
    let sunday = first_of_month.nth_weekday_of_month(1, Weekday::Sunday).ok()?;
    let start = sunday.at(HOUR, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?;
    Some(start.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(now: &str) -> String {
        next_build(now.parse().expect("a timestamp")).expect("before the year 9999").to_string()
    }

    #[test]
    fn next_build_is_always_later() {
        assert_eq!(next("2026-11-01T01:59:59Z"), "2026-11-01T02:00:00Z");
        assert_eq!(next("2026-11-01T02:00:00Z"), "2026-12-06T02:00:00Z");
        assert_eq!(next("2026-12-31T23:59:59Z"), "2027-01-03T02:00:00Z");
        assert_eq!(next("2028-02-29T00:00:00Z"), "2028-03-05T02:00:00Z");
    }

    #[test]
    fn last_build_is_never_later() {
        let last = |now: &str| last_build(now.parse().expect("a timestamp")).map(|t| t.to_string());
        let [november, october] =
            ["2026-11-01T02:00:00Z", "2026-10-04T02:00:00Z"].map(String::from);
        assert_eq!(last("2026-11-01T01:59:59Z"), Some(october));
        assert_eq!(last("2026-11-01T02:00:00Z").as_ref(), Some(&november));
        assert_eq!(last("2026-12-06T01:59:59Z"), Some(november));
    }

    proptest! {
        #[test]
        fn builds_start_on_the_first_sunday_at_two(seconds in 0i64..250_000_000_000) {
            let now = Timestamp::from_second(seconds).expect("in range");
            let build = next_build(now).expect("before the year 9999").to_zoned(TimeZone::UTC);
            prop_assert!(build.timestamp() > now);
            prop_assert_eq!(build.weekday(), Weekday::Sunday);
            prop_assert!(build.day() <= 7);
            prop_assert_eq!((build.hour(), build.minute(), build.second()), (2, 0, 0));
            prop_assert_eq!(last_build(build.timestamp()), Some(build.timestamp()));
            // No month is skipped.
            prop_assert!(build.timestamp().as_second() - seconds <= 35 * 86_400);
        }
    }
}
