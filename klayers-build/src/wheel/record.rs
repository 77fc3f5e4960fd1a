use std::collections::BTreeMap;

use klayers_core::Digest;

use super::Rule;

/// A wheel's list of its files, with their hashes and sizes ([specification][spec]).
///
/// [spec]: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record(BTreeMap<String, RecordLine>);

/// What a list says of one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordLine {
    /// Its SHA-256; the list itself has none.
    pub sha256: Option<Digest>,
    /// Its size in bytes, where it is given.
    pub size: Option<u64>,
}

impl Record {
    /// Reads a `RECORD` file.
    pub(super) fn parse(text: &str) -> Result<Self, Rule> {
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
            let field = |index: usize| row.get(index).unwrap_or_default();
            let (path, hash, size) = (field(0), field(1), field(2));
            if path.is_empty() {
                return Err(refuse("it names no file".to_owned()));
            }
            let sha256 = match hash.split_once('=') {
                None if hash.is_empty() => None,
                Some(("sha256", digest)) => {
                    let digest = digest.trim_end_matches('=');
                    Some(
                        Digest::from_base64_url(digest)
                            .map_err(|error| refuse(error.to_string()))?,
                    )
                }
                _ => return Err(refuse(format!("{hash:?} is not a SHA-256 hash"))),
            };
            let size = match size {
                "" => None,
                _ => Some(size.parse().map_err(|_| refuse(format!("{size:?} is not a size")))?),
            };
            lines.insert(path.to_owned(), RecordLine { sha256, size });
        }
        Ok(Self(lines))
    }

    /// What the list says of the file at a path.
    pub fn get(&self, path: &str) -> Option<RecordLine> {
        self.0.get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let digest = Digest::of(b"");
        let text = format!(
            "a/__init__.py,sha256={0},12\n\"a/b,c.py\",sha256={0}=,\na-1.dist-info/RECORD,,\n",
            digest.to_base64_url()
        );
        let record = Record::parse(&text).expect("a record");
        let line = |size| Some(RecordLine { sha256: Some(digest), size });
        assert_eq!(record.get("a/__init__.py"), line(Some(12)));
        assert_eq!(record.get("a/b,c.py"), line(None));
        let own = Some(RecordLine { sha256: None, size: None });
        assert_eq!(record.get("a-1.dist-info/RECORD"), own);
        assert_eq!(record.get("other"), None);
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, message) in [
            ("a,,\nb,md5=00,1\n", "RECORD, line 2: \"md5=00\" is not a SHA-256 hash"),
            ("a,sha256=00,1\n", "RECORD, line 1: \"00\" is not a SHA-256 digest"),
            ("a,,many\n", "RECORD, line 1: \"many\" is not a size"),
            (",,\n", "RECORD, line 1: it names no file"),
        ] {
            let error = Record::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
