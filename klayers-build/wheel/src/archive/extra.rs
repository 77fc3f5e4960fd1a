//! Reads those extra fields (section 4.5) that change the meaning of other fields.

use super::u16_at;
use crate::EntryError;

const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;

/// Most 8-byte values in the field of a central header: two sizes and an offset. A local header has
/// no offset.
const ALL: usize = 3;
/// The number of the first disk.
const FIRST_DISK: [u8; 4] = [0; 4];

/// The role of a header's ZIP64 field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Zip64 {
    /// There is no such field.
    Absent,
    /// The field holds the values that the header omits.
    Completes,
    /// The field repeats values of the header.
    Repeats,
}

/// The relevant extra fields of one header.
#[derive(Debug, Default)]
pub(super) struct Extra<'b> {
    zip64: Option<&'b [u8]>,
}

impl<'b> Extra<'b> {
    /// Reads the extra fields of a header with this name.
    pub(super) fn parse(mut bytes: &'b [u8], name: &[u8]) -> Result<Self, EntryError> {
        let mut extra = Self::default();
        while !bytes.is_empty() {
            let header = bytes.get(..4).ok_or(EntryError::ExtraCut)?;
            let (id, length) = (u16_at(header, 0), usize::from(u16_at(header, 2)));
            let field = bytes.get(4..4 + length).ok_or(EntryError::ExtraCut)?;
            match id {
                ZIP64 if extra.zip64.replace(field).is_some() => {
                    return Err(EntryError::Zip64Extra);
                }
                UNICODE_PATH => unicode_path(field, name)?,
                _ => {}
            }
            bytes = &bytes[4 + length..];
        }
        Ok(extra)
    }

    /// Replaces the values that the header omits by those of the ZIP64 field.
    ///
    /// According to the specification (section 4.5.3) the field holds these values and nothing
    /// else. Some writers also put in the header's other values, as Bazel and Python's
    /// `force_zip64` do. Such a field is accepted if it agrees with the header and if readers that
    /// expect only the omitted values find the same numbers at its beginning. The central
    /// directory's field may end with the number of the disk, which must be 0 as in its header.
    pub(super) fn widen(&self, values: &mut [u64]) -> Result<Zip64, EntryError> {
        let full = u64::from(u32::MAX);
        let missing: Vec<usize> = (0..values.len()).filter(|&at| values[at] == full).collect();
        let Some(field) = self.zip64 else {
            return if missing.is_empty() {
                Ok(Zip64::Absent)
            } else {
                Err(EntryError::Zip64Extra)
            };
        };
        let (wide, rest) = field.as_chunks::<8>();
        let wide: Vec<u64> = wide.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        // The number of the disk may follow all other values. The caller has checked that the header
        // names the first disk, so the field must name that one, too.
        let is_first_disk = rest == FIRST_DISK && values.len() == ALL && wide.len() == ALL;
        if !(rest.is_empty() || is_first_disk) || wide.is_empty() {
            return Err(EntryError::Zip64Extra);
        }
        if wide.len() == missing.len() {
            for (&at, wide) in missing.iter().zip(wide) {
                values[at] = wide;
            }
            return Ok(Zip64::Completes);
        }
        // Both sizes belong together, so a field that repeats only one of them is malformed.
        if !(2..=values.len()).contains(&wide.len())
            || missing.iter().any(|&at| at >= wide.len())
            || missing.iter().enumerate().any(|(nth, &at)| wide[nth] != wide[at])
        {
            return Err(EntryError::Zip64Extra);
        }
        for (value, wide) in values.iter_mut().zip(wide) {
            if *value != full && *value != wide {
                return Err(EntryError::Zip64Extra);
            }
            *value = wide;
        }
        Ok(Zip64::Repeats)
    }
}

/// Checks the field that repeats the name, for readers that do not take the header's name for
/// UTF-8.
fn unicode_path(field: &[u8], name: &[u8]) -> Result<(), EntryError> {
    let same = field.split_first_chunk::<5>().is_some_and(|(head, other)| {
        let crc = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        head[0] == 1 && crc == crc32fast::hash(name) && other == name
    });
    same.then_some(()).ok_or(EntryError::OtherUnicodePath)
}
