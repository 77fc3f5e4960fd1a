//! Reads local file headers and data descriptors (sections 4.3.7 and 4.3.9).

use std::ops::Range;

use super::central::{CentralEntry, FLAG_DESCRIPTOR};
use super::extra::{Extra, Zip64};
use super::{Archive, u16_at, u32_at};
use crate::{EntryError, FramingError, RuleError};

const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const SIZE: usize = 30;
const DESCRIPTOR_SIGNATURE: [u8; 4] = *b"PK\x07\x08";
/// Signature, CRC and two sizes of 8 bytes.
const LONGEST_DESCRIPTOR: u64 = 24;

/// Checks that the local header of an entry agrees with the directory, and that its content, with
/// its data descriptor if it has one, ends at `end`. Returns the offset of the content.
pub(super) fn check(archive: &Archive, entry: &CentralEntry, end: u64) -> Result<u64, RuleError> {
    let refuse = |fault| entry.fault(fault);
    let mut header = [0; SIZE];
    archive.read_at(&mut header, entry.header_offset)?;
    if header[..4] != SIGNATURE {
        return Err(refuse(EntryError::LocalMissing));
    }
    let [name_length, extra_length] = [26, 28].map(|at| usize::from(u16_at(&header, at)));
    let mut variable = vec![0; name_length + extra_length];
    archive.read_at(&mut variable, entry.header_offset + SIZE as u64)?;
    let (name, extra) = variable.split_at(name_length);
    if name != entry.name {
        return Err(refuse(EntryError::LocalDiffers("name")));
    }
    let (flags, method) = (u16_at(&header, 6), u16_at(&header, 8));
    if flags != entry.flags {
        return Err(refuse(EntryError::LocalDiffers("flags")));
    }
    if method != entry.compression.method() {
        return Err(refuse(EntryError::LocalDiffers("compression method")));
    }
    let has_descriptor = flags & FLAG_DESCRIPTOR != 0;
    let crc = u32_at(&header, 14);
    if crc != entry.crc && !(has_descriptor && crc == 0) {
        return Err(refuse(EntryError::LocalDiffers("CRC")));
    }
    let mut sizes = [22, 18].map(|at| u64::from(u32_at(&header, at)));
    let extra = Extra::parse(extra, name).map_err(refuse)?;
    let zip64 = extra.widen(&mut sizes).map_err(refuse)?;
    if sizes != [entry.size, entry.compressed_size] && !(has_descriptor && sizes == [0, 0]) {
        return Err(refuse(EntryError::LocalDiffers("sizes")));
    }
    let offset = entry.header_offset + (SIZE + variable.len()) as u64;
    let after = offset.checked_add(entry.compressed_size).filter(|&after| after <= end);
    let after = after.ok_or_else(|| refuse(EntryError::Overlaps))?;
    if has_descriptor {
        check_descriptor(archive, entry, after..end, zip64)?;
    } else if after != end {
        return Err(FramingError::Unaccounted { from: after, to: end }.into());
    }
    Ok(offset)
}

/// Checks a data descriptor. Its length shows whether it begins with the optional signature, and
/// whether its sizes have 4 bytes or 8.
///
/// Without a ZIP64 field in the local header, sizes have 4 bytes. With such a field they have 8; if
/// the header omits its sizes, writers differ, and both are accepted.
fn check_descriptor(
    archive: &Archive,
    entry: &CentralEntry,
    place: Range<u64>,
    zip64: Zip64,
) -> Result<(), RuleError> {
    let length = place.end - place.start;
    if length > LONGEST_DESCRIPTOR {
        return Err(FramingError::Unaccounted { from: place.start, to: place.end }.into());
    }
    let mut descriptor = vec![0; usize::try_from(length).unwrap_or_default()];
    archive.read_at(&mut descriptor, place.start)?;
    let CentralEntry { crc, compressed_size, size, .. } = *entry;
    let mut narrow = crc.to_le_bytes().to_vec();
    let mut wide = narrow.clone();
    for value in [compressed_size, size] {
        // A value that does not fit cannot be in the descriptor, as its length shows.
        narrow.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
        wide.extend_from_slice(&value.to_le_bytes());
    }
    let unsigned = match descriptor.len() {
        16 | 24 => descriptor.strip_prefix(&DESCRIPTOR_SIGNATURE),
        _ => Some(descriptor.as_slice()),
    };
    let fits = unsigned.is_some_and(|found| match zip64 {
        Zip64::Absent => found == narrow,
        Zip64::Completes => found == narrow || found == wide,
        Zip64::Repeats => found == wide,
    });
    if fits { Ok(()) } else { Err(entry.fault(EntryError::Descriptor)) }
}
