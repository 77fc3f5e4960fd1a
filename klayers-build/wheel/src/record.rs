use std::collections::BTreeMap;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use klayers_core::Digest;

use super::{EntryPath, RecordFlaw, RuleError};

/// A wheel's list of its files, with their hashes and sizes ([specification][spec]).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record {
    lines: BTreeMap<EntryPath, RecordLine>,
    unusual_hashes: usize,
    prefixed_paths: Vec<PrefixedPath>,
}

/// The line of one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordLine {
    /// The hash. `RECORD` itself has none.
    pub hash: Option<Hash>,
    /// The size in bytes, if stated.
    pub size: Option<u64>,
    /// What is wrong with the line itself. The hash or the size is missing in that case.
    pub flaw: Option<RecordFlaw>,
}

/// A path that begins with `./` or `/`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PrefixedPath {
    /// The line, counted from 1.
    pub(super) line: u64,
    /// The path as written.
    pub(super) spelling: String,
    /// The path without `./` or `/`.
    pub(super) path: EntryPath,
}

/// A hash with one of the allowed algorithms: SHA-256 or better.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Hash {
    /// SHA-256.
    Sha256(Digest),
    /// SHA-384.
    Sha384(Box<[u8; 48]>),
    /// SHA-512.
    Sha512(Box<[u8; 64]>),
}

impl Hash {
    /// Parses a hash. The flag says whether it is written in hexadecimal or plain Base64 instead of
    /// URL-safe Base64. The three forms cannot be confused: hexadecimal is longer, and the Base64
    /// alphabets differ in characters that only one of them has.
    fn parse(text: &str) -> Option<(Self, bool)> {
        let (algorithm, text) = text.split_once('=')?;
        let length = match algorithm {
            "sha256" => 32,
            "sha384" => 48,
            "sha512" => 64,
            _ => return None,
        };
        let is_hexadecimal = text.len() == 2 * length;
        // Some writers keep the padding of Base64.
        let base64 = text.trim_end_matches('=').as_bytes();
        let is_plain = text.contains(['+', '/']);
        let digest = match (is_hexadecimal, is_plain) {
            (true, _) => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?,
            (_, true) => BASE64_NOPAD.decode(base64).ok()?,
            _ => BASE64URL_NOPAD.decode(base64).ok()?,
        };
        let hash = match algorithm {
            "sha256" => Self::Sha256(Digest::from_bytes(digest.try_into().ok()?)),
            "sha384" => Self::Sha384(Box::new(digest.try_into().ok()?)),
            _ => Self::Sha512(Box::new(digest.try_into().ok()?)),
        };
        Some((hash, is_hexadecimal || is_plain))
    }
}

