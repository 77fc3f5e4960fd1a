use std::fmt;

use serde::{Deserialize, Serialize};

/// An unusual property of a wheel that is no reason to refuse it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Notice {
    /// The format has a newer minor version than the one that is known, which readers may ignore.
    WheelVersion(String),
    /// Two names collide when case and Unicode composition are ignored.
    NamesAlike(String, String),
    /// A `.pth` file at the root, which makes Python change its path or run code at startup. In a
    /// layer it has no effect.
    PathFile(String),
    /// A module has the name of a standard library module. The order of the path decides which one
    /// is imported.
    ShadowsStandardLibrary(String),
    /// A file has the first bytes of a native library, but cannot be loaded.
    UnsoundLibrary(String),
    /// A native library is too large to be inspected.
    LargeLibrary(String),
    /// Entries are listed more than once, with the same bytes.
    RepeatedEntries {
        /// The first one.
        first: String,
        /// The number of such names.
        count: usize,
    },
    /// This number of hashes in `RECORD` are written in hexadecimal or plain Base64 instead of
    /// URL-safe Base64.
    HashSpelling(usize),
    /// `RECORD` has paths that begin with `./` or `/`.
    RecordPaths {
        /// The first one.
        first: String,
        /// The number of such paths.
        count: usize,
    },
    /// `METADATA` repeats these single-use fields, which do not affect the outcome.
    RepeatedFields(Vec<String>),
    /// A line of `METADATA` is not a header, and ends the headers. No field that names the package
    /// or its dependencies comes after it.
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
                "{one} and {other} collide on file systems that ignore case or Unicode composition"
            ),
            Self::PathFile(path) => {
                write!(formatter, "{path} does nothing in a layer: Python looks for it elsewhere")
            }
            Self::ShadowsStandardLibrary(module) => {
                write!(formatter, "its module {module} has the name of a standard library module")
            }
            Self::UnsoundLibrary(what) => formatter.write_str(what),
            Self::LargeLibrary(path) => write!(
                formatter,
                "{path} is a native library of more than 256 MiB, which exceeds the limit of a layer; \
                 it was not checked whether it can be loaded"
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
                "its RECORD has {count} paths that begin with ./ or /, such as {first}"
            ),
            Self::RepeatedFields(fields) => write!(
                formatter,
                "its METADATA has more than one {}; the first is used, as by installers",
                fields.join(", ")
            ),
            Self::HeadersEnd { line } => write!(
                formatter,
                "line {line} of its METADATA is not a header; the lines after it are ignored, as by \
                 pip"
            ),
        }
    }
}
