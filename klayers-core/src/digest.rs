use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use crate::error::impl_string_conversions;
use crate::{ParseError, Pin};

/// A SHA-256 digest. It is printed as 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of some bytes. Needs the feature `hash`.
    #[cfg(any(feature = "hash", test))]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Wraps a digest that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest in Base64, like Lambda's `CodeSha256`.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.0)
    }

    /// Parses the output of [`to_base64`](Self::to_base64).
    ///
    /// # Errors
    ///
    /// If the text is anything else.
    pub fn from_base64(text: &str) -> Result<Self, ParseError> {
        let bytes = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            ParseError::new(text, "a SHA-256 digest", "44 characters of Base64 expected")
        })
    }

    /// The digest in URL-safe Base64 without padding, as in the `RECORD` of a wheel.
    pub fn to_base64_url(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// Parses the output of [`to_base64_url`](Self::to_base64_url).
    ///
    /// # Errors
    ///
    /// If the text is anything else.
    pub fn from_base64_url(text: &str) -> Result<Self, ParseError> {
        BASE64URL_NOPAD
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                ParseError::new(
                    text,
                    "a SHA-256 digest",
                    "43 characters of URL-safe Base64 expected",
                )
            })
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                ParseError::new(text, "a SHA-256 digest", "64 hexadecimal digits expected")
            })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

/// The content of a `requirements.txt`: one `name==version` per line with the normalised name, sorted and
/// without duplicates. Each line ends with a line feed.
pub fn requirements_txt<'a>(pins: impl IntoIterator<Item = &'a Pin>) -> String {
    let mut lines: Vec<String> =
        pins.into_iter().map(|pin| format!("{}\n", pin.to_normalized())).collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

/// The requirements hash of a layer: the SHA-256 of its [`requirements_txt`]. Needs the feature `hash`.
///
/// ```
/// use klayers_core::{requirements_hash, Digest};
///
/// let pins = ["idna==3.11".parse()?, "certifi==2025.10.5".parse()?];
/// assert_eq!(requirements_hash(&pins), Digest::of(b"certifi==2025.10.5\nidna==3.11\n"));
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
#[cfg(any(feature = "hash", test))]
pub fn requirements_hash<'a>(pins: impl IntoIterator<Item = &'a Pin>) -> Digest {
    Digest::of(requirements_txt(pins).as_bytes())
}

impl_string_conversions!(Digest);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digest_of_empty_input_matches_the_known_value() {
        let known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), known);
        assert_eq!(Digest::of(b"").to_base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn malformed_digests_are_rejected() {
        for text in ["", "e3b0", &"g".repeat(64), &"a".repeat(63), &"a".repeat(66)] {
            assert!(text.parse::<Digest>().is_err(), "{text:?}");
            assert!(Digest::from_base64(text).is_err(), "{text:?}");
            assert!(Digest::from_base64_url(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(bytes: [u8; 32]) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(Digest::from_base64(&digest.to_base64()), Ok(digest));
            prop_assert_eq!(Digest::from_base64_url(&digest.to_base64_url()), Ok(digest));
        }
    }
}
