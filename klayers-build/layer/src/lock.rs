//! Locks: the exact wheels of a layer.

use std::collections::{BTreeMap, BTreeSet};

use klayers_core::{Digest, PackageName, ParseError, Pin, Runtime, Target, requirements_hash};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::secrets::TomlError;
use crate::slim::{Exclusion, Slimming};
use klayers_wheel::WheelFilename;

mod markers;
mod pylock;
mod tags;

pub(crate) use markers::Markers;
pub(crate) use pylock::{LockedSdist, public_location};
pub use tags::Tags;

/// The exact wheels of a layer for one target, one for each package, sorted by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lock {
    target: Target,
    wheels: Vec<LockedWheel>,
    slimming: Slimming,
    /// Wheels that the layer is used with but does not contain. Known only right after resolving;
    /// not written to the lock file.
    left_out: Vec<LockedWheel>,
}

/// One wheel of a lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LockedWheel {
    /// The package and its version.
    pub pin: Pin,
    /// The wheel's file name.
    pub filename: WheelFilename,
    /// Where to download it: a URL with scheme `http`, `https` or `file`. For a wheel that was
    /// built here, the URL of its source.
    pub url: Url,
    /// Its size in bytes, if the lock states it.
    pub size: Option<u64>,
    /// The SHA-256 that its content must have.
    pub sha256: Digest,
    /// The source distribution that the wheel was built from here. None for a wheel from an index.
    /// A wheel that was built cannot be fetched, only built again.
    pub built_from: Option<SdistSource>,
}

/// A source distribution of an index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SdistSource {
    /// Where to download it: a URL with scheme `http`, `https` or `file`.
    pub url: Url,
    /// The SHA-256 that its content must have.
    pub sha256: Digest,
    /// Its size in bytes, if the lock states it.
    pub size: Option<u64>,
}

impl SdistSource {
    /// The file name: the last part of the URL.
    pub fn filename(&self) -> String {
        let last = self.url.path().rsplit('/').next().unwrap_or_default();
        percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned()
    }
}

impl Lock {
    /// Reads a `pylock.toml` ([PEP 751][spec]) for one target.
    ///
    /// If several wheels of a package fit, the one that an installer would choose is kept. Packages
    /// whose markers do not hold on the target are left out, so a lock made for many platforms can
    /// be read as well. Paths in the lock are relative to `base`, a URL of scheme `file`.
    ///
    /// [spec]: https://packaging.python.org/en/latest/specifications/pylock-toml/
    ///
    /// # Errors
    ///
    /// If the text is not a lock of version 1, or if one of its packages is listed twice, has no
    /// wheel for the target, or cannot be verified by SHA-256.
    pub fn parse(
        text: &str,
        base: Option<&Url>,
        target: Target,
        runtime: &Runtime,
    ) -> Result<Self, LockError> {
        let tags = Tags::new(target, runtime.glibc);
        let pylock::ParsedLock { mut wheels, slimming } = pylock::parse(text, base, target, &tags)?;
        wheels.sort_by(|one, other| one.pin.cmp(&other.pin));
        if let Some(pair) = wheels.windows(2).find(|pair| pair[0].pin.name == pair[1].pin.name) {
            return Err(LockError::Duplicate(pair[0].pin.name.clone()));
        }
        if wheels.is_empty() {
            return Err(LockError::Empty(target));
        }
        Ok(Self { target, wheels, slimming, left_out: Vec::new() })
    }

    /// Records which wheels were built here from these source distributions. The key is the SHA-256
    /// of the wheel.
    #[must_use]
    pub(crate) fn with_sources(mut self, sources: &BTreeMap<Digest, SdistSource>) -> Self {
        for wheel in &mut self.wheels {
            if let Some(source) = sources.get(&wheel.sha256) {
                wheel.url = source.url.clone();
                wheel.built_from = Some(source.clone());
            }
        }
        self
    }

    /// The same lock, for a layer that is slimmed in this way.
    #[must_use]
    pub(crate) fn with_slimming(self, slimming: Slimming) -> Self {
        Self { slimming, ..self }
    }

    /// The same lock, with the wheels that were left out of the layer.
    #[must_use]
    pub(crate) fn with_left_out(self, left_out: Vec<LockedWheel>) -> Self {
        Self { left_out, ..self }
    }

    /// Returns the wheels that were left out of the layer because the runtime has their packages,
    /// as a lock of their own. None if there are none, or if they are unknown, as in a lock that
    /// was read from a file.
    pub fn left_out(&self) -> Option<Self> {
        let wheels = self.left_out.clone();
        let (target, slimming) = (self.target, Slimming::default());
        (!wheels.is_empty()).then(|| Self { target, wheels, slimming, left_out: Vec::new() })
    }

    /// The same lock, for a layer that also leaves out the files that match these patterns.
    #[must_use]
    pub fn with_exclusions(mut self, exclusions: &[Exclusion]) -> Self {
        for exclusion in exclusions {
            if !self.slimming.exclude.contains(exclusion) {
                self.slimming.exclude.push(exclusion.clone());
            }
        }
        self
    }

