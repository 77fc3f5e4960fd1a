use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::impl_string_conversions;
use crate::{LayerName, ParseError, Partition, Region};

/// The number of an AWS account: 12 digits.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// The number as text, since it may begin with zeros.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let valid = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        valid.then(|| Self(text.to_owned())).ok_or_else(|| {
            ParseError::new(text, "an AWS account ID", "12 digits expected, as in 770693421928")
        })
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The ARN of a layer, without a version:
/// `arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p312-requests`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerArn {
    partition: Partition,
    region: Region,
    account: AccountId,
    name: LayerName,
}

impl LayerArn {
    /// The ARN of an account's layer in a region. The partition follows from the region.
    pub fn new(region: Region, account: AccountId, name: LayerName) -> Self {
        Self { partition: region.partition(), region, account, name }
    }

    /// The partition.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The region of the layer.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The account that owns the layer.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The layer's name.
    pub fn name(&self) -> &LayerName {
        &self.name
    }

    /// The ARN of one version of this layer.
    pub fn version(self, version: NonZeroU64) -> LayerVersionArn {
        LayerVersionArn { layer: self, version }
    }

    fn from_parts(text: &str, parts: &[&str]) -> Result<Self, ParseError> {
        let ["arn", partition, "lambda", region, account, "layer", name] = *parts else {
            return Err(ParseError::new(
                text,
                "a layer ARN",
                "arn:PARTITION:lambda:REGION:ACCOUNT:layer:NAME expected",
            ));
        };
        let within = |error: ParseError| {
            ParseError::new(text, "a layer ARN", format!("in the ARN, {error}"))
        };
        let arn = Self {
            partition: partition.parse().map_err(within)?,
            region: region.parse().map_err(within)?,
            account: account.parse().map_err(within)?,
            name: name.parse().map_err(within)?,
        };
        // An unknown region may belong to an unknown partition.
        if arn.region.name().is_some() && arn.partition != arn.region.partition() {
            return Err(ParseError::new(
                text,
                "a layer ARN",
                format!("{} is in partition {}", arn.region, arn.region.partition()),
            ));
        }
        Ok(arn)
    }
}

impl FromStr for LayerArn {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::from_parts(text, &text.split(':').collect::<Vec<_>>())
    }
}

impl fmt::Display for LayerArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, name } = self;
        write!(formatter, "arn:{partition}:lambda:{region}:{account}:layer:{name}")
    }
}

/// The ARN of one version of a layer, which a Lambda function is configured with:
/// `arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p312-requests:7`.
///
/// ```
/// use klayers_core::LayerVersionArn;
///
/// let text = "arn:aws-cn:lambda:cn-north-1:770693421928:layer:Klayers-p312-requests:7";
/// let arn: LayerVersionArn = text.parse()?;
/// assert_eq!(arn.region().as_str(), "cn-north-1");
/// assert_eq!(arn.version(), 7);
/// assert_eq!(arn.to_string(), text);
/// # Ok::<(), klayers_core::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerVersionArn {
    layer: LayerArn,
    version: NonZeroU64,
}

impl LayerVersionArn {
    /// The layer, without the version.
    pub fn layer(&self) -> &LayerArn {
        &self.layer
    }

    /// The version number. AWS counts from 1 in each region.
    pub fn version(&self) -> u64 {
        self.version.get()
    }

    /// The region of the layer.
    pub fn region(&self) -> &Region {
        &self.layer.region
    }

    /// The layer's name.
    pub fn name(&self) -> &LayerName {
        &self.layer.name
    }
}

impl FromStr for LayerVersionArn {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = || {
            ParseError::new(
                text,
                "a layer version ARN",
                "arn:PARTITION:lambda:REGION:ACCOUNT:layer:NAME:VERSION expected",
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let [layer @ .., version] = parts.as_slice() else {
            return Err(refuse());
        };
        if layer.len() != 7 || version.starts_with(['0', '+']) {
            return Err(refuse());
        }
        Ok(Self {
            layer: LayerArn::from_parts(text, layer)?,
            version: version.parse().map_err(|_| refuse())?,
        })
    }
}

impl fmt::Display for LayerVersionArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.layer, self.version)
    }
}

impl_string_conversions!(AccountId, LayerArn, LayerVersionArn);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arns_of_all_partitions_and_naming_schemes_parse() {
        for text in [
            "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p312-requests:7",
            "arn:aws:lambda:us-east-1:113088814899:layer:Klayers-python37-Pillow:1",
            "arn:aws-cn:lambda:cn-northwest-1:000000000000:layer:x:12345678901",
            "arn:aws-us-gov:lambda:us-gov-west-1:770693421928:layer:Klayers-p312-arm64-a:1",
            "arn:aws-eusc:lambda:eusc-de-east-1:770693421928:layer:a:1",
            "arn:aws-new:lambda:xx-somewhere-1:770693421928:layer:a:1",
        ] {
            let arn: LayerVersionArn = text.parse().expect(text);
            assert_eq!(arn.to_string(), text);
        }
    }

    #[test]
    fn malformed_arns_are_rejected_with_the_reason() {
        for (text, why) in [
            ("", "expected"),
            ("arn:aws:lambda:us-east-1:770693421928:layer:a", "VERSION"),
            ("arn:aws:lambda:us-east-1:770693421928:layer:a:0", "VERSION"),
            ("arn:aws:lambda:us-east-1:770693421928:layer:a:01", "VERSION"),
            ("arn:aws:lambda:us-east-1:770693421928:layer:a:+1", "VERSION"),
            ("arn:aws:lambda:us-east-1:770693421928:layer:a:1:2", "VERSION"),
            ("arn:aws:lambda:us-east-1:770693421928:function:a:1", "arn:PARTITION"),
            ("arn:aws:lambda:us-east-1:7706934219:layer:a:1", "account"),
            ("arn:aws:lambda:nowhere:770693421928:layer:a:1", "region"),
            ("arn:aws:lambda:cn-north-1:770693421928:layer:a:1", "partition aws-cn"),
            ("arn:aws:lambda:us-east-1:770693421928:layer:a b:1", "layer name"),
        ] {
            let error = text.parse::<LayerVersionArn>().expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(
            region in "[a-z]{2}-[a-z]{4,9}-[0-9]",
            account in "[0-9]{12}",
            name in "[A-Za-z0-9_-]{1,140}",
            version in 1u64..,
        ) {
            let version = NonZeroU64::new(version).expect("from 1 up");
            let layer = LayerArn::new(region.parse()?, account.parse()?, name.parse()?);
            prop_assert_eq!(layer.to_string().parse(), Ok(layer.clone()));
            let arn = layer.version(version);
            prop_assert_eq!(arn.to_string().parse(), Ok(arn));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<LayerVersionArn>();
            let _ = text.parse::<LayerArn>();
        }
    }
}
