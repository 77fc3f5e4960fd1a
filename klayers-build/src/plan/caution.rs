use std::collections::BTreeMap;
use std::fmt;

use klayers_core::{Build, PackageName, PackageVersion};

use klayers_layer::lock::{Lock, LockedWheel};

/// The most packages that a warning names.
const NAMED: usize = 5;

/// A warning about a layer's packages that is worth a look before the layer is published.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Caution {
    /// An index, or a page of `find_links`, does not list the SHA-256 of its files.
    NoHashes {
        /// The URL, without secrets.
        place: String,
    },
    /// A package is older than in the build before.
    OlderVersion {
        /// The package.
        package: PackageName,
        /// The version in the build before.
        before: PackageVersion,
        /// The version now.
        now: PackageVersion,
    },
    /// Packages come from another source than those of the build before.
    OtherSource {
        /// The packages, sorted.
        packages: Vec<PackageName>,
        /// The source of the build before.
        before: PackageSource,
        /// The source now.
        now: PackageSource,
        /// Whether their files are the same as before.
        same_files: bool,
    },
}

/// Where a package comes from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PackageSource {
    /// A wheel from a server: the host, with the port unless it is the default.
    Server(String),
    /// A wheel from a local folder.
    Folder,
    /// A wheel that was built from a source distribution.
    Sdist,
}

impl PackageSource {
    /// The source of a wheel.
    pub fn of(wheel: &LockedWheel) -> Self {
        if wheel.built_from.is_some() {
            return Self::Sdist;
        }
        let host = wheel.url.host_str().filter(|_| wheel.url.scheme() != "file");
        match (host, wheel.url.port()) {
            (None, _) => Self::Folder,
            (Some(host), None) => Self::Server(host.to_owned()),
            (Some(host), Some(port)) => Self::Server(format!("{host}:{port}")),
        }
    }
}

impl fmt::Display for PackageSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(host) => formatter.write_str(host),
            Self::Folder => formatter.write_str("a folder of wheels"),
            Self::Sdist => formatter.write_str("a source distribution"),
        }
    }
}

impl fmt::Display for Caution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHashes { place } => write!(
                formatter,
                "{place} lists no SHA-256 for its files, so the first download is trusted; use an \
                 index that lists them"
            ),
            Self::OlderVersion { package, before, now } => write!(
                formatter,
                "{package} is downgraded from {before} to {now}; if that is wrong, check its index and \
                 its requirements"
            ),
            Self::OtherSource { packages, before, now, same_files } => {
                let named: Vec<String> =
                    packages.iter().take(NAMED).map(ToString::to_string).collect();
                write!(formatter, "{}", named.join(", "))?;
                if packages.len() > NAMED {
                    write!(formatter, " and {} more", packages.len() - NAMED)?;
                }
                let verb = if packages.len() == 1 { "comes" } else { "come" };
                write!(
                    formatter,
                    " {verb} from {now}, and came from {before} in the build before"
                )?;
                if *same_files {
                    formatter.write_str(" (with the same files)")?;
                }
                Ok(())
            }
        }
    }
}

/// The warnings about a lock, compared with the build before and, if it is still stored, its lock.
pub fn cautions(lock: &Lock, before: Option<&Build>, lock_before: Option<&Lock>) -> Vec<Caution> {
    let pins = before.into_iter().flat_map(|build| &build.dependencies);
    let older = pins.filter_map(|pin| {
        let now = &lock.wheel(&pin.name)?.pin.version;
        (*now < pin.version).then(|| Caution::OlderVersion {
            package: pin.name.clone(),
            before: pin.version.clone(),
            now: now.clone(),
        })
    });
    let mut moved: BTreeMap<(PackageSource, PackageSource, bool), Vec<PackageName>> =
        BTreeMap::new();
    for wheel in lock.wheels() {
        let Some(earlier) = lock_before.and_then(|before| before.wheel(&wheel.pin.name)) else {
            continue;
        };
        let (before, now) = (PackageSource::of(earlier), PackageSource::of(wheel));
        if before != now {
            let same_files = earlier.sha256 == wheel.sha256;
            moved.entry((before, now, same_files)).or_default().push(wheel.pin.name.clone());
        }
    }
    let moved = moved.into_iter().map(|((before, now, same_files), packages)| {
        Caution::OtherSource { packages, before, now, same_files }
    });
    older.chain(moved).collect()
}
