use std::io::Write as _;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// A zip of some files and symbolic links, whose names are written as they are.
fn zip_of(files: &[(&str, &[u8])], links: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (path, content) in files {
        zip.start_file(*path, options).expect("an entry");
        zip.write_all(content).expect("its content");
    }
    for (path, target) in links {
        zip.add_symlink(*path, *target, options).expect("a link");
    }
    zip.finish().expect("a zip").into_inner()
}

fn take(bytes: &[u8]) -> Result<HandMadeZip, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let zip = folder.path().join("hand.zip");
    std::fs::write(&zip, bytes).expect("a zip");
    HandMadeZip::take(&zip, folder.path()).map_err(|error| {
        let cause = std::error::Error::source(&error).expect("a cause");
        let inner = cause.source().map(|inner| format!(": {inner}")).unwrap_or_default();
        format!("{cause}{inner}")
    })
}

const MODEL: (&str, &[u8]) = ("python/model/__init__.py", b"x = 1\n");

#[test]
fn a_sound_zip_is_taken_in_as_it_is() {
    let links = [("lib/libm.so", "libm.so.1"), ("lib/deep/x", "/opt/lib/libm.so.1")];
    let bytes = zip_of(&[MODEL, ("lib/libm.so.1", b"ELF"), ("share/x/data", b"")], &links);
    let taken = take(&bytes).expect("a layer");
    assert_eq!(taken.digest, Digest::of(&bytes));
    assert_eq!((taken.size, taken.files), (bytes.len() as u64, 5));
    let targets = links.iter().map(|(_, target)| target.len() as u64).sum::<u64>();
    assert_eq!(taken.unzipped_size, 6 + 3 + targets);
}

#[test]
fn what_would_be_of_no_use_or_of_harm_is_refused() {
    for (files, links, message) in [
        (&[][..], &[][..], "it holds no files"),
        (&[("data/x", &b""[..])], &[], "none of its files is below python/"),
        (&[MODEL, ("module.py", b"")], &[], "entry module.py is in no folder"),
        (&[MODEL, ("python/../../x", b"")], &[], "entry \"python/../../x\": it contains a part"),
        (&[MODEL, ("/etc/x", b"")], &[], "entry \"/etc/x\": it is absolute"),
        (&[MODEL, ("python\\x", b"")], &[], "entry \"python\\\\x\": it contains a backslash"),
        (&[MODEL], &[("lib/x", "../../etc/passwd")], "entry lib/x is a symbolic link that leads"),
        (&[MODEL], &[("lib/x", "/etc/passwd")], "entry lib/x is a symbolic link that leads"),
        (&[MODEL], &[("lib/x", "/opt/../etc")], "entry lib/x is a symbolic link that leads"),
    ] {
        let error = take(&zip_of(files, links)).expect_err(message);
        assert!(error.starts_with(message), "{error}");
    }
    assert!(take(b"").expect_err("nothing").starts_with("it is not a sound ZIP archive"));
    let leading = [b"#!/bin/sh\n", zip_of(&[MODEL], &[]).as_slice()].concat();
    assert!(take(&leading).is_err());
}

#[test]
fn an_entry_whose_bytes_are_not_what_its_crc_says_is_refused() {
    let mut bytes = zip_of(&[MODEL], &[]);
    let at = bytes.windows(5).position(|window| window == b"x = 1").expect("the content");
    bytes[at] = b'y';
    let error = take(&bytes).expect_err("another content");
    assert!(error.starts_with("entry python/model/__init__.py cannot be read"), "{error}");
}

#[test]
fn a_bomb_is_given_up_at_the_limit() {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file("python/zeros", SimpleFileOptions::default()).expect("an entry");
    let zeros = vec![0; 1 << 20];
    for _ in 0..=UNPACKED_LIMIT >> 20 {
        zip.write_all(&zeros).expect("zeros");
    }
    let bytes = zip.finish().expect("a zip").into_inner();
    let error = take(&bytes).expect_err("too large");
    assert!(error.starts_with("it unpacks to more than 262144000 bytes"), "{error}");
}

#[test]
fn two_entries_of_one_name_are_refused() {
    // The writer does not make them, so one name is made the other.
    let mut bytes = zip_of(&[("python/a.py", b"1"), ("python/b.py", b"2")], &[]);
    for at in 0..bytes.len() - 11 {
        if &bytes[at..at + 11] == b"python/b.py" {
            bytes[at + 7] = b'a';
        }
    }
    let error = take(&bytes).expect_err("two of one name");
    assert_eq!(error, "two of its entries have the same name; pack it again");
}

proptest! {
    #[test]
    fn no_cut_and_no_flipped_bit_makes_it_panic(at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = zip_of(&[MODEL, ("lib/x", b"y")], &[("lib/z", "x")]);
        let at = at.index(bytes.len());
        let _ = take(&bytes[..at]);
        bytes[at] ^= 1 << bit;
        let _ = take(&bytes);
    }
}
