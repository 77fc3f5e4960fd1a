use std::fmt;
use std::str::FromStr;

use klayers_core::{LayerVersionArn, ParseError, Pin};

/// What to withdraw: `arn:aws:lambda:…:layer:Klayers-p312-requests:7`, or `requests==2.32.4` for
/// all layer versions of that package and version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum YankTarget {
    /// One layer version.
    Version(LayerVersionArn),
    /// The layers of a package or bundle with this version.
    Release(Pin),
}

impl FromStr for YankTarget {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.starts_with("arn:") {
            return Ok(Self::Version(text.parse()?));
        }
        text.parse().map(Self::Release).map_err(|_| {
            ParseError::new(
                text,
                "something to withdraw",
                "the ARN of a layer version or name==version expected, as in requests==2.32.4",
            )
        })
    }
}

impl fmt::Display for YankTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(arn) => arn.fmt(formatter),
            Self::Release(pin) => pin.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yank_target_is_an_arn_or_a_version() {
        let arn = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-requests:7";
        for text in [arn, "requests==2.32.4"] {
            let parsed: YankTarget = text.parse().expect(text);
            assert_eq!(parsed.to_string(), text);
        }
        for text in ["requests", "requests>=2", "arn:aws:lambda:eu-west-1", "==1", ""] {
            text.parse::<YankTarget>().expect_err(text);
        }
    }
}
