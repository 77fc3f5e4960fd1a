use std::fmt;

use klayers_core::{LayerVersionArn, PackageName, Region, Target};
use serde::{Serialize, Serializer};

use klayers_catalog::AdoptionError;
use klayers_core::terminal::error_chain;
use klayers_publish::AwsError;

/// Why nothing is adopted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// It is not a URL that an API can have. What may be secret in the text is not a part of this.
    #[error("{0:?} is not the base URL of an API, as in https://api.klayers.cloud")]
    Url(String),
    /// The HTTP client cannot be made.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
    /// An API answers nothing that can be read.
    #[error("the API gives none of its lists; is this its base URL?")]
    Silent(#[source] Box<RequestError>),
    /// There are no layers.
    #[error("nothing was found there; is it the right one?")]
    Empty,
    /// No region is known to look for a table in.
    #[error("in which region is the table {0}? pass --table-region, or set AWS_REGION")]
    NoRegion(String),
    /// There is no such table.
    #[error("there is no table {table} in {region} of this account")]
    NoTable {
        /// The table.
        table: String,
        /// The region.
        region: Region,
    },
    /// There are no credentials for AWS that may read the table.
    #[error(
        "AWS takes no credentials to read the table {table} in {region}; see `aws sts \
         get-caller-identity`, and [publish.aws] profiles in klayers.toml"
    )]
    Credentials {
        /// The table.
        table: String,
        /// The region.
        region: Region,
        /// What AWS says.
        source: Box<AwsError>,
    },
    /// The table cannot be read.
    #[error("the table {table} cannot be read")]
    Table {
        /// The table.
        table: String,
        /// Why not.
        source: Box<AwsError>,
    },
}

impl AdoptError {
    /// Whether something else was to be named, so that trying again does not help.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::Silent(_) | Self::Table { .. })
    }
}

/// A list that an API did not give.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {fault}")]
pub struct RequestError {
    /// What was asked for.
    pub url: String,
    /// Why it was not had.
    pub fault: RequestFault,
}

/// Why a list was not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// There was no whole answer.
    #[error("there is no whole answer: {}", error_chain(.0))]
    Transport(reqwest::Error),
    /// It was answered with another status than 200.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The answer is too large.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The answer is no JSON array.
    #[error("the answer is not a list in JSON: {0}")]
    NotAList(serde_json::Error),
}

/// Something that was not adopted.
#[derive(Debug)]
pub struct LeftOut {
    /// Its target, where it is known.
    pub target: Option<Target>,
    /// Its package, where it is known.
    pub package: Option<PackageName>,
    /// Its region, if it is of one.
    pub region: Option<Region>,
    /// Why.
    pub reason: Reason,
}

impl LeftOut {
    /// Something of a layer.
    pub(super) fn of(
        target: Target,
        package: PackageName,
        region: Option<Region>,
        reason: Reason,
    ) -> Self {
        Self { target: Some(target), package: Some(package), region, reason }
    }

    /// Something of a target.
    pub(super) fn of_target(target: Target, region: Option<Region>, reason: Reason) -> Self {
        Self { target: Some(target), package: None, region, reason }
    }
}

/// As programs have it: what it was of, and the reason as a text.
impl Serialize for LeftOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("LeftOut", 4)?;
        fields.serialize_field("target", &self.target)?;
        fields.serialize_field("package", &self.package)?;
        fields.serialize_field("region", &self.region)?;
        fields.serialize_field("reason", &self.reason.to_string())?;
        fields.end()
    }
}

/// Why something was not adopted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// A list was not had.
    Unread(RequestError),
    /// A row or an item is not what it should be.
    Malformed {
        /// Which one.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// An ARN is of another region than the list that it stands in.
    OtherRegion(LayerVersionArn),
    /// An ARN is of a layer for another package or target.
    OtherLayer(LayerVersionArn),
    /// Two records of one ARN say different things.
    Contradicts(LayerVersionArn),
    /// Two versions are the latest of a package in a region.
    SecondLatest {
        /// The one that is left out.
        arn: Box<LayerVersionArn>,
        /// The one that is not.
        latest: Box<LayerVersionArn>,
    },
    /// It is listed as the latest, but not among the versions of its package.
    Unlisted(LayerVersionArn),
    /// The table points to it as the newest version, but has no record of it.
    Dangling(LayerVersionArn),
    /// A build names no package, and it cannot be told which it is of.
    Nameless {
        /// Its version.
        version: String,
    },
    /// What is recorded here stands in the way.
    Conflict(AdoptionError),
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(error) => error.fmt(formatter),
            Self::Malformed { what, why } => write!(formatter, "{what} cannot be read: {why}"),
            Self::OtherRegion(arn) => write!(formatter, "{arn} is of another region"),
            Self::OtherLayer(arn) => {
                write!(formatter, "{arn} is of a layer for another package or target")
            }
            Self::Contradicts(arn) => write!(formatter, "{arn} stands there twice, and differs"),
            Self::SecondLatest { arn, latest } => {
                write!(formatter, "{arn} is the latest, but so is {latest}")
            }
            Self::Unlisted(arn) => write!(
                formatter,
                "{arn} is listed as the latest, but not among the versions of its package"
            ),
            Self::Dangling(arn) => write!(
                formatter,
                "the table points to {arn} as the newest version, but has no record of it"
            ),
            Self::Nameless { version } => write!(
                formatter,
                "a build of version {version} names no package, and its dependencies do not tell \
                 which it is of"
            ),
            Self::Conflict(error) => error.fmt(formatter),
        }
    }
}
