use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::error::impl_string_conversions;

mod table;

/// A partition of AWS, with its own accounts and its own ARN prefix.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Partition(String);

impl Partition {
    /// The prefixes of region codes by partition, the longest first where one contains another.
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];

    fn of_region(code: &str) -> Self {
        let partition = Self::BY_PREFIX
            .into_iter()
            .find(|(prefix, _)| code.starts_with(prefix))
            .map_or("aws", |(_, partition)| partition);
        Self(partition.to_owned())
    }

    /// The partition's identifier in ARNs: `aws`, `aws-cn`, `aws-us-gov`, …
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Partition {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known_form = text == "aws"
            || text.strip_prefix("aws-").is_some_and(|rest| {
                rest.split('-')
                    .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
            });
        known_form.then(|| Self(text.to_owned())).ok_or_else(|| {
            ParseError::new(
                text,
                "an AWS partition",
                "a name such as aws, aws-cn or aws-us-gov expected",
            )
        })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// An AWS region, by its code.
///
/// The table of known regions has all that AWS had opened or announced before this release. Any other
/// well-formed code is accepted, too, so that a new region needs no new release.
///
/// ```
/// use klayers_core::Region;
///
/// let region: Region = "ap-southeast-3".parse()?;
/// assert_eq!(region.name(), Some("Asia Pacific (Jakarta)"));
/// assert_eq!(region.opt_in(), Some(true));
/// assert_eq!(region.partition().as_str(), "aws");
///
/// let later: Region = "ap-southeast-42".parse()?;
/// assert_eq!(later.name(), None);
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// All known regions, sorted by code.
    pub fn known() -> impl ExactSizeIterator<Item = Self> {
        table::REGIONS.iter().map(|row| Self(row.code.to_owned()))
    }

    /// The code: `eu-west-1`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, such as `EU (Ireland)`; none for an unknown region.
    pub fn name(&self) -> Option<&'static str> {
        table::find(&self.0).map(|row| row.name)
    }

    /// Whether an account must enable the region before it can use it; none for an unknown region.
    pub fn opt_in(&self) -> Option<bool> {
        table::find(&self.0).map(|row| row.opt_in)
    }

    /// The partition, which follows from the code.
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.0)
    }
}

impl FromStr for Region {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const LONGEST: usize = 32;
        let mut parts = text.split('-');
        let number = parts.next_back();
        let words: Vec<&str> = parts.collect();
        let valid = text.len() <= LONGEST
            && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            && words.len() >= 2
            && words.iter().all(|w| w.len() >= 2 && w.bytes().all(|b| b.is_ascii_lowercase()));
        valid.then(|| Self(text.to_owned())).ok_or_else(|| {
            ParseError::new(text, "an AWS region", "a region code expected, as in eu-west-1")
        })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl_string_conversions!(Partition, Region);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_known_region_parses_and_has_a_partition_that_parses() {
        for region in Region::known() {
            assert_eq!(region.as_str().parse(), Ok(region.clone()));
            assert_eq!(region.partition().as_str().parse(), Ok(region.partition()));
            assert!(region.name().is_some());
        }
    }

    #[test]
    fn partitions_follow_from_the_code() {
        for (code, partition) in [
            ("us-east-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let region: Region = code.parse().expect("a region");
            assert_eq!(region.partition().as_str(), partition);
        }
    }

    #[test]
    fn malformed_regions_are_rejected() {
        for text in [
            "",
            "latest",
            "us-east",
            "us-east-",
            "useast1",
            "US-EAST-1",
            "us-east-1a",
            "us--1",
            " us-east-1",
            "-east-1",
            "us_east_1",
        ] {
            assert!(text.parse::<Region>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(text in "[a-z]{2,4}(-[a-z]{2,9}){1,2}-[0-9]{1,2}") {
            let region: Region = text.parse()?;
            prop_assert_eq!(region.to_string(), text);
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<Region>();
            let _ = text.parse::<Partition>();
        }
    }
}
