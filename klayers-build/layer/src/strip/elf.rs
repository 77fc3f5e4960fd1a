//! Strips one ELF library. The bytes of its segments stay the same; they are only moved closer
//! together in the file.

use std::ops::Range;

use object::LittleEndian as LE;
use object::U64;
use object::elf::{
    ELFCLASS64, ELFDATA2LSB, ELFMAG, ET_DYN, ET_EXEC, FileHeader64, PT_LOAD, ProgramHeader64,
    SHF_ALLOC, SHT_NOBITS, SHT_NULL, SectionHeader64,
};
use object::pod::{bytes_of, from_bytes, slice_from_bytes};

use klayers_wheel::NativeLibrary;

/// Sections that only debuggers and linkers read, in addition to those with a prefix in
/// [`DEBUG_PREFIXES`].
const DEBUG_SECTIONS: [&[u8]; 4] = [b".symtab", b".strtab", b".symtab_shndx", b".gdb_index"];
/// Name prefixes of debug sections.
const DEBUG_PREFIXES: [&[u8]; 2] = [b".debug_", b".zdebug_"];

/// Removes the debug sections of a 64-bit little-endian library. None if it would not be smaller,
/// is of another kind, or is malformed.
pub(super) fn stripped(path: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let stripped = Elf::read(bytes)?.without_debug_sections()?;
    // Everything that a loader reads must stay the same.
    let loader_view = |bytes: &[u8]| NativeLibrary::read(path, bytes).ok().flatten();
    let same = loader_view(bytes)? == loader_view(&stripped)?;
    (same && stripped.len() < bytes.len()).then_some(stripped)
}

struct Elf<'a> {
    bytes: &'a [u8],
    header: &'a FileHeader64<LE>,
    programs: &'a [ProgramHeader64<LE>],
    sections: &'a [SectionHeader64<LE>],
}

/// A range of the file that is kept, with its new position.
#[derive(Clone, Debug)]
struct Block {
    from: Range<u64>,
    /// The distance by which the block is moved is a multiple of this.
    align: u64,
    to: u64,
}

