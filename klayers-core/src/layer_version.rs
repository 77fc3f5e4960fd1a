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
    /// All packages in the layer, that one included, sorted; of an adopted build in the order and
    /// spelling that its records have.
    pub dependencies: Vec<Pin>,
    /// The [requirements hash](crate::requirements_hash()) of the dependencies; of an adopted build
    /// the hash that its records have, which AWS holds in the descriptions of its layer versions.
    pub requirements_hash: Digest,
    /// Where it comes from, and the bytes that hold it.
    pub origin: Origin,
    /// The licence of the package that the layer is named after, as its metadata says; of a bundle,
    /// those of its packages with their names.
    pub license: Option<String>,
    /// When it was built; none if it was adopted from records that do not say so.
    pub created_at: Option<Timestamp>,
}

impl Build {
    /// The bytes of its zip; none if it was adopted.
    pub fn content(&self) -> Option<&Content> {
        self.origin.content()
    }

    /// SHA-256 of its zip; none if it was adopted.
    pub fn content_digest(&self) -> Option<Digest> {
        self.content().map(|content| content.digest)
    }
}

/// The bytes of a layer: what is known of its zip by whoever has it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256 of the zip, under which it is stored.
    pub digest: Digest,
    /// The size of the zip, in bytes.
    pub size: u64,
    /// The size of what the zip unpacks to, in bytes.
    pub unzipped_size: u64,
}

/// Where a layer comes from. What was made or taken in here is stored here; what was adopted is not.
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
        /// The zip that was made of them.
        content: Content,
    },
    /// A zip that somebody made by hand, taken in as it was.
    Imported {
        /// The zip.
        content: Content,
    },
    /// The records of another collection, which say what is in the layer, but not by which bytes.
    Adopted {
        /// When they were taken over.
        at: Timestamp,
    },
}

impl Origin {
    /// The hash of its wheels; none if it was not made from wheels.
    pub fn wheels_hash(&self) -> Option<Digest> {
        match self {
            Self::Locked { wheels_hash, .. } => Some(*wheels_hash),
            Self::Imported { .. } | Self::Adopted { .. } => None,
        }
    }

    /// The bytes of its zip; none if it was adopted.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Locked { content, .. } | Self::Imported { content } => Some(content),
            Self::Adopted { .. } => None,
        }
    }

    /// The SHA-256 of its lock, if it was made from one.
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
    /// Its ARN.
    pub arn: LayerVersionArn,
    /// What is in it.
    pub build: Build,
    /// When it was published; none if it was adopted from records that do not say so.
    pub created_at: Option<Timestamp>,
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
