//! The time format of API v2: `YYYY-MM-DDTHH:MM:SS`, in UTC, without a zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serializer};

/// The time format as a regular expression, for JSON Schemas.
#[cfg(feature = "schema")]
pub(super) const PATTERN: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$";

const LENGTH: usize = "2026-11-01T02:00:00".len();

fn print(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Parses a time and ignores everything after the seconds: older answers have fractions.
fn parse(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.get(..LENGTH)?.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&print(*time))
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        serde::de::Error::custom(format_args!(
            "{text:?} is not a time: YYYY-MM-DDTHH:MM:SS expected"
        ))
    })
}

/// Serialises an optional time.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Present(#[serde(deserialize_with = "super::deserialize")] Timestamp);

        Ok(Option::<Present>::deserialize(deserializer)?.map(|Present(time)| time))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fractions_are_ignored_and_other_texts_rejected() {
        let time = parse("2026-11-01T02:00:00.123456").expect("a time");
        assert_eq!(print(time), "2026-11-01T02:00:00");
        for text in
            ["", "2026-11-01", "2026-13-01T02:00:00", "not a time at all", "2026-11-01T02:00:0é"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(seconds in 0i64..250_000_000_000) {
            let time = Timestamp::from_second(seconds).expect("in range");
            prop_assert_eq!(parse(&print(time)), Some(time));
        }
    }
}
