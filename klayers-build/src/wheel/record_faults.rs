use std::fmt;

use serde::{Deserialize, Serialize};

use super::EntryPath;

/// How many faults are kept of a `RECORD`; the rest is only counted.
const KEPT: usize = 10;

/// Where the `RECORD` of a wheel does not describe the wheel, one fault for each file. The faults
/// are a part of the wheel's inventory; whether they are accepted is decided where it is used.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct RecordFaults {
    /// The number of files that `RECORD` is wrong about.
    count: usize,
    /// The first of them, by path.
    first: Vec<RecordFault>,
}

/// A file that `RECORD` is wrong about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RecordFault {
    /// The file, by its path in the wheel or in `RECORD`.
    pub path: EntryPath,
    /// What is wrong.
    pub flaw: RecordFlaw,
}

/// What is wrong with `RECORD` about a file.
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
    /// The hash is that of other content.
    OtherHash,
    /// The hash is not of SHA-256 or better, or malformed.
    UnknownHash,
    /// The size is another one.
    OtherSize,
    /// The size is not a number.
    UnknownSize,
    /// Two lines about the file differ.
    Contradiction,
}

impl RecordFaults {
    /// These faults, in the order of their paths.
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

    /// The number of files that `RECORD` is wrong about.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first ten of them, by path.
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
            1 => formatter.write_str(", and is wrong about 1 more file"),
            more => write!(formatter, ", and is wrong about {more} more files"),
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
        assert_eq!(said(2), "RECORD does not list a00, and is wrong about 1 more file");
        assert_eq!(said(30), "RECORD does not list a00, and is wrong about 29 more files");
        assert!(RecordFaults::new([]).is_empty());
        let many = RecordFaults::new((0..30).map(|number| (path(number), RecordFlaw::NoHash)));
        assert_eq!((many.count(), many.first().len()), (30, KEPT));
    }
}
