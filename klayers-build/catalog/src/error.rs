//! Errors of a catalog.

use klayers_core::{Digest, LayerName, LayerVersionArn, PackageName, Region, Target};

/// Errors of a catalog.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The catalog could not be opened.
    #[error("could not open the catalog {location}")]
    Open {
        /// File of the catalog.
        location: String,
        /// Why it could not be opened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file holds nothing, not even the tables of a catalog without records.
    #[error(
        "the catalog {location} is empty; no command leaves an empty file\n\
         help: if it was emptied, restore it from a backup, as docs/operating.md says\n\
         help: if nothing was ever published, delete the file, and the next run makes a catalog"
    )]
    Empty {
        /// File of the catalog.
        location: String,
    },
    /// The file is not a catalog, or belongs to another release.
    #[error("{location} is not a catalog that this release can read: {reason}")]
    Foreign {
        /// The file.
        location: String,
        /// What the file is instead.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("could not read or write the catalog")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored value cannot be read.
    #[error("could not read a record of the catalog")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A publication of the layer is already under way.
    #[error("a publication of {layer} in {region} is already under way; it must be settled first")]
    UnderWay {
        /// Region of the publication.
        region: Region,
        /// Name of the layer.
        layer: LayerName,
    },
    /// A publication or a layer version refers to a build that is not recorded.
    #[error("no build with content {0} is recorded")]
    UnknownBuild(Digest),
    /// An adopted build cannot be published.
    #[error(
        "the layer of {package} for {target} was adopted from another collection, so its zip is \
         not here and it cannot be published; build it with `klayers-pipeline run --force-build`"
    )]
    Adopted {
        /// Target of the build.
        target: Target,
        /// Package of the build.
        package: PackageName,
    },
    /// The ARN is already recorded for other content.
    #[error("{0} is already recorded, with other content")]
    Conflict(LayerVersionArn),
    /// A layer version is not recorded.
    #[error("{0} is not recorded")]
    Unknown(LayerVersionArn),
    /// A layer version was to be recorded as deprecated, but its status is different.
    #[error(
        "{0} is to be recorded beside the latest, but its status is not that of a deprecated one"
    )]
    NotRetired(LayerVersionArn),
    /// A layer version cannot be withdrawn.
    #[error("{0} is not recorded as a layer version that exists, so it cannot be withdrawn")]
    NotYankable(LayerVersionArn),
    /// A layer version cannot be recorded as deleted.
    #[error(
        "{0} is not recorded as a deprecated layer version, so it cannot be recorded as deleted"
    )]
    NotDeletable(LayerVersionArn),
}
