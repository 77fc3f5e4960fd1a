//! Extra fields (section 4.5), as far as they change what other fields say.

use super::{u16_at, u64_at};
use crate::wheel::EntryFault;

const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;

/// The extra fields of one header that matter.
#[derive(Debug, Default)]
pub(super) struct Extra<'b> {
    zip64: Option<&'b [u8]>,
}

impl<'b> Extra<'b> {
    /// Reads the extra fields of a header with this name.
    pub(super) fn parse(mut bytes: &'b [u8], name: &[u8]) -> Result<Self, EntryFault> {
        let mut extra = Self::default();
        while !bytes.is_empty() {
            let header = bytes.get(..4).ok_or(EntryFault::ExtraCut)?;
            let (id, length) = (u16_at(header, 0), usize::from(u16_at(header, 2)));
            let field = bytes.get(4..4 + length).ok_or(EntryFault::ExtraCut)?;
            match id {
                ZIP64 if extra.zip64.replace(field).is_some() => {
                    return Err(EntryFault::Zip64Extra);
                }
                UNICODE_PATH => unicode_path(field, name)?,
                _ => {}
            }
            bytes = &bytes[4 + length..];
        }
        Ok(extra)
    }

    /// Whether there is a ZIP64 field.
    pub(super) fn has_zip64(&self) -> bool {
        self.zip64.is_some()
    }

    /// Puts the values of the ZIP64 field in the place of those that are left to it. It must hold
    /// those and nothing else.
    pub(super) fn widen(&self, values: &mut [u64]) -> Result<(), EntryFault> {
        let left_to_it = values.iter_mut().filter(|value| **value == u64::from(u32::MAX));
        let Some(field) = self.zip64 else {
            return match left_to_it.count() {
                0 => Ok(()),
                _ => Err(EntryFault::Zip64Extra),
            };
        };
        let mut rest = field;
        let mut count = 0;
        for value in left_to_it {
            let (wide, after) = rest.split_first_chunk::<8>().ok_or(EntryFault::Zip64Extra)?;
            *value = u64_at(wide, 0);
            rest = after;
            count += 1;
        }
        if rest.is_empty() && count > 0 { Ok(()) } else { Err(EntryFault::Zip64Extra) }
    }
}

/// The name again, for readers that do not take the header's for UTF-8.
fn unicode_path(field: &[u8], name: &[u8]) -> Result<(), EntryFault> {
    let same = field.split_first_chunk::<5>().is_some_and(|(head, other)| {
        let crc = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        head[0] == 1 && crc == crc32fast::hash(name) && other == name
    });
    same.then_some(()).ok_or(EntryFault::OtherUnicodePath)
}
