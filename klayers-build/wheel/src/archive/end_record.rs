//! Reads the end of central directory record, plain and ZIP64 (sections 4.3.14 to 4.3.16).

use super::{Archive, u16_at, u32_at, u64_at};
use crate::{FramingError, RuleError};

const SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const SIZE: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;
const LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_SIZE: usize = 20;
const ZIP64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";
const ZIP64_SIZE: usize = 56;
/// Value of the size field of a ZIP64 end record, which excludes the signature and the field
/// itself.
const ZIP64_COUNTED: u64 = 44;

/// The position of the central directory.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) count: u64,
}

/// Reads the end record, which must end the file and follow the central directory immediately.
pub(super) fn find(archive: &Archive) -> Result<Directory, RuleError> {
    let tail_length = archive.length.min((SIZE + LONGEST_COMMENT) as u64);
    let tail_start = archive.length - tail_length;
    let mut tail = vec![0; usize::try_from(tail_length).unwrap_or(usize::MAX)];
    archive.read_at(&mut tail, tail_start)?;
    // Some readers use the last signature, others the one whose comment ends with the file. Here
    // both must be the same.
    let at = tail
        .windows(SIGNATURE.len())
        .rposition(|window| window == SIGNATURE)
        .ok_or(FramingError::NoEndRecord)?;
    let record = tail.get(at..at + SIZE).ok_or(FramingError::EndRecordElsewhere)?;
    if at + SIZE + usize::from(u16_at(record, 20)) != tail.len() {
        return Err(FramingError::EndRecordElsewhere.into());
    }
    let plain = Directory {
        offset: u64::from(u32_at(record, 16)),
        size: u64::from(u32_at(record, 12)),
        count: u64::from(u16_at(record, 10)),
    };
    let disks = [u16_at(record, 4), u16_at(record, 6)];
    let count_on_disk = u16_at(record, 8);
    if disks != [0, 0] || count_on_disk != u16_at(record, 10) {
        return Err(FramingError::SeveralDisks.into());
    }
    let mut end = tail_start + at as u64;
    let directory = match zip64(archive, end)? {
        Some((start, wide)) => {
            agree(&plain, &wide)?;
            end = start;
            wide
        }
        None if is_wide(&plain) => return Err(FramingError::Zip64Missing.into()),
        None => plain,
    };
    if directory.offset.checked_add(directory.size) != Some(end) {
        return Err(FramingError::DirectoryElsewhere.into());
    }
    Ok(directory)
}

/// Whether a field has the special value that refers to the ZIP64 record.
fn is_wide(plain: &Directory) -> bool {
    let full = u64::from(u32::MAX);
    plain.offset == full || plain.size == full || plain.count == u64::from(u16::MAX)
}

/// Values that the plain record states itself must equal those of the ZIP64 record.
fn agree(plain: &Directory, wide: &Directory) -> Result<(), FramingError> {
    let full = u64::from(u32::MAX);
    let agree = [
        (plain.offset, wide.offset, full),
        (plain.size, wide.size, full),
        (plain.count, wide.count, u64::from(u16::MAX)),
    ]
    .iter()
    .all(|&(plain, wide, left_to_wide)| plain == left_to_wide || plain == wide);
    agree.then_some(()).ok_or(FramingError::Zip64Disagrees)
}

/// Reads the ZIP64 end record and its offset, if a locator refers to one.
fn zip64(archive: &Archive, end: u64) -> Result<Option<(u64, Directory)>, RuleError> {
    let Some(locator_start) = end.checked_sub(LOCATOR_SIZE as u64) else {
        return Ok(None);
    };
    let mut locator = [0; LOCATOR_SIZE];
    archive.read_at(&mut locator, locator_start)?;
    if locator[..4] != LOCATOR_SIGNATURE {
        return Ok(None);
    }
    let start = u64_at(&locator, 8);
    let right_before = start.checked_add(ZIP64_SIZE as u64) == Some(locator_start);
    if u32_at(&locator, 4) != 0 || u32_at(&locator, 16) != 1 || !right_before {
        return Err(FramingError::Zip64LocatorElsewhere.into());
    }
    let mut record = [0; ZIP64_SIZE];
    archive.read_at(&mut record, start)?;
    if record[..4] != ZIP64_SIGNATURE {
        return Err(FramingError::Zip64LocatorElsewhere.into());
    }
    let disks = [u32_at(&record, 16), u32_at(&record, 20)];
    let count = u64_at(&record, 32);
    if u64_at(&record, 4) != ZIP64_COUNTED || disks != [0, 0] || u64_at(&record, 24) != count {
        return Err(FramingError::Zip64Disagrees.into());
    }
    let directory = Directory { offset: u64_at(&record, 48), size: u64_at(&record, 40), count };
    Ok(Some((start, directory)))
}
