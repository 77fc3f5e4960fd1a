use proptest::prelude::*;

use super::*;

const NOW: &str = "Sun, 01 Nov 2026 02:00:00 GMT";

fn date(text: &str) -> SystemTime {
    httpdate::parse_http_date(text).expect("a date")
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    let line = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
    };
    Fields::new(&lines.iter().map(line).collect::<HeaderMap>())
}

fn times() -> Times {
    Times { sent: date(NOW), received: date(NOW) }
}

fn validity(lines: &[(&str, &str)]) -> Validity {
    Validity::new(&fields(lines), times(), Duration::ZERO).expect("it may be kept")
}

fn after(seconds: u64) -> SystemTime {
    date(NOW) + Duration::from_secs(seconds)
}

/// For how many seconds an answer with these fields is fresh.
fn fresh_for(lines: &[(&str, &str)]) -> u64 {
    let validity = validity(lines);
    let fresh = |seconds: u64| validity.at(after(seconds)) == Use::Fresh;
    (0..40_000_000u64).step_by(1000).find(|&second| !fresh(second)).map_or(u64::MAX, |end| {
        (end.saturating_sub(1000)..=end).find(|&second| !fresh(second)).expect("an end")
    })
}

#[test]
fn freshness_is_what_the_fields_say() {
    let dated = ("date", NOW);
    for (lines, seconds) in [
        (&[("cache-control", "public, max-age=300")][..], 300),
        (&[("cache-control", "MAX-AGE=\"300\"")], 300),
        (&[("cache-control", "max-age=300, max-age=60")], 60),
        (&[("cache-control", "max-age=300"), ("cache-control", "private")], 300),
        // That of shared caches is not ours.
        (&[("cache-control", "s-maxage=600, max-age=300, proxy-revalidate")], 300),
        (&[("cache-control", "s-maxage=600")], 0),
        // Part of the time has passed on the way.
        (&[("cache-control", "max-age=300"), ("age", "100")], 200),
        (&[("cache-control", "max-age=300"), ("age", "300")], 0),
        (&[("cache-control", "max-age=300"), ("date", "Sun, 01 Nov 2026 01:59:00 GMT")], 240),
        (
            &[
                ("cache-control", "max-age=300"),
                ("age", "200"),
                ("date", "Sun, 01 Nov 2026 01:59:00 GMT"),
            ],
            100,
        ),
        (&[("expires", "Sun, 01 Nov 2026 02:10:00 GMT"), dated], 600),
        (&[("expires", "Sun, 01 Nov 2026 02:10:00 GMT"), ("cache-control", "max-age=5")], 5),
        // What cannot be read means none.
        (&[("expires", "0"), dated], 0),
        (&[("expires", "Sun, 01 Nov 2026 01:00:00 GMT"), dated], 0),
        (&[("cache-control", "max-age=soon")], 0),
        (&[("cache-control", "max-age=-1")], 0),
        (&[("cache-control", "max-age")], 0),
        (&[("cache-control", "no-cache, max-age=300")], 0),
        (&[("cache-control", "must-revalidate, max-age=300")], 300),
        // A tenth of the time that it has not changed for, and a day at most.
        (&[("last-modified", "Sun, 01 Nov 2026 00:20:00 GMT"), dated], 600),
        (&[("last-modified", "Sun, 01 Nov 2020 02:00:00 GMT"), dated], 86_400),
        (&[("last-modified", "Mon, 02 Nov 2026 02:00:00 GMT"), dated], 0),
        (&[], 0),
    ] {
        assert_eq!(fresh_for(lines), seconds, "{lines:?}");
    }
}

#[test]
fn what_says_nothing_is_fresh_as_long_as_it_is_assumed_to_be() {
    let assumed = Duration::from_mins(1);
    for (lines, fresh) in [(&[][..], true), (&[("cache-control", "max-age=0")], false)] {
        let validity = Validity::new(&fields(lines), times(), assumed).expect("kept");
        assert_eq!(validity.at(after(59)) == Use::Fresh, fresh);
        assert_eq!(validity.at(after(60)), Use::Ask);
    }
}

#[test]
fn some_answers_are_not_kept() {
    for (line, kept) in [
        (("cache-control", "no-store"), false),
        (("cache-control", "max-age=300, No-Store"), false),
        (("cache-control", "private"), true),
        (("vary", "*"), false),
        (("vary", "Accept-Encoding, Authorization"), false),
        (("vary", "Accept-Encoding, origin"), true),
        (("vary", ""), true),
    ] {
        let validity = Validity::new(&fields(&[line]), times(), Duration::ZERO);
        assert_eq!(validity.is_some(), kept, "{line:?}");
    }
}