    /// What is left out of the layer.
    pub fn slimming(&self) -> &Slimming {
        &self.slimming
    }

    /// The target that the wheels were chosen for.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The wheels, sorted by package name.
    pub fn wheels(&self) -> &[LockedWheel] {
        &self.wheels
    }

    /// The packages with their versions, sorted by name.
    pub fn pins(&self) -> Vec<Pin> {
        self.wheels.iter().map(|wheel| wheel.pin.to_normalized()).collect()
    }

    /// The wheel of a package.
    pub fn wheel(&self, name: &PackageName) -> Option<&LockedWheel> {
        self.wheels.iter().find(|wheel| wheel.pin.name == *name)
    }

    /// The [requirements hash](requirements_hash()).
    pub fn requirements_hash(&self) -> Digest {
        requirements_hash(&self.pins())
    }

    /// SHA-256 over the sorted SHA-256 digests of the wheels, in hexadecimal, one per line. Locks
    /// with the same value hold the same wheels, wherever these come from. A wheel that was built
    /// here is represented by its source: a build may produce other bytes each time, and that does
    /// not change the layer. If something is left out of the layer, the list of that follows, since
    /// it makes another layer.
    pub fn wheels_hash(&self) -> Digest {
        let digest = |wheel: &LockedWheel| match &wheel.built_from {
            Some(source) => source.sha256,
            None => wheel.sha256,
        };
        let digests: BTreeSet<Digest> = self.wheels.iter().map(digest).collect();
        let mut hasher = Sha256::new();
        for digest in digests {
            hasher.update(format!("{digest}\n"));
        }
        if !self.slimming.is_off() {
            hasher.update(pylock::slimming(&self.slimming));
        }
        Digest::from_bytes(hasher.finalize().into())
    }

    /// Returns the source distributions that a lock written by uv contains.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub(crate) fn sdists(text: &str) -> Result<Vec<LockedSdist>, LockError> {
        pylock::sdists(text)
    }

    /// Prints the lock as `pylock.toml`, in the canonical form used in layers: without logins,
    /// queries and fragments in URLs, without paths of this machine, with the sizes that `size`
    /// returns.
    pub fn to_pylock(&self, size: impl Fn(&LockedWheel) -> Option<u64>) -> String {
        pylock::print(self, size)
    }
}

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The text is not TOML, or does not have the structure of a lock.
    #[error("not a pylock.toml")]
    Shape(#[source] TomlError),
    /// The version of the format is unknown.
    #[error("its lock-version is {0:?}; version 1 is known")]
    Version(String),
    /// A name, version or file name in it is malformed.
    #[error("package {package}: {source}")]
    Malformed {
        /// The package.
        package: String,
        /// What is malformed.
        source: ParseError,
    },
    /// An environment marker is malformed.
    #[error("package {package}: {marker:?} is not an environment marker")]
    Marker {
        /// The package.
        package: String,
        /// The marker.
        marker: String,
    },
    /// A package is listed twice.
    #[error("package {0} is locked twice for one target; remove one of its entries")]
    Duplicate(PackageName),
    /// No package in the lock is for the target.
    #[error("it holds no package for {0}")]
    Empty(Target),
    /// The lock lacks the package that the layer is named after.
    #[error("it does not hold {0}, which the layer is named after")]
    Lacks(PackageName),
    /// A package is locked to something other than wheels.
    #[error("package {package} is locked to {what}; a layer is made of wheels of an index")]
    NotAWheel {
        /// The package.
        package: PackageName,
        /// What the package is locked to.
        what: &'static str,
    },
    /// None of a package's wheels fits.
    #[error("none of the {count} wheels of {pin} fits {target}")]
    NoFittingWheel {
        /// The package and version.
        pin: Box<Pin>,
        /// The number of wheels of the package.
        count: usize,
        /// The target.
        target: Target,
    },
    /// A wheel has no SHA-256.
    #[error("wheel {0} has no SHA-256 in the lock, so its bytes could not be verified")]
    NoDigest(Box<WheelFilename>),
    /// A source distribution has no SHA-256.
    #[error(
        "the source distribution of {0} has no SHA-256 in the lock, so its bytes could not be verified"
    )]
    NoSdistDigest(Box<Pin>),
    /// A wheel has no location, or its location is not a URL or has an unsupported scheme.
    #[error("wheel {wheel} has no usable location: {location:?}")]
    Location {
        /// The wheel.
        wheel: String,
        /// The location.
        location: String,
    },
    /// A wheel is locked under the name or version of another package.
    #[error("wheel {wheel} is locked under {pin}, but its name says otherwise")]
    OtherPackage {
        /// The wheel.
        wheel: Box<WheelFilename>,
        /// The package and version.
        pin: Box<Pin>,
    },
}

#[cfg(test)]
mod tests;
