use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, LayerVersionArn, PackageName, PackageVersion, Pin, Region, Target};

/// A built layer: its packages and its zip. One build is published in many regions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The target of the layer.
    pub target: Target,
    /// The package or bundle that the layer is named after.
    pub package: PackageName,
    /// The version of that package; for a bundle, the version of its first package.
    pub version: PackageVersion,
    /// All packages in the layer, sorted; for an adopted build, in the order and the spelling of its
    /// records.
    pub dependencies: Vec<Pin>,
    /// The requirements hash of the dependencies; for an adopted build, the
    /// hash in its records, which is also in the descriptions of its layer versions at AWS.
    pub requirements_hash: Digest,
    /// The origin of the layer, with its zip.
    pub origin: Origin,
    /// The licence of the package that the layer is named after, from the package's metadata; for a
    /// bundle, the names and licences of its packages.
    pub license: Option<String>,
    /// When the layer was built; none if it was adopted from records without this time.
    pub created_at: Option<Timestamp>,
}

impl Build {
    /// The zip; none if the layer was adopted.
    pub fn content(&self) -> Option<&Content> {
        self.origin.content()
    }

    /// The SHA-256 of the zip; none if the layer was adopted.
    pub fn content_digest(&self) -> Option<Digest> {
        self.content().map(|content| content.digest)
    }
}

/// The zip of a layer: its digest and sizes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The SHA-256 of the zip, which is its key in the artifact store.
    pub digest: Digest,
    /// The size of the zip, in bytes.
    pub size: u64,
    /// The unpacked size, in bytes.
    pub unzipped_size: u64,
}

/// The origin of a layer. Locked and imported layers have a stored zip; adopted layers do not.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// The layer was built from the wheels of a lock.
    Locked {
        /// SHA-256 over the sorted SHA-256 digests of the wheels. Two builds with the same hash hold the
        /// same wheels.
        wheels_hash: Digest,
        /// The SHA-256 of the layer's `pylock.toml`, which is its key in the artifact store.
        lock_digest: Digest,
        /// The zip with the wheels.
        content: Content,
    },
    /// The layer is a zip that was made by hand and imported unchanged.
    Imported {
        /// The zip.
        content: Content,
    },
    /// The layer is known from the records of another collection, which name its packages but do not
    /// include its zip.
    Adopted {
        /// When the records were adopted.
        at: Timestamp,
    },
}

impl Origin {
    /// The hash of the wheels; none if the layer was not built from wheels.
    pub fn wheels_hash(&self) -> Option<Digest> {
        match self {
            Self::Locked { wheels_hash, .. } => Some(*wheels_hash),
            Self::Imported { .. } | Self::Adopted { .. } => None,
        }
    }

    /// The zip; none if the layer was adopted.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Locked { content, .. } | Self::Imported { content } => Some(content),
            Self::Adopted { .. } => None,
        }
    }

    /// The SHA-256 of the lock; none if the layer was not built from a lock.
    pub fn lock_digest(&self) -> Option<Digest> {
        match self {
            Self::Locked { lock_digest, .. } => Some(*lock_digest),
            Self::Imported { .. } | Self::Adopted { .. } => None,
        }
    }
}

/// One published version of a layer in one region.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LayerVersion {
    /// The ARN.
    pub arn: LayerVersionArn,
    /// The build that was published.
    pub build: Build,
    /// When the version was published; none if it was adopted from records without this time.
    pub created_at: Option<Timestamp>,
    /// The status of the version.
    pub status: Status,
}

impl LayerVersion {
    /// The region of the version.
    pub fn region(&self) -> &Region {
        self.arn.region()
    }

    /// When the version expires; none for a latest or deleted version.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Deprecated { expires_at, .. } => Some(expires_at),
            Status::Latest | Status::Deleted { .. } => None,
        }
    }

    /// The withdrawal, if the version was withdrawn and still exists.
    pub fn yanked(&self) -> Option<&Yank> {
        match &self.status {
            Status::Deprecated { yanked, .. } => yanked.as_ref(),
            Status::Latest | Status::Deleted { .. } => None,
        }
    }
}

/// The status of a layer version.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The newest version of its layer in its region. It never expires.
    Latest,
    /// A newer version exists, or this version was withdrawn.
    Deprecated {
        /// When the version may be deleted.
        expires_at: Timestamp,
        /// The withdrawal, if the version was withdrawn.
        yanked: Option<Yank>,
    },
    /// The version was deleted from AWS. Functions that use it continue to work.
    Deleted {
        /// When the version was deleted.
        at: Timestamp,
    },
}

/// The withdrawal of a layer version by an operator, so that nobody starts to use it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Yank {
    /// The reason, for users of the version.
    pub reason: String,
    /// When the version was withdrawn.
    pub at: Timestamp,
}
