use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

/// The files in a zip: content by path.
pub(crate) fn zip_files(zip: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(fs::read(zip).unwrap())).unwrap();
    let count = archive.len();
    let read = |index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name().unwrap().into_owned(), content)
    };
    (0..count).map(read).collect()
}

/// A zip without entries, with a comment that distinguishes it from others.
pub(crate) fn empty_zip(comment: &str) -> Vec<u8> {
    let mut zip = b"PK\x05\x06".to_vec();
    zip.resize(20, 0);
    zip.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
    zip.extend(comment.as_bytes());
    zip
}
