use std::fmt;

use serde::{Deserialize, Serialize};

use super::EntryPath;

/// Number of faults of a `RECORD` that are listed; the others are only counted.
const KEPT: usize = 10;

/// The files that the `RECORD` of a wheel describes wrongly, one fault for each. The faults are
/// part of the wheel's inventory; whether they are accepted is decided each time the wheel is used.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct RecordFaults {
    /// The number of files that `RECORD` describes wrongly.
    count: usize,
    /// The first faults, by path.
    first: Vec<RecordFault>,
}

/// A file that `RECORD` describes wrongly.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RecordFault {
    /// The path of the file, in the wheel or in `RECORD`.
    pub path: EntryPath,
    /// The flaw.
    pub flaw: RecordFlaw,
}

/// What `RECORD` states wrongly about a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecordFlaw {
    /// The file is not listed.
    NotListed,
    /// The file is listed, but not in the wheel.
    NotInWheel,
    /// The file has no hash.
    NoHash,
    /// The hash does not match the content.
    OtherHash,
    /// The algorithm of the hash is weaker than SHA-256 or unknown, or the hash is malformed.
    UnknownHash,
    /// The size does not match.
    OtherSize,
    /// The size is not a number.
    UnknownSize,
    /// Two lines about the file differ.
    Contradiction,
}

impl RecordFaults {
    /// Collects faults, which come in the order of their paths.
    pub(super) fn new(faults: impl IntoIterator<Item = (EntryPath, RecordFlaw)>) -> Self {
        let mut all = Self::default();
        for (path, flaw) in faults {
            all.count += 1;
            if all.first.len() < KEPT {
                all.first.push(RecordFault { path, flaw });
            }
        }
        all
    }

    /// Whether `RECORD` describes the wheel.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of files that `RECORD` describes wrongly.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first ten faults, by path.
    pub fn first(&self) -> &[RecordFault] {
        &self.first
    }
}

impl fmt::Display for RecordFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.first.first() else {
            return formatter.write_str("RECORD describes the wheel");
        };
        write!(formatter, "{first}")?;
        match self.count - 1 {
            0 => Ok(()),
            1 => formatter.write_str(", and describes 1 more file wrongly"),
            more => write!(formatter, ", and describes {more} more files wrongly"),
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, flaw } = self;
        match flaw {
            RecordFlaw::NotListed => write!(formatter, "RECORD does not list {path}"),
            RecordFlaw::NotInWheel => {
                write!(formatter, "RECORD lists {path}, which is not in the wheel")
            }
            RecordFlaw::NoHash => write!(formatter, "RECORD has no hash for {path}"),
            RecordFlaw::OtherHash => write!(formatter, "RECORD has another hash for {path}"),
            RecordFlaw::UnknownHash => {
                write!(formatter, "RECORD has no hash of SHA-256 or better for {path}")
            }
            RecordFlaw::OtherSize => write!(formatter, "RECORD has another size for {path}"),
            RecordFlaw::UnknownSize => {
                write!(formatter, "RECORD has a size for {path} that is not a number")
            }
            RecordFlaw::Contradiction => {
                write!(formatter, "RECORD has two different lines for {path}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_faults_are_counted_and_the_first_is_named() {
        let path = |number: usize| EntryPath::parse(format!("a{number:02}").as_bytes()).unwrap();
        let said = |count| {
            let faults = (0..count).map(|number| (path(number), RecordFlaw::NotListed));
            RecordFaults::new(faults).to_string()
        };
        assert_eq!(said(1), "RECORD does not list a00");
        assert_eq!(said(2), "RECORD does not list a00, and describes 1 more file wrongly");
        assert_eq!(said(30), "RECORD does not list a00, and describes 29 more files wrongly");
        assert!(RecordFaults::new([]).is_empty());
        let many = RecordFaults::new((0..30).map(|number| (path(number), RecordFlaw::NoHash)));
        assert_eq!((many.count(), many.first().len()), (30, KEPT));
    }
}
