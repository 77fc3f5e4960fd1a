//! Strips native libraries: removes debug sections, which no loader reads. Each wheel is stripped
//! once; the result is cached.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use klayers_core::Digest;

mod elf;

use crate::bytecode::{Pack, PackPath, Stream, Writer};
use klayers_wheel::cached::Inspection;
use klayers_wheel::{Destination, Wheel, WheelError, WheelFile};

/// Suffix of the pack names. Increase the number when the way of stripping changes.
const FORMAT: &str = "stripped-1";
/// Size limit for stripping a library, in bytes, since it is held in memory.
const MAX_SIZE: u64 = 64 << 20;

/// The cache of packs of stripped libraries.
#[derive(Clone, Debug)]
pub struct StripCache {
    folder: PathBuf,
}

impl StripCache {
    /// Opens the packs in a cache folder. The folder need not exist yet.
    pub fn open(cache: &Path) -> Self {
        Self { folder: cache.join("stripped") }
    }

    /// Returns the stripped libraries of a wheel, from the cache if possible. None if the wheel has
    /// no libraries. The pack omits libraries that stripping does not make smaller, that cannot be
    /// stripped, or that are larger than 64 MiB; they stay unchanged.
    ///
    /// # Errors
    ///
    /// If the wheel cannot be read, or the cache cannot be read or written.
    pub fn strip(
        &self,
        digest: Digest,
        wheel: &Wheel,
        inspection: &Inspection,
    ) -> Result<Option<Pack>, StripError> {
        if wheel.inventory().libraries.is_empty() {
            return Ok(None);
        }
        let place = PackPath::new(&self.folder, format!("{digest}-{FORMAT}"));
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

/// Measures how many bytes stripping would save for each library of a wheel, by path below
/// `python/`. The libraries are stripped for this, but nothing is cached.
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

/// Returns the libraries of a wheel that are not too large to strip, with their destinations.
fn libraries(wheel: &Wheel) -> impl Iterator<Item = (&WheelFile, Destination)> {
    wheel.inventory().libraries.iter().filter_map(|library| {
        let file = wheel.inventory().file(&library.path)?;
        // Every library of a verified wheel has a destination.
        let destination = wheel.installation().destination(&file.path).ok()??;
        (file.content.size <= MAX_SIZE).then_some((file, destination))
    })
}

/// Why the libraries of a wheel could not be stripped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StripError {
    /// The wheel cannot be read.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// The cache could not be read or written.
    #[error("could not read or write {}", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}
