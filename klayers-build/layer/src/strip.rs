//! Stripping: the debug sections of native libraries, which no loader reads, are left out. Once for
//! each wheel.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use klayers_core::Digest;

mod elf;

use crate::bytecode::{Pack, Place, Stream, Writer};
use klayers_wheel::cached::Inspection;
use klayers_wheel::{Destination, Wheel, WheelError, WheelFile};

/// What the names of packs end in. The number goes up when libraries are stripped in another way.
const WAY: &str = "stripped-1";
/// The largest library that is stripped, in bytes: it is held in memory.
const LARGEST: u64 = 64 << 20;

/// The packs of libraries that were stripped.
#[derive(Clone, Debug)]
pub struct StripCache {
    folder: PathBuf,
}

impl StripCache {
    /// The packs in a cache folder, which need not be there yet.
    pub fn open(cache: &Path) -> Self {
        Self { folder: cache.join("stripped") }
    }

    /// The libraries of a wheel that are smaller when they are stripped, from the cache where they
    /// are there. None if the wheel has no libraries. One that cannot be stripped, or that is larger
    /// than 64 MiB, is not among them: it stays as it is.
    ///
    /// # Errors
    ///
    /// If the wheel cannot be read, or the cache not be read or written.
    pub fn strip(
        &self,
        digest: Digest,
        wheel: &Wheel,
        inspection: &Inspection,
    ) -> Result<Option<Pack>, StripError> {
        if wheel.inventory().libraries.is_empty() {
            return Ok(None);
        }
        let place = Place::new(&self.folder, format!("{digest}-{WAY}"));
        let read = |source| StripError::Cache { path: place.pack.clone(), source };
        if let Some(pack) = place.get(inspection).map_err(read)? {
            return Ok(Some(pack));
        }
        let mut pack = Writer::new(&place).map_err(read)?;
        for (file, destination) in libraries(wheel) {
            if let Some(stripped) = elf::stripped(file.path.as_str(), &wheel.read(file)?) {
                pack.add(destination.path, &Stream::new(stripped)).map_err(read)?;
            }
        }
        pack.keep().map(Some).map_err(read)
    }
}

/// How many bytes stripping takes away from each library of a wheel, by its path below `python/`. It
/// is measured by stripping them; nothing is kept.
///
/// # Errors
///
/// If the wheel cannot be read.
pub(crate) fn savings(wheel: &Wheel) -> Result<BTreeMap<String, u64>, WheelError> {
    let mut savings = BTreeMap::new();
    for (file, destination) in libraries(wheel) {
        if let Some(stripped) = elf::stripped(file.path.as_str(), &wheel.read(file)?) {
            let saved = file.content.size.saturating_sub(stripped.len() as u64);
            savings.insert(destination.path, saved);
        }
    }
    Ok(savings)
}

/// The libraries of a wheel that are not too large to be stripped, and where they go.
fn libraries(wheel: &Wheel) -> impl Iterator<Item = (&WheelFile, Destination)> {
    wheel.inventory().libraries.iter().filter_map(|library| {
        let file = wheel.inventory().file(&library.path)?;
        // A wheel that was verified has no library without a destination.
        let destination = wheel.installation().destination(&file.path).ok()??;
        (file.content.size <= LARGEST).then_some((file, destination))
    })
}

/// Why the libraries of a wheel could not be stripped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StripError {
    /// The wheel cannot be read.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// The cache may not be read or written.
    #[error("could not read or write {}", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