#[test]
fn the_time_that_the_request_took_counts() {
    let times = Times { sent: date(NOW), received: after(10) };
    let control = fields(&[("cache-control", "max-age=300"), ("age", "100")]);
    let validity = Validity::new(&control, times, Duration::ZERO).expect("kept");
    assert_eq!(validity.age(after(10)), Duration::from_secs(110));
    assert_eq!(validity.age(after(70)), Duration::from_secs(170));
}

#[test]
fn a_stale_answer_may_be_used_while_a_newer_one_is_asked_for() {
    let stale = "max-age=10, stale-while-revalidate=20";
    for (control, seconds, expected) in [
        (stale.to_owned(), 9, Use::Fresh),
        (stale.to_owned(), 10, Use::Renew),
        (stale.to_owned(), 29, Use::Renew),
        (stale.to_owned(), 30, Use::Ask),
        (format!("{stale}, must-revalidate"), 10, Use::Ask),
        (format!("{stale}, no-cache"), 0, Use::Ask),
    ] {
        let validity = validity(&[("cache-control", &control)]);
        assert_eq!(validity.at(after(seconds)), expected, "{control} {seconds}");
    }
}

#[test]
fn an_old_answer_stands_in_within_the_bounds_of_both_sides() {
    let day = Duration::from_hours(24);
    for (control, seconds, bound, expected) in [
        ("max-age=10", 10 + 86_400, day, true),
        ("max-age=10", 11 + 86_400, day, false),
        ("max-age=10", 11, Duration::ZERO, false),
        ("max-age=10, stale-if-error=60", 70, day, true),
        ("max-age=10, stale-if-error=60", 71, day, false),
        ("max-age=10, stale-if-error=99999999", 11 + 86_400, day, false),
        ("max-age=10, stale-if-error=never", 70, day, true),
        ("max-age=10, must-revalidate", 11, day, false),
        ("no-cache", 1, day, false),
    ] {
        let validity = validity(&[("cache-control", control)]);
        assert_eq!(validity.stands_in(after(seconds), bound), expected, "{control} {seconds}");
    }
}

#[test]
fn a_clock_that_went_back_asks() {
    let validity = validity(&[("cache-control", "max-age=300")]);
    let before = date(NOW) - Duration::from_hours(1);
    assert_eq!(validity.at(before), Use::Ask);
    assert_eq!(validity.age(before), Duration::ZERO);
}

#[test]
fn a_confirmation_brings_the_fields_up_to_date() {
    let old = fields(&[
        ("cache-control", "max-age=300"),
        ("age", "200"),
        ("etag", "\"a\""),
        ("last-modified", NOW),
    ]);
    let newer = HeaderMap::from_iter([(header::DATE, NOW.parse().expect("a value"))]);
    let confirmed = old.confirmed_by(&newer);
    // The old age is not that of the confirmation.
    assert_eq!(
        confirmed,
        fields(&[
            ("cache-control", "max-age=300"),
            ("date", NOW),
            ("etag", "\"a\""),
            ("last-modified", NOW),
        ])
    );
    let conditions = confirmed.conditions();
    assert_eq!(conditions[header::IF_NONE_MATCH], "\"a\"");
    assert_eq!(conditions[header::IF_MODIFIED_SINCE], NOW);
    assert!(fields(&[]).conditions().is_empty());
}

proptest! {
    #[test]
    fn no_field_makes_it_panic(
        control in "[a-z=, \"0-9-]{0,60}",
        age in "[0-9 -]{0,25}",
        text in "[ -~]{0,40}",
        later in 0u64..4_000_000_000,
    ) {
        let fields = fields(&[
            ("cache-control", &control), ("age", &age), ("expires", &text), ("date", &text),
            ("last-modified", &text), ("vary", &text), ("etag", &text),
        ]);
        if let Some(validity) = Validity::new(&fields, times(), Duration::ZERO) {
            validity.at(after(later));
            validity.stands_in(after(later), Duration::MAX);
            fields.conditions();
        }
    }

    #[test]
    fn what_is_not_fresh_never_becomes_so(control in 0u64..1000, age in 0u64..2000) {
        let control = format!("max-age={control}");
        let validity = validity(&[("cache-control", &control)]);
        if validity.at(after(age)) != Use::Fresh {
            prop_assert_ne!(validity.at(after(age + 1)), Use::Fresh);
        }
    }
}
