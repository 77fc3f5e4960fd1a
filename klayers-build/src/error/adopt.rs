use std::fmt;

use klayers_core::{LayerVersionArn, PackageName, Region, Target};
use serde::{Serialize, Serializer};

use klayers_catalog::AdoptionError;
use klayers_core::terminal::error_chain;
use klayers_publish::AwsError;

/// Why nothing was adopted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The text is not the base URL of an API. Possible secrets in it are left out.
    #[error("{0:?} is not the base URL of an API, as in https://api.klayers.cloud")]
    Url(String),
    /// The HTTP client could not be set up.
    #[error("could not set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The API returned none of its lists.
    #[error("could not read any list of the API; check its base URL")]
    Silent(#[source] Box<RequestError>),
    /// The source has no layers.
    #[error("the source has no layers; check that it is the right one")]
    Empty,
    /// The region of the table is unknown.
    #[error("the region of the table {0} is unknown; pass --table-region, or set AWS_REGION")]
    NoRegion(String),
    /// The table does not exist.
    #[error("this account has no table {table} in {region}")]
    NoTable {
        /// The table.
        table: String,
        /// The region.
        region: Region,
    },
    /// AWS refuses the credentials, or there are none.
    #[error(
        "could not find AWS credentials that may read the table {table} in {region}; check `aws sts \
         get-caller-identity`, and [publish.aws] profiles in klayers.toml"
    )]
    Credentials {
        /// The table.
        table: String,
        /// The region.
        region: Region,
        /// The answer of AWS.
        source: Box<AwsError>,
    },
    /// The table could not be read.
    #[error("could not read the table {table}")]
    Table {
        /// The table.
        table: String,
        /// Why not.
        source: Box<AwsError>,
    },
}

impl AdoptError {
    /// Whether the arguments are at fault, so that the same command fails again.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::Silent(_) | Self::Table { .. })
    }
}

/// A list of an API that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {fault}")]
pub struct RequestError {
    /// The URL of the list.
    pub url: String,
    /// Why not.
    pub fault: RequestFault,
}

/// Why a list could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// There was no complete answer.
    #[error("no complete answer: {}", error_chain(.0))]
    Transport(reqwest::Error),
    /// The status of the answer is not 200.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The answer is too large.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The answer is not a JSON array.
    #[error("the answer is not a JSON array: {0}")]
    NotAList(serde_json::Error),
}

/// A record that was not adopted.
#[derive(Debug)]
pub struct LeftOut {
    /// The target, if known.
    pub target: Option<Target>,
    /// The package, if known.
    pub package: Option<PackageName>,
    /// The region, if the record belongs to one.
    pub region: Option<Region>,
    /// Why.
    pub reason: Reason,
}

impl LeftOut {
    /// A record of a layer.
    pub(crate) fn of(
        target: Target,
        package: PackageName,
        region: Option<Region>,
        reason: Reason,
    ) -> Self {
        Self { target: Some(target), package: Some(package), region, reason }
    }

    /// A record of a target.
    pub(crate) fn of_target(target: Target, region: Option<Region>, reason: Reason) -> Self {
        Self { target: Some(target), package: None, region, reason }
    }
}

/// For programs: the subject, and the reason as text.
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

/// Why a record was not adopted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// A list could not be read.
    Unread(RequestError),
    /// A row or an item is malformed.
    Malformed {
        /// The row or item.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// The region of an ARN is not that of its list.
    OtherRegion(LayerVersionArn),
    /// The ARN belongs to a layer for another package or target.
    OtherLayer(LayerVersionArn),
    /// Two records of one ARN contradict each other.
    Contradicts(LayerVersionArn),
    /// Two versions are both marked as the latest of a package in a region.
    SecondLatest {
        /// The version that is left out.
        arn: Box<LayerVersionArn>,
        /// The version that is adopted.
        latest: Box<LayerVersionArn>,
    },
    /// The version is listed as the latest, but not among the versions of its package.
    Unlisted(LayerVersionArn),
    /// The table points to the version as the newest, but has no record of it.
    Dangling(LayerVersionArn),
    /// A build names no package, and its dependencies do not tell which one it is for.
    Nameless {
        /// The version of the build.
        version: String,
    },
    /// The record contradicts the catalog.
    Conflict(AdoptionError),
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(error) => error.fmt(formatter),
            Self::Malformed { what, why } => write!(formatter, "could not read {what}: {why}"),
            Self::OtherRegion(arn) => write!(formatter, "{arn} belongs to another region"),
            Self::OtherLayer(arn) => {
                write!(formatter, "{arn} belongs to a layer for another package or target")
            }
            Self::Contradicts(arn) => {
                write!(formatter, "{arn} is listed twice, with different content")
            }
            Self::SecondLatest { arn, latest } => {
                write!(formatter, "{arn} is marked as the latest, but so is {latest}")
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
                 which one it is for"
            ),
            Self::Conflict(error) => error.fmt(formatter),
        }
    }
}