impl<'a> Elf<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (header, _) = from_bytes::<FileHeader64<LE>>(bytes).ok()?;
        let ident = &header.e_ident;
        let kind = header.e_type.get(LE);
        let known = ident.magic == ELFMAG
            && ident.class == ELFCLASS64
            && ident.data == ELFDATA2LSB
            && (kind == ET_DYN || kind == ET_EXEC)
            && usize::from(header.e_phentsize.get(LE)) == size_of::<ProgramHeader64<LE>>()
            && usize::from(header.e_shentsize.get(LE)) == size_of::<SectionHeader64<LE>>();
        if !known {
            return None;
        }
        let programs = table(bytes, header.e_phoff.get(LE), header.e_phnum.get(LE))?;
        let sections = table(bytes, header.e_shoff.get(LE), header.e_shnum.get(LE))?;
        Some(Self { bytes, header, programs, sections })
    }

    fn without_debug_sections(&self) -> Option<Vec<u8>> {
        let removed = self.removed()?;
        if !removed.contains(&true) {
            return None;
        }
        let blocks = self.blocks(&removed)?;
        let end = blocks.last().map(|block| block.to + (block.from.end - block.from.start))?;
        let section_table = end.next_multiple_of(8);
        let mut out = vec![0; usize::try_from(section_table).ok()?];
        for Block { from, to, .. } in &blocks {
            let content = self.bytes.get(range(from)?)?;
            let to = usize::try_from(*to).ok()?;
            out.get_mut(to..to + content.len())?.copy_from_slice(content);
        }

        let mut header = *self.header;
        let programs_at = moved(&blocks, header.e_phoff.get(LE))?;
        header.e_phoff = U64::new(LE, programs_at);
        header.e_shoff = U64::new(LE, section_table);
        put(&mut out, 0, bytes_of(&header))?;
        for (number, program) in self.programs.iter().enumerate() {
            let mut program = *program;
            if let Some(to) = moved(&blocks, program.p_offset.get(LE)) {
                program.p_offset = U64::new(LE, to);
            }
            let at = usize::try_from(programs_at).ok()? + number * size_of_val(&program);
            put(&mut out, at, bytes_of(&program))?;
        }
        for (section, removed) in self.sections.iter().zip(removed) {
            if removed {
                // An empty header keeps the numbers of other sections, which symbols refer to.
                out.extend([0; size_of::<SectionHeader64<LE>>()]);
                continue;
            }
            let mut section = *section;
            if let Some(to) = moved(&blocks, section.sh_offset.get(LE)) {
                section.sh_offset = U64::new(LE, to);
            }
            out.extend(bytes_of(&section));
        }
        Some(out)
    }

    /// Returns for each section whether it is removed.
    fn removed(&self) -> Option<Vec<bool>> {
        let names_at = usize::from(self.header.e_shstrndx.get(LE).0);
        let names = self.sections.get(names_at)?;
        let names = self.bytes.get(range(&place(names)?)?)?;
        let removed = self.sections.iter().enumerate().map(|(number, section)| {
            let rest = names.get(usize::try_from(section.sh_name.get(LE)).ok()?..)?;
            let name = rest.split(|byte| *byte == 0).next()?;
            let debug = DEBUG_SECTIONS.contains(&name)
                || DEBUG_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            Some(debug && number != names_at && !section.sh_flags.get(LE).contains(SHF_ALLOC))
        });
        removed.collect()
    }

    /// Returns the ranges of the file that are kept, moved together as far as alignment permits.
    fn blocks(&self, removed: &[bool]) -> Option<Vec<Block>> {
        let table_size = u64::try_from(size_of_val(self.programs)).ok()?;
        let table_at = self.header.e_phoff.get(LE);
        let header_size = u64::try_from(size_of::<FileHeader64<LE>>()).ok()?;
        let block = |from: Range<u64>, align: u64| Block { from, align: align.max(1), to: 0 };
        let mut parts = vec![block(0..header_size, 1)];
        parts.push(block(table_at..table_at.checked_add(table_size)?, 8));
        for program in self.programs {
            let (at, size) = (program.p_offset.get(LE), program.p_filesz.get(LE));
            match (program.p_type.get(LE) == PT_LOAD, size) {
                // The offset of an empty loaded segment matters, too, so give up.
                (true, 0) => return None,
                (false, 0) => {}
                _ => parts.push(block(at..at.checked_add(size)?, program.p_align.get(LE))),
            }
        }
        for (section, _) in self.sections.iter().zip(removed).filter(|(_, removed)| !**removed) {
            if section.sh_type.get(LE) != SHT_NOBITS && section.sh_type.get(LE) != SHT_NULL {
                parts.push(block(place(section)?, section.sh_addralign.get(LE)));
            }
        }
        let length = u64::try_from(self.bytes.len()).ok()?;
        let sound = |part: &Block| part.from.end <= length && part.align.is_power_of_two();
        if !parts.iter().all(sound) {
            return None;
        }
        parts.sort_by_key(|part| part.from.start);
        let mut blocks: Vec<Block> = Vec::new();
        for part in parts {
            match blocks.last_mut() {
                Some(last) if part.from.start <= last.from.end => {
                    last.from.end = last.from.end.max(part.from.end);
                    last.align = last.align.max(part.align);
                }
                _ => blocks.push(part),
            }
        }
        let mut end = 0;
        for block in &mut blocks {
            // The lowest position from `end` on whose distance from the old one is a multiple of
            // the alignment.
            block.to = block.from.start - (block.from.start - end) / block.align * block.align;
            end = block.to + (block.from.end - block.from.start);
        }
        Some(blocks)
    }
}

/// Converts an offset of the old file to the new file. None if it was removed.
fn moved(blocks: &[Block], offset: u64) -> Option<u64> {
    let block =
        blocks.iter().find(|block| (block.from.start..=block.from.end).contains(&offset))?;
    Some(block.to + (offset - block.from.start))
}

fn place(section: &SectionHeader64<LE>) -> Option<Range<u64>> {
    let (at, size) = (section.sh_offset.get(LE), section.sh_size.get(LE));
    Some(at..at.checked_add(size)?)
}

fn range(range: &Range<u64>) -> Option<Range<usize>> {
    Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

fn table<T: object::Pod>(bytes: &[u8], at: u64, count: u16) -> Option<&[T]> {
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    Some(slice_from_bytes(rest, usize::from(count)).ok()?.0)
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    out.get_mut(at..at.checked_add(bytes.len())?)?.copy_from_slice(bytes);
    Some(())
}

#[cfg(test)]
mod tests;
