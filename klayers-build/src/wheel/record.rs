use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use klayers_core::Digest;

use super::{EntryPath, Rule};

/// A wheel's list of its files, with their hashes and sizes ([specification][spec]).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record(BTreeMap<EntryPath, RecordLine>);

/// What a list says of one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordLine {
    /// Its hash; the list itself has none.
    pub hash: Option<Hash>,
    /// Its size in bytes, where it is given.
    pub size: Option<u64>,
}

/// A hash, of one of the algorithms that a list may use: SHA-256 or better.
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
    fn parse(text: &str) -> Option<Self> {
        let (algorithm, digest) = text.split_once('=')?;
        // Some writers leave the padding of Base64 on.
        let digest = BASE64URL_NOPAD.decode(digest.trim_end_matches('=').as_bytes()).ok()?;
        match algorithm {
            "sha256" => digest.try_into().ok().map(|bytes| Self::Sha256(Digest::from_bytes(bytes))),
            "sha384" => digest.try_into().ok().map(|bytes| Self::Sha384(Box::new(bytes))),
            "sha512" => digest.try_into().ok().map(|bytes| Self::Sha512(Box::new(bytes))),
            _ => None,
        }
    }
}

impl Record {
    /// Reads a `RECORD` file.
    ///
    /// # Errors
    ///
    /// Names the line that is not a path, a hash and a size, or that names a file again or one
    /// outside the wheel.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut lines = BTreeMap::new();
        for row in reader.records() {
            let row = row.map_err(|error| Rule::Record {
                line: error.position().map_or(0, csv::Position::line),
                reason: "not a row of CSV".to_owned(),
            })?;
            let line = row.position().map_or(0, csv::Position::line);
            let refuse = |reason: String| Rule::Record { line, reason };
            if row.len() > 3 {
                return Err(refuse("it has more than three fields".to_owned()));
            }
            let field = |index: usize| row.get(index).unwrap_or_default();
            let (path, hash, size) = (field(0), field(1), field(2));
            let path =
                EntryPath::parse(path.as_bytes()).map_err(|error| refuse(error.to_string()))?;
            let hash = if hash.is_empty() {
                None
            } else {
                let reason = || refuse(format!("{hash:?} is not a hash of SHA-256 or better"));
                Some(Hash::parse(hash).ok_or_else(reason)?)
            };
            let size = match size {
                "" => None,
                _ => Some(size.parse().map_err(|_| refuse(format!("{size:?} is not a size")))?),
            };
            let here = RecordLine { hash, size };
            if let Some(before) = lines.insert(path, here.clone())
                && before != here
            {
                return Err(refuse("it contradicts the line before of that name".to_owned()));
            }
        }
        Ok(Self(lines))
    }

    /// What the list says of the file at a path.
    pub fn get(&self, path: &EntryPath) -> Option<&RecordLine> {
        self.0.get(path)
    }

    /// The files that are listed, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &EntryPath> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> EntryPath {
        EntryPath::parse(path.as_bytes()).expect("a path")
    }

    #[test]
    fn lines_are_read() {
        let digest = Digest::of(b"");
        let text = format!(
            "a/__init__.py,sha256={0},12\n\"a/b,c.py\",sha256={0}=,\na-1.dist-info/RECORD,,\n",
            digest.to_base64_url()
        );
        let record = Record::parse(&text).expect("a record");
        let line = |size| RecordLine { hash: Some(Hash::Sha256(digest)), size };
        assert_eq!(record.get(&path("a/__init__.py")), Some(&line(Some(12))));
        assert_eq!(record.get(&path("a/b,c.py")), Some(&line(None)));
        let own = RecordLine { hash: None, size: None };
        assert_eq!(record.get(&path("a-1.dist-info/RECORD")), Some(&own));
        assert_eq!(record.get(&path("other")), None);
        assert_eq!(record.paths().count(), 3);
    }

    #[test]
    fn longer_hashes_are_read() {
        for (algorithm, length) in [("sha384", 48), ("sha512", 64)] {
            let digest = BASE64URL_NOPAD.encode(&vec![7; length]);
            let record = Record::parse(&format!("a,{algorithm}={digest},1\n")).expect("a record");
            assert!(record.get(&path("a")).is_some_and(|line| line.hash.is_some()));
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, message) in [
            ("a,,\nb,md5=00,1\n", "RECORD, line 2: \"md5=00\" is not a hash of SHA-256 or better"),
            ("a,sha256=00,1\n", "RECORD, line 1: \"sha256=00\" is not a hash"),
            ("a,,many\n", "RECORD, line 1: \"many\" is not a size"),
            (",,\n", "RECORD, line 1: entry \"\""),
            ("../a,,\n", "RECORD, line 1: entry \"../a\""),
            ("a,,\na,,1\n", "RECORD, line 2: it contradicts"),
            ("a,,,\n", "RECORD, line 1: it has more"),
        ] {
            let error = Record::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