impl Record {
    /// Parses a `RECORD` file. A line whose hash or size is malformed, or that contradicts an
    /// earlier line, is stored with its flaw.
    ///
    /// # Errors
    ///
    /// Names the line that is not a path, a hash and a size, or whose path leads out of the wheel.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut record = Self::default();
        for row in reader.records() {
            let row = row.map_err(|error| RuleError::Record {
                line: error.position().map_or(0, csv::Position::line),
                reason: "not a row of CSV".to_owned(),
            })?;
            let line = row.position().map_or(0, csv::Position::line);
            let refuse = |reason: String| RuleError::Record { line, reason };
            if row.len() > 3 {
                return Err(refuse("it has more than three fields".to_owned()));
            }
            let field = |index: usize| row.get(index).unwrap_or_default();
            let spelling = field(0);
            let stripped = spelling.strip_prefix("./").or_else(|| spelling.strip_prefix('/'));
            let path = EntryPath::parse(stripped.unwrap_or(spelling).as_bytes())
                .map_err(|error| refuse(error.to_string()))?;
            if stripped.is_some() {
                let (path, spelling) = (path.clone(), spelling.to_owned());
                record.prefixed_paths.push(PrefixedPath { line, spelling, path });
            }
            let here = record.line(field(1), field(2));
            record.add(path, here);
        }
        Ok(record)
    }

    /// Parses the hash and the size of a line.
    fn line(&mut self, hash: &str, size: &str) -> RecordLine {
        let mut line = RecordLine { hash: None, size: None, flaw: None };
        if !size.is_empty() {
            line.size = size.parse().ok();
            line.flaw = line.size.is_none().then_some(RecordFlaw::UnknownSize);
        }
        if !hash.is_empty() {
            match Hash::parse(hash) {
                Some((hash, is_other)) => {
                    line.hash = Some(hash);
                    self.unusual_hashes += usize::from(is_other);
                }
                None => line.flaw = Some(RecordFlaw::UnknownHash),
            }
        }
        line
    }

    fn add(&mut self, path: EntryPath, line: RecordLine) {
        match self.lines.get_mut(&path) {
            Some(before) if *before != line => before.flaw = Some(RecordFlaw::Contradiction),
            Some(_) => {}
            None => {
                self.lines.insert(path, line);
            }
        }
    }

    /// Returns the line of the file at a path.
    pub fn get(&self, path: &EntryPath) -> Option<&RecordLine> {
        self.lines.get(path)
    }

    /// The listed paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &EntryPath> {
        self.lines.keys()
    }

    /// The number of hashes that are not written in URL-safe Base64.
    pub(super) fn unusual_hashes(&self) -> usize {
        self.unusual_hashes
    }

    /// The paths that begin with `./` or `/`, in the order of the file.
    pub(super) fn prefixed_paths(&self) -> &[PrefixedPath] {
        &self.prefixed_paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> EntryPath {
        EntryPath::parse(path.as_bytes()).expect("a path")
    }

    fn line(text: &str) -> RecordLine {
        let record = Record::parse(text).expect("a record");
        record.get(&path("a")).expect("a line").clone()
    }

    #[test]
    fn lines_are_read() {
        let digest = Digest::of(b"");
        let text = format!(
            "a/__init__.py,sha256={0},12\n\"a/b,c.py\",sha256={0}=,\na-1.dist-info/RECORD,,\n",
            digest.to_base64_url()
        );
        let record = Record::parse(&text).expect("a record");
        let line = |size| RecordLine { hash: Some(Hash::Sha256(digest)), size, flaw: None };
        assert_eq!(record.get(&path("a/__init__.py")), Some(&line(Some(12))));
        assert_eq!(record.get(&path("a/b,c.py")), Some(&line(None)));
        let own = RecordLine { hash: None, size: None, flaw: None };
        assert_eq!(record.get(&path("a-1.dist-info/RECORD")), Some(&own));
        assert_eq!(record.get(&path("other")), None);
        assert_eq!(record.paths().count(), 3);
    }

    #[test]
    fn longer_hashes_are_read() {
        for (algorithm, length) in [("sha384", 48), ("sha512", 64)] {
            let digest = BASE64URL_NOPAD.encode(&vec![7; length]);
            assert!(line(&format!("a,{algorithm}={digest},1\n")).hash.is_some());
        }
    }

    #[test]
    fn hashes_in_hexadecimal_and_plain_base64_are_the_same_hashes() {
        let digest = Digest::of(b"");
        let (url, plain) = (digest.to_base64_url(), BASE64_NOPAD.encode(digest.as_bytes()));
        assert_ne!(url, plain);
        for other in [digest.to_string(), plain.clone(), format!("{plain}=")] {
            let text = format!("a,sha256={other},1\nb,sha256={url},1\n");
            let record = Record::parse(&text).expect("a record");
            assert_eq!(record.get(&path("a")), record.get(&path("b")));
            assert_eq!(record.unusual_hashes(), 1);
        }
        // A mix of both alphabets is malformed.
        let mixed = format!("a,sha256={},1\n", url.replacen('-', "+", 1));
        assert_eq!(line(&mixed).flaw, Some(RecordFlaw::UnknownHash));
        let upper = digest.to_string().to_uppercase();
        assert_eq!(line(&format!("a,sha256={upper},1\n")).hash, Some(Hash::Sha256(digest)));
        // 64 characters of Base64 that are not hexadecimal are 48 bytes, too many for SHA-256.
        let long = format!("a,sha256={}g,1\n", &digest.to_string()[1..]);
        assert_eq!(line(&long).flaw, Some(RecordFlaw::UnknownHash));
    }

    #[test]
    fn paths_with_a_redundant_prefix_are_recorded() {
        let record = Record::parse("/a,,\n./b,,\nc,,\n").expect("a record");
        assert_eq!(record.paths().map(EntryPath::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        let noted: Vec<_> =
            record.prefixed_paths().iter().map(|one| one.spelling.as_str()).collect();
        assert_eq!(noted, ["/a", "./b"]);
    }

    #[test]
    fn malformed_line_is_stored_with_its_flaw() {
        for (text, flaw) in [
            ("a,md5=00,1\n", RecordFlaw::UnknownHash),
            ("a,sha256=00,1\n", RecordFlaw::UnknownHash),
            ("a,,many\n", RecordFlaw::UnknownSize),
            ("a,,-1\n", RecordFlaw::UnknownSize),
            ("a,,\na,,1\n", RecordFlaw::Contradiction),
            ("a,,1\n./a,,2\n", RecordFlaw::Contradiction),
        ] {
            assert_eq!(line(text).flaw, Some(flaw), "{text}");
        }
        assert_eq!(line("a,,1\na,,1\n/a,,1\n").flaw, None);
    }

    #[test]
    fn error_names_the_bad_line() {
        for (text, message) in [
            (",,\n", "RECORD, line 1: entry \"\""),
            ("../a,,\n", "RECORD, line 1: entry \"../a\""),
            ("./../a,,\n", "RECORD, line 1: entry \"../a\""),
            ("/../a,,\n", "RECORD, line 1: entry \"../a\""),
            ("/./a,,\n", "RECORD, line 1: entry \"./a\""),
            ("././a,,\n", "RECORD, line 1: entry \"./a\""),
            ("//a,,\n", "RECORD, line 1: entry \"/a\""),
            (".//a,,\n", "RECORD, line 1: entry \"/a\""),
            ("/C:/a,,\n", "RECORD, line 1: entry \"C:/a\""),
            ("/,,\n", "RECORD, line 1: entry \"\""),
            ("a,,,\n", "RECORD, line 1: it has more"),
        ] {
            let error = Record::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
