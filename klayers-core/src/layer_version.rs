use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, LayerVersionArn, PackageName, PackageVersion, Pin, Region, Target};

/// A layer as it was built: what is in it, and the bytes that hold it. One build is published in
/// many regions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The target it was built for.
    pub target: Target,
    /// The package that the layer is named after, or the bundle.
    pub package: PackageName,
    /// That package's version; of a bundle, the version of its first package.
    pub version: PackageVersion,
    /// All packages in the layer, that one included, sorted.
    pub dependencies: Vec<Pin>,
    /// The [requirements hash](crate::requirements_hash()) of the dependencies.
    pub requirements_hash: Digest,
    /// What it was made from.
    pub origin: Origin,
    /// SHA-256 of the layer's zip, under which it is stored.
    pub content_digest: Digest,
    /// The size of the zip, in bytes.
    pub code_size: u64,
    /// The size of what the zip unpacks to, in bytes.
    pub unzipped_size: u64,
    /// The licence of the package that the layer is named after, as its metadata says; of a bundle,
    /// those of its packages with their names.
    pub license: Option<String>,
    /// When it was built.
    pub created_at: Timestamp,
}

/// What a layer was made from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// The wheels of a lock.
    Locked {
        /// SHA-256 over the sorted SHA-256 digests of the wheels: two builds with the same hold the
        /// same wheels.
        wheels_hash: Digest,
        /// SHA-256 of the layer's `pylock.toml`, under which it is stored.
        lock_digest: Digest,
    },
    /// A zip that somebody made by hand, taken in as it was.
    Imported,
}

impl Origin {
    /// The hash of its wheels; none if it was not made from wheels.
    pub fn wheels_hash(&self) -> Option<Digest> {
        match self {
            Self::Locked { wheels_hash, .. } => Some(*wheels_hash),
            Self::Imported => None,
        }
    }

    /// The SHA-256 of its lock, if it was made from one.
    pub fn lock_digest(&self) -> Option<Digest> {
        match self {
            Self::Locked { lock_digest, .. } => Some(*lock_digest),
            Self::Imported => None,
        }
    }
}

/// One published version of a layer in one region.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LayerVersion {
    /// Its ARN.
    pub arn: LayerVersionArn,
    /// What is in it.
    pub build: Build,
    /// When it was published.
    pub created_at: Timestamp,
    /// Where it stands in its life.
    pub status: Status,
}

impl LayerVersion {
    /// The region it was published in.
    pub fn region(&self) -> &Region {
        self.arn.region()
    }

    /// When it is to be deleted; none for a latest and for a deleted one.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Deprecated { expires_at, .. } => Some(expires_at),
            Status::Latest | Status::Deleted { .. } => None,
        }
    }

    /// Why it was withdrawn, if it was and still exists.
    pub fn yanked(&self) -> Option<&Yank> {
        match &self.status {
            Status::Deprecated { yanked, .. } => yanked.as_ref(),
            Status::Latest | Status::Deleted { .. } => None,
        }
    }
}

/// Where a layer version stands in its life.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The newest of its layer in its region. It never expires.
    Latest,
    /// A newer one exists, or it was withdrawn.
    Deprecated {
        /// From when on it may be deleted.
        expires_at: Timestamp,
        /// That it was withdrawn, if it was.
        yanked: Option<Yank>,
    },
    /// Deleted from AWS. Functions that use it go on working.
    Deleted {
        /// When it was deleted.
        at: Timestamp,
    },
}

/// That an operator withdrew a layer version, so that nobody begins to use it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Yank {
    /// Why, for those who use it.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}
