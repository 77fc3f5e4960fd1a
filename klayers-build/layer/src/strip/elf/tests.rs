use super::*;

/// Alignment of segments, in bytes.
const ALIGN: u64 = 0x1000;

fn section(name: u32, kind: u32, flags: u64, at: u64, size: u64) -> [u64; 8] {
    [u64::from(name) | u64::from(kind) << 32, flags, at, at, size, 0, 1, 0]
}

/// A library with a debug section between its two segments and another at its end.
fn library() -> Vec<u8> {
    let names = b"\0.text\0.data\0.debug_info\0.symtab\0.shstrtab\0.comment\0";
    let name = |wanted: &str| {
        let found = names.windows(wanted.len()).position(|part| part == wanted.as_bytes());
        u32::try_from(found.expect(wanted)).expect("small")
    };
    let debug_at = 0x200;
    let data_at = 5 * ALIGN;
    let mut bytes = vec![0_u8; 0x200];
    bytes[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0");
    bytes[0x180..0x200].fill(b't');
    bytes.resize(usize::try_from(data_at).expect("small"), b'd');
    bytes.extend([b'x'; 64]);
    let end = bytes.len() as u64;
    bytes.extend([b's'; 48]);
    let names_at = bytes.len() as u64;
    bytes.extend(names);
    let comment_at = bytes.len() as u64;
    bytes.extend(b"made");
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let sections_at = bytes.len() as u64;
    for words in [
        [0; 8],
        section(name(".text"), 1, 2, 0x180, 0x80),
        section(name(".debug_info"), 1, 0, debug_at, data_at - debug_at),
        section(name(".data"), 1, 3, data_at, 64),
        section(name(".symtab"), 2, 0, end, 48),
        section(name(".shstrtab"), 3, 0, names_at, names.len() as u64),
        section(name(".comment"), 1, 0, comment_at, 4),
    ] {
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0x20, &64_u64.to_le_bytes());
    put(0x28, &sections_at.to_le_bytes());
    for (at, value) in [(0x34, 64), (0x36, 56), (0x38, 2), (0x3a, 64), (0x3c, 7), (0x3e, 5_u16)] {
        put(at, &value.to_le_bytes());
    }
    for (number, (flags, at, size)) in [(5_u64, 0, 0x200), (6, data_at, 64)].iter().enumerate() {
        let words = [1 | flags << 32, *at, *at, *at, *size, *size, ALIGN];
        let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        put(64 + number * 56, &words);
    }
    bytes
}

fn loaded(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let elf = Elf::read(bytes).expect("a library");
    let loads = elf.programs.iter().filter(|program| program.p_type.get(LE) == PT_LOAD);
    let content = |program: &ProgramHeader64<LE>| {
        let at = program.p_offset.get(LE);
        assert_eq!((program.p_vaddr.get(LE) - at) % program.p_align.get(LE), 0);
        let content = &bytes[range(&(at..at + program.p_filesz.get(LE))).expect("a range")];
        (program.p_vaddr.get(LE), content.to_vec())
    };
    loads.map(content).collect()
}

#[test]
fn debug_sections_are_removed_and_segments_stay_the_same() {
    let whole = library();
    let small = stripped("library.so", &whole).expect("it has debug sections");
    assert!(small.len() < whole.len() - 0x3000, "{} of {}", small.len(), whole.len());
    let (before, after) = (loaded(&whole), loaded(&small));
    // The first segment starts with the headers, whose offsets change.
    assert_eq!(before[0].1[0x180..], after[0].1[0x180..]);
    assert_eq!(before[1], after[1]);
    let elf = Elf::read(&small).expect("a library");
    let sizes: Vec<u64> = elf.sections.iter().map(|section| section.sh_size.get(LE)).collect();
    assert_eq!((sizes[2], sizes[4]), (0, 0), "removed");
    let comment = place(&elf.sections[6]).expect("a place");
    assert_eq!(&small[range(&comment).expect("a range")], b"made");
    assert_eq!(stripped("library.so", &whole), Some(small.clone()), "the same each time");
    assert_eq!(stripped("library.so", &small), None, "there is nothing left");
}

#[test]
fn truncated_or_inconsistent_library_is_not_stripped() {
    let whole = library();
    for length in (0..whole.len()).step_by(7) {
        assert_eq!(stripped("library.so", &whole[..length]), None, "cut at {length}");
    }
    // Whichever byte of the headers is changed: no panic, and no larger file.
    for at in (0..0xb0).chain(whole.len() - 7 * 64..whole.len()) {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            if let Some(small) = stripped("library.so", &changed) {
                assert!(small.len() < changed.len());
            }
        }
    }
}
