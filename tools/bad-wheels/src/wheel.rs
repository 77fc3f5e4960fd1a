//! A small valid wheel, which the cases modify.

use std::collections::BTreeMap;

use klayers_core::Digest;

use crate::raw_zip::{Entry, RawZip};

/// The file name of the sample.
pub const FILENAME: &str = "sample-1.0-py3-none-any.whl";
/// A file of the sample, compressed.
pub const MODULE: &str = "sample/__init__.py";
/// A file of the sample, stored.
pub const DATA: &str = "sample/data.txt";
/// The sample's `.dist-info` folder.
pub const DIST_INFO: &str = "sample-1.0.dist-info";

/// A wheel: its files, and the changes to its `RECORD` and its archive.
#[derive(Clone, Debug)]
pub struct Wheel {
    /// The file name.
    pub filename: String,
    /// Its archive, without `RECORD`.
    pub zip: RawZip,
    record: Option<fn(String) -> String>,
    has_record: bool,
    each: Vec<fn(Entry) -> Entry>,
    last: Vec<Entry>,
}

impl Wheel {
    /// Creates the sample: a module, a text, and the metadata files.
    pub fn sample() -> Self {
        let metadata = "Metadata-Version: 2.4\nName: sample\nVersion: 1.0\n\
             License-Expression: MIT\n\nA sample.\n";
        let wheel = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n\
             Tag: py3-none-any\n";
        let module = "answer = 42\n".repeat(20);
        Self {
            filename: FILENAME.to_owned(),
            zip: RawZip {
                entries: vec![
                    Entry::deflated(MODULE, module),
                    Entry::stored(DATA, "the data of the sample\n"),
                    Entry::deflated(format!("{DIST_INFO}/METADATA"), metadata),
                    Entry::deflated(format!("{DIST_INFO}/WHEEL"), wheel),
                ],
                ..RawZip::default()
            },
            record: None,
            has_record: true,
            each: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Sets the file name.
    #[must_use]
    pub fn named(mut self, filename: &str) -> Self {
        filename.clone_into(&mut self.filename);
        self
    }

    /// Adds an entry.
    #[must_use]
    pub fn entry(mut self, entry: Entry) -> Self {
        self.zip.entries.push(entry);
        self
    }

    /// Adds an entry after all others.
    #[must_use]
    pub fn last(mut self, entry: Entry) -> Self {
        self.last.push(entry);
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, path: impl AsRef<[u8]>, content: &str) -> Self {
        self.entry(Entry::deflated(path, content))
    }

    /// Sets a file in its `.dist-info` folder.
    #[must_use]
    pub fn dist_info(self, file: &str, content: &str) -> Self {
        let path = format!("{DIST_INFO}/{file}");
        self.without(&path).file(path, content)
    }

    /// Removes a file.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.zip.entries.retain(|entry| !is_at(entry, path));
        self
    }

    /// Changes an entry after its line in `RECORD` was computed.
    #[must_use]
    pub fn change(mut self, path: &str, change: impl FnOnce(Entry) -> Entry) -> Self {
        let found = self.zip.entries.iter_mut().find(|entry| is_at(entry, path));
        let entry = found.expect("the path of an entry");
        *entry = change(entry.clone());
        self
    }

    /// Changes every entry, including `RECORD`.
    #[must_use]
    pub fn each(mut self, change: fn(Entry) -> Entry) -> Self {
        self.each.push(change);
        self
    }

    /// Changes the archive around its entries.
    #[must_use]
    pub fn archive(mut self, change: impl FnOnce(&mut RawZip)) -> Self {
        change(&mut self.zip);
        self
    }

    /// Changes `RECORD` after it was written.
    #[must_use]
    pub fn record(mut self, change: fn(String) -> String) -> Self {
        self.record = Some(change);
        self
    }

    /// Omits `RECORD`.
    #[must_use]
    pub fn without_record(mut self) -> Self {
        self.has_record = false;
        self
    }

    /// The text of its `RECORD`.
    pub fn record_text(&self) -> String {
        let mut lines: Vec<String> = self
            .listed_entries()
            .map(|(path, digest, size)| {
                let path = if path.contains([',', '"', '\n']) {
                    format!("\"{}\"", path.replace('"', "\"\""))
                } else {
                    path
                };
                format!("{path},sha256={},{size}\n", digest.to_base64_url())
            })
            .collect();
        lines.push(format!("{DIST_INFO}/RECORD,,\n"));
        let text = lines.concat();
        match self.record {
            Some(change) => change(text),
            None => text,
        }
    }

    /// The files that `RECORD` lists, with their SHA-256: the expected result of an installation.
    pub fn listed(&self) -> BTreeMap<String, Digest> {
        self.listed_entries().map(|(path, digest, _)| (path, digest)).collect()
    }

    /// The path, the SHA-256 and the size of each entry in `RECORD`.
    fn listed_entries(&self) -> impl Iterator<Item = (String, Digest, u64)> {
        self.zip.entries.iter().chain(&self.last).filter_map(|entry| {
            let header = entry.central.as_ref().or(entry.local.as_ref())?;
            let (digest, size) = entry.listed?;
            Some((String::from_utf8_lossy(&header.name).into_owned(), digest, size))
        })
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut zip = self.zip.clone();
        if self.has_record {
            let path = format!("{DIST_INFO}/RECORD");
            zip.entries.push(Entry::deflated(path, self.record_text()));
        }
        zip.entries.extend(self.last.iter().cloned());
        for change in &self.each {
            zip.entries = zip.entries.into_iter().map(change).collect();
        }
        zip.bytes()
    }
}

fn is_at(entry: &Entry, path: &str) -> bool {
    entry.central.as_ref().is_some_and(|header| header.name == path.as_bytes())
}
