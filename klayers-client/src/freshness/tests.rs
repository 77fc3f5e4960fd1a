use proptest::prelude::*;

use super::*;

const NOW: &str = "Sun, 01 Nov 2026 02:00:00 GMT";

fn date(text: &str) -> SystemTime {
    httpdate::parse_http_date(text).expect("a date")
}

fn fields(lines: &[(&str, &str)]) -> CacheHeaders {
    let line = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
    };
    CacheHeaders::new(&lines.iter().map(line).collect::<HeaderMap>())
}

fn times() -> Times {
    Times { sent: date(NOW), received: date(NOW) }
}

fn validity(lines: &[(&str, &str)]) -> Validity {
    Validity::new(&fields(lines), times(), Duration::ZERO).expect("it may be cached")
}

fn after(seconds: u64) -> SystemTime {
    date(NOW) + Duration::from_secs(seconds)
}

/// How many seconds an answer with these fields is fresh.
fn fresh_for(lines: &[(&str, &str)]) -> u64 {
    let validity = validity(lines);
    let fresh = |seconds: u64| validity.at(after(seconds)) == Freshness::Fresh;
    (0..40_000_000u64).step_by(1000).find(|&second| !fresh(second)).map_or(u64::MAX, |end| {
        (end.saturating_sub(1000)..=end).find(|&second| !fresh(second)).expect("an end")
    })
}

#[test]
fn freshness_follows_the_header_fields() {
    let dated = ("date", NOW);
    for (lines, seconds) in [
        (&[("cache-control", "public, max-age=300")][..], 300),
        (&[("cache-control", "MAX-AGE=\"300\"")], 300),
        (&[("cache-control", "max-age=300, max-age=60")], 60),
        (&[("cache-control", "max-age=300"), ("cache-control", "private")], 300),
        // Directives for shared caches are ignored.
        (&[("cache-control", "s-maxage=600, max-age=300, proxy-revalidate")], 300),
        (&[("cache-control", "s-maxage=600")], 0),
        // A part of the time passed in other caches or on the way.
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
        // A value that cannot be parsed means not fresh.
        (&[("expires", "0"), dated], 0),
        (&[("expires", "Sun, 01 Nov 2026 01:00:00 GMT"), dated], 0),
        (&[("cache-control", "max-age=soon")], 0),
        (&[("cache-control", "max-age=-1")], 0),
        (&[("cache-control", "max-age")], 0),
        (&[("cache-control", "no-cache, max-age=300")], 0),
        (&[("cache-control", "must-revalidate, max-age=300")], 300),
        // A tenth of the time since the last change, at most a day.
        (&[("last-modified", "Sun, 01 Nov 2026 00:20:00 GMT"), dated], 600),
        (&[("last-modified", "Sun, 01 Nov 2020 02:00:00 GMT"), dated], 86_400),
        (&[("last-modified", "Mon, 02 Nov 2026 02:00:00 GMT"), dated], 0),
        (&[], 0),
    ] {
        assert_eq!(fresh_for(lines), seconds, "{lines:?}");
    }
}

#[test]
fn answer_without_freshness_information_is_fresh_for_the_assumed_time() {
    let assumed = Duration::from_secs(60);
    for (lines, fresh) in [(&[][..], true), (&[("cache-control", "max-age=0")], false)] {
        let validity = Validity::new(&fields(lines), times(), assumed).expect("it may be cached");
        assert_eq!(validity.at(after(59)) == Freshness::Fresh, fresh);
        assert_eq!(validity.at(after(60)), Freshness::Stale);
    }
}

#[test]
fn no_store_and_unknown_vary_prevent_caching() {
    for (line, cached) in [
        (("cache-control", "no-store"), false),
        (("cache-control", "max-age=300, No-Store"), false),
        (("cache-control", "private"), true),
        (("vary", "*"), false),
        (("vary", "Accept-Encoding, Authorization"), false),
        (("vary", "Accept-Encoding, origin"), true),
        (("vary", ""), true),
    ] {
        let validity = Validity::new(&fields(&[line]), times(), Duration::ZERO);
        assert_eq!(validity.is_some(), cached, "{line:?}");
    }
}

#[test]
fn age_includes_the_time_of_the_request() {
    let times = Times { sent: date(NOW), received: after(10) };
    let control = fields(&[("cache-control", "max-age=300"), ("age", "100")]);
    let validity = Validity::new(&control, times, Duration::ZERO).expect("it may be cached");
    assert_eq!(validity.age(after(10)), Duration::from_secs(110));
    assert_eq!(validity.age(after(70)), Duration::from_secs(170));
}

#[test]
fn stale_while_revalidate_allows_the_stale_answer() {
    let stale = "max-age=10, stale-while-revalidate=20";
    for (control, seconds, expected) in [
        (stale.to_owned(), 9, Freshness::Fresh),
        (stale.to_owned(), 10, Freshness::StaleWhileRevalidate),
        (stale.to_owned(), 29, Freshness::StaleWhileRevalidate),
        (stale.to_owned(), 30, Freshness::Stale),
        (format!("{stale}, must-revalidate"), 10, Freshness::Stale),
        (format!("{stale}, no-cache"), 0, Freshness::Stale),
    ] {
        let validity = validity(&[("cache-control", &control)]);
        assert_eq!(validity.at(after(seconds)), expected, "{control} {seconds}");
    }
}

#[test]
fn stale_answer_on_error_is_limited_by_client_and_server() {
    let day = Duration::from_secs(24 * 3_600);
    for (control, seconds, limit, expected) in [
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
        assert_eq!(
            validity.usable_on_error(after(seconds), limit),
            expected,
            "{control} {seconds}"
        );
    }
}

#[test]
fn clock_set_back_makes_answers_stale() {
    let validity = validity(&[("cache-control", "max-age=300")]);
    let before = date(NOW) - Duration::from_secs(3_600);
    assert_eq!(validity.at(before), Freshness::Stale);
    assert_eq!(validity.age(before), Duration::ZERO);
}

#[test]
fn confirmation_updates_the_header_fields() {
    let old = fields(&[
        ("cache-control", "max-age=300"),
        ("age", "200"),
        ("etag", "\"a\""),
        ("last-modified", NOW),
    ]);
    let newer = HeaderMap::from_iter([(header::DATE, NOW.parse().expect("a value"))]);
    let confirmed = old.updated_by(&newer);
    // The age of the old answer does not apply to the confirmation.
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
    fn header_fields_never_cause_a_panic(
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
            validity.usable_on_error(after(later), Duration::MAX);
            fields.conditions();
        }
    }

    #[test]
    fn stale_answer_never_becomes_fresh(control in 0u64..1000, age in 0u64..2000) {
        let control = format!("max-age={control}");
        let validity = validity(&[("cache-control", &control)]);
        if validity.at(after(age)) != Freshness::Fresh {
            prop_assert_ne!(validity.at(after(age + 1)), Freshness::Fresh);
        }
    }
}
