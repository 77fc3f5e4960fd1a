use std::io::Write as _;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// Creates a zip of files and symbolic links. Their names are written unchanged.
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
fn valid_zip_is_imported_unchanged() {
    let links = [("lib/libm.so", "libm.so.1"), ("lib/deep/x", "/opt/lib/libm.so.1")];
    let bytes = zip_of(&[MODEL, ("lib/libm.so.1", b"ELF"), ("share/x/data", b"")], &links);
    let taken = take(&bytes).expect("a layer");
    assert_eq!(taken.digest, Digest::of(&bytes));
    assert_eq!((taken.size, taken.files), (bytes.len() as u64, 5));
    let targets = links.iter().map(|(_, target)| target.len() as u64).sum::<u64>();
    assert_eq!(taken.unzipped_size, 6 + 3 + targets);
}

#[test]
fn useless_or_harmful_zips_are_refused() {
    for (files, links, message) in [
        (&[][..], &[][..], "it has no files"),
        (&[("data/x", &b""[..])], &[], "none of its files is below python/"),
        (&[MODEL, ("module.py", b"")], &[], "entry module.py is not in a folder"),
        (&[MODEL, ("python/../../x", b"")], &[], "entry \"python/../../x\": it contains a part"),
        (&[MODEL, ("/etc/x", b"")], &[], "entry \"/etc/x\": it is absolute"),
        (&[MODEL, ("python\\x", b"")], &[], "entry \"python\\\\x\": it contains a backslash"),
        (&[MODEL], &[("lib/x", "../../etc/passwd")], "entry lib/x is a symbolic link that points"),
        (&[MODEL], &[("lib/x", "/etc/passwd")], "entry lib/x is a symbolic link that points"),
        (&[MODEL], &[("lib/x", "/opt/../etc")], "entry lib/x is a symbolic link that points"),
    ] {
        let error = take(&zip_of(files, links)).expect_err(message);
        assert!(error.starts_with(message), "{error}");
    }
    assert!(take(b"").expect_err("nothing").starts_with("it is not a valid ZIP archive"));
    let leading = [b"#!/bin/sh\n", zip_of(&[MODEL], &[]).as_slice()].concat();
    assert!(take(&leading).is_err());
}

#[test]
fn entry_with_wrong_crc_is_refused() {
    let mut bytes = zip_of(&[MODEL], &[]);
    let at = bytes.windows(5).position(|window| window == b"x = 1").expect("the content");
    bytes[at] = b'y';
    let error = take(&bytes).expect_err("another content");
    assert!(error.starts_with("could not read entry python/model/__init__.py"), "{error}");
}

#[test]
fn reading_a_zip_bomb_stops_at_the_limit() {
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
    // The writer refuses equal names, so one name is changed afterwards.
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
    fn truncated_or_changed_zip_never_panics(at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = zip_of(&[MODEL, ("lib/x", b"y")], &[("lib/z", "x")]);
        let at = at.index(bytes.len());
        let _ = take(&bytes[..at]);
        bytes[at] ^= 1 << bit;
        let _ = take(&bytes);
    }
}
