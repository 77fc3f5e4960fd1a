use std::fmt;

use serde::{Deserialize, Serialize};

/// What is unusual about a wheel, but no reason to refuse it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Notice {
    /// Its format is newer than the one that is known, in a way that may be passed over.
    WheelVersion(String),
    /// Two names are one where letters are not told apart by case or by how they are composed.
    NamesAlike(String, String),
    /// A file at the root tells Python to change its path, or to run code, when it starts; in a
    /// layer it does nothing.
    PathFile(String),
    /// A module has the name of one of the standard library; which one is imported depends on the
    /// order of the path.
    ShadowsStandardLibrary(String),
    /// A file begins as a native library does, and is none that can be loaded.
    UnsoundLibrary(String),
    /// A native library is so large that it was not looked at.
    LargeLibrary(String),
    /// Entries are there more than once, byte for byte the same.
    RepeatedEntries {
        /// The first of them.
        first: String,
        /// How many names that concerns.
        count: usize,
    },
    /// `RECORD` has so many hashes in hexadecimal or plain Base64 instead of URL-safe Base64.
    HashSpelling(usize),
    /// `RECORD` has paths that begin with `./` or `/`.
    RecordPaths {
        /// The first of them.
        first: String,
        /// How many there are.
        count: usize,
    },
    /// `METADATA` has these fields more than once. They can be said once, and do not decide
    /// anything.
    RepeatedFields(Vec<String>),
    /// A line of `METADATA` is not a header, and ends the headers. Nothing that says which package
    /// it is, or what that requires, comes after it.
    HeadersEnd {
        /// The line, counted from 1.
        line: usize,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WheelVersion(version) => {
                write!(
                    formatter,
                    "its Wheel-Version is {version}, newer than the 1.0 that is known"
                )
            }
            Self::NamesAlike(one, other) => write!(
                formatter,
                "{one} and {other} are one name on file systems that do not tell letters apart"
            ),
            Self::PathFile(path) => {
                write!(formatter, "{path} does nothing in a layer: Python looks for it elsewhere")
            }
            Self::ShadowsStandardLibrary(module) => {
                write!(formatter, "its module {module} has the name of one of the standard library")
            }
            Self::UnsoundLibrary(what) => formatter.write_str(what),
            Self::LargeLibrary(path) => write!(
                formatter,
                "{path} is a native library of more than 256 MiB, which no layer takes; whether it \
                 can be loaded was not looked at"
            ),
            Self::RepeatedEntries { first, count: 1 } => {
                write!(formatter, "it holds {first} more than once, the same each time")
            }
            Self::RepeatedEntries { first, count } => write!(
                formatter,
                "it holds {count} files more than once, the same each time: {first} is the first"
            ),
            Self::HashSpelling(count) => write!(
                formatter,
                "its RECORD has {count} hashes in hexadecimal or plain Base64, not in URL-safe Base64"
            ),
            Self::RecordPaths { first, count } => write!(
                formatter,
                "its RECORD has {count} paths that begin with ./ or /, as {first}"
            ),
            Self::RepeatedFields(fields) => write!(
                formatter,
                "its METADATA has more than one {}; the first is taken, as installers do",
                fields.join(", ")
            ),
            Self::HeadersEnd { line } => write!(
                formatter,
                "line {line} of its METADATA is not a header; what follows is left unread, as pip \
                 does"
            ),
        }
    }
}
