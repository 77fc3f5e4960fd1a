//! Verifies fetched wheels: every byte is checked, once for each wheel.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use klayers_core::Digest;
use serde::{Deserialize, Serialize};

use crate::fetch::FetchedWheel;
use klayers_wheel::cached::{ChangedFileError, Inspection, Trust};
use klayers_wheel::sealed::{self, Sealed};
use klayers_wheel::{Acceptances, ContentFile, ExaminedWheel, Inventory, Wheel, WheelError};

/// Format tag of inventory files. The number changes with the rules and with the stored fields:
/// older inventories are made again.
const KIND: &str = "klayers inventory 9";

/// Content of the inventory file of a verified wheel.
#[derive(Serialize, Deserialize)]
struct StoredInventory {
    filename: String,
    sha256: Digest,
    stamp: Stamp,
    inventory: Inventory,
}

/// File attributes that change when the file is modified. A wheel with the stamp of its inventory
/// is taken for the file that was verified.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &ContentFile) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            size: metadata.size(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Verifies wheels, and returns them in the same order. A wheel that was verified before is not
/// read again: its inventory is stored beside it. The inventory does not depend on what is
/// accepted, so a changed setting needs no wheel to be read again.
///
/// # Errors
///
/// The first error: a wheel breaks a rule and that is not accepted, cannot be read, or has another
/// SHA-256 than in its lock.
pub fn verify(
    fetched: &[FetchedWheel],
    inspection: &Inspection,
    accepted: &Acceptances,
) -> Result<Vec<Wheel>, VerifyError> {
    let verify = |fetched| Ok(examine(fetched, inspection)?.accepted(accepted)?);
    fetched.iter().map(verify).collect()
}

fn examine(fetched: &FetchedWheel, inspection: &Inspection) -> Result<ExaminedWheel, VerifyError> {
    let FetchedWheel { wheel: locked, path } = fetched;
    let read = |source| VerifyError::Read { path: path.clone(), source };
    let inventory_path = path.with_extension("inventory");
    let file = ContentFile::open(path).map_err(read)?;
    let stamp = Stamp::of(&file).map_err(read)?;
    // An unreadable inventory counts as none.
    let stored = sealed::read::<StoredInventory>(&inventory_path, KIND).unwrap_or(Sealed::Absent);
    let stored = stored.value(&inventory_path, &inspection.log).filter(|stored| {
        stored.stamp == stamp
            && stored.sha256 == locked.sha256
            && stored.filename == locked.filename.to_string()
    });
    if stored.is_none() || inspection.trust == Trust::Nothing {
        // Bytes other than the locked ones are not parsed at all.
        let found = file.digest().map_err(read)?;
        if found != locked.sha256 {
            let wheel = locked.filename.to_string();
            return Err(VerifyError::Damaged { wheel, found, source: file.changed() });
        }
    }
    if let Some(stored) = stored {
        return Ok(ExaminedWheel::from_inventory(
            locked.filename.clone(),
            stamp.size,
            file,
            stored.inventory,
        ));
    }
    let wheel = ExaminedWheel::read_file(file, &locked.filename)?;
    // The inventory must describe the bytes that were hashed.
    if Stamp::of(wheel.file()).map_err(read)? != stamp {
        return Err(VerifyError::Changed(wheel.file().changed()));
    }
    let stored = StoredInventory {
        filename: locked.filename.to_string(),
        sha256: locked.sha256,
        stamp,
        inventory: wheel.inventory().clone(),
    };
    // If the inventory cannot be written, it is made again next time.
    let _ = sealed::write(&inventory_path, KIND, &stored);
    Ok(wheel)
}

/// Why a wheel could not be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The wheel breaks a rule.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file no longer has the content that was stored.
    #[error("the cached file of {wheel} has SHA-256 {found}, which is not the one in the lock")]
    Damaged {
        /// The wheel's file name.
        wheel: String,
        /// The actual SHA-256.
        found: Digest,
        /// The file.
        source: ChangedFileError,
    },
    /// The file changed while it was verified.
    #[error("a wheel changed while it was verified")]
    Changed(#[source] ChangedFileError),
}
