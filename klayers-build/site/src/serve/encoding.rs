//! Choosing the encoding of a body by `Accept-Encoding`: [RFC 9110, 12.5.3][rfc].
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3

/// The available encodings, the one with the smallest bodies first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    pub(super) const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Identity];

    /// The name in `Content-Encoding` and `Accept-Encoding`.
    pub(super) const fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }
}

/// The weight that a client gives each encoding, in thousandths, in the order of [`Encoding::ALL`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Accepted([u16; 3]);

impl Accepted {
    /// The weights for a request without the field.
    pub(super) const IDENTITY: Self = Self([0, 0, 1000]);

    /// Parses an `Accept-Encoding` field. Malformed members are ignored.
    pub(super) fn parse(field: &str) -> Self {
        let (mut named, mut others) = ([None; 3], None);
        for member in field.split(',') {
            let mut parts = member.split(';').map(str::trim);
            let token = parts.next().unwrap_or_default();
            let mut weight = Some(1000);
            for parameter in parts {
                if let Some((name, value)) = parameter.split_once('=')
                    && name.trim().eq_ignore_ascii_case("q")
                {
                    weight = thousandths(value.trim());
                }
            }
            let Some(weight) = weight else { continue };
            if token == "*" {
                others = Some(weight);
            }
            for (index, encoding) in Encoding::ALL.into_iter().enumerate() {
                let old_name = encoding == Encoding::Gzip && token.eq_ignore_ascii_case("x-gzip");
                if old_name || token.eq_ignore_ascii_case(encoding.token()) {
                    named[index] = Some(weight);
                }
            }
        }
        let [brotli, gzip, identity] = named;
        // An encoding that is not named is not acceptable, except identity, which must be excluded
        // explicitly.
        Self([
            brotli.or(others).unwrap_or(0),
            gzip.or(others).unwrap_or(0),
            identity.or(others).unwrap_or(1),
        ])
    }

    /// The available encoding with the largest weight, the smallest body among equals; `None` if all
    /// are excluded.
    pub(super) fn choose(self, is_there: impl Fn(Encoding) -> bool) -> Option<Encoding> {
        let mut best = None;
        for (encoding, weight) in Encoding::ALL.into_iter().zip(self.0) {
            if weight > best.map_or(0, |(_, weight)| weight) && is_there(encoding) {
                best = Some((encoding, weight));
            }
        }
        best.map(|(encoding, _)| encoding)
    }
}

/// Parses a weight: a number from 0 to 1 with at most three digits after the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || fraction.len() > 3 {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Encoding::{Brotli, Gzip, Identity};
    use super::*;

    #[test]
    fn encoding_with_the_largest_weight_is_chosen() {
        for (field, chosen) in [
            ("", Some(Identity)),
            ("gzip", Some(Gzip)),
            ("gzip, br", Some(Brotli)),
            ("gzip, deflate, br, zstd", Some(Brotli)),
            ("br;q=0.5, gzip;q=0.8", Some(Gzip)),
            ("br;q=0.5, gzip;q=0.8, identity", Some(Identity)),
            ("GZIP;Q=0.001", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("*", Some(Brotli)),
            ("br;q=0, *", Some(Gzip)),
            ("br;q=0, gzip;q=0", Some(Identity)),
            ("identity;q=0, gzip", Some(Gzip)),
            ("identity;q=0", None),
            ("*;q=0", None),
            ("br;q=0,gzip;q=0,identity;q=0", None),
            ("gzip;q=0.0000", Some(Identity)),
            ("gzip;q=2", Some(Identity)),
            ("gzip;q=", Some(Identity)),
            ("gzip;level=9", Some(Gzip)),
            ("zstd", Some(Identity)),
            (",;=,;q=1", Some(Identity)),
        ] {
            assert_eq!(Accepted::parse(field).choose(|_| true), chosen, "{field:?}");
        }
        assert_eq!(Accepted::IDENTITY.choose(|_| true), Some(Identity));
    }

    #[test]
    fn only_available_encodings_are_chosen() {
        let small = |encoding| encoding == Identity;
        assert_eq!(Accepted::parse("br, gzip").choose(small), Some(Identity));
        assert_eq!(Accepted::parse("br, identity;q=0").choose(small), None);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(field in ".*") {
            let _ = Accepted::parse(&field);
        }
    }
}
