//! Range requests: [RFC 9110, 14][rfc].
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc9110#section-14

use std::ops::Range;

/// The part of a body to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// The whole body: the request asks for no range, or for one that may be ignored.
    Whole,
    /// These bytes.
    Bytes(Range<usize>),
    /// The range begins after the end of the body.
    Beyond,
}

/// Parses a `Range` field for a body of `length` bytes. A request for several ranges gets the whole
/// body, as the RFC allows: nobody needs the multipart format.
pub(super) fn part(field: &str, length: usize) -> Part {
    let Some(range) = field.strip_prefix("bytes=") else { return Part::Whole };
    let Some((first, last)) = range.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number too large for the type is after the end of every body.
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::Whole,
        (Some(first), _) if first >= length && (last.is_empty() || number(last).is_some()) => {
            Part::Beyond
        }
        (Some(first), Some(last)) => Part::Bytes(first..last.saturating_add(1).min(length)),
        (Some(first), None) if last.is_empty() => Part::Bytes(first..length),
        (None, Some(suffix)) if first.is_empty() => match suffix.min(length) {
            0 => Part::Beyond,
            suffix => Part::Bytes(length - suffix..length),
        },
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn range_fields_are_parsed() {
        for (field, expected) in [
            ("bytes=0-3", Part::Bytes(0..4)),
            ("bytes=4-", Part::Bytes(4..10)),
            ("bytes=4-99", Part::Bytes(4..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-99", Part::Bytes(0..10)),
            ("bytes=9-9", Part::Bytes(9..10)),
            ("bytes=10-", Part::Beyond),
            ("bytes=10-12", Part::Beyond),
            ("bytes=99999999999999999999999-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=1-x", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=", Part::Whole),
            ("lines=0-3", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(part(field, 10), expected, "{field}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Beyond);
        assert_eq!(part("bytes=-5", 0), Part::Beyond);
    }

    proptest! {
        #[test]
        fn parsed_ranges_are_within_the_body(field in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in 0usize..100) {
            if let Part::Bytes(range) = part(&field, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
