use std::fmt;

use serde::{Deserialize, Serialize};

use super::RuleError;

/// The path of an archive's entry, which cannot lead out of the target folder: components separated
/// by `/`, none of them empty, `.` or `..`, without backslashes, control characters, and characters
/// that change the direction of text.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryPath(String);

impl EntryPath {
    /// Longest component, in bytes: the limit of Linux file systems.
    const LONGEST_PART: usize = 255;
    /// Longest path, in bytes: the limit of Linux, less room for the target folder.
    const LONGEST: usize = 4_000;

    /// Parses the name of a file as an archive states it.
    ///
    /// # Errors
    ///
    /// If it is not the name of a file below the folder that the archive is unpacked to.
    pub fn parse(bytes: &[u8]) -> Result<Self, RuleError> {
        let refuse = |reason: &'static str| {
            Err(RuleError::Name { name: String::from_utf8_lossy(bytes).into_owned(), reason })
        };
        if bytes.len() > Self::LONGEST {
            return refuse("it is longer than 4,000 bytes");
        }
        let Ok(name) = std::str::from_utf8(bytes) else {
            return refuse("it is not UTF-8");
        };
        if name.starts_with('/') {
            return refuse("it is absolute");
        }
        if name.contains('\\') {
            return refuse("it contains a backslash");
        }
        if name.chars().any(is_control) {
            return refuse("it contains a control character");
        }
        if name.chars().any(changes_direction) {
            return refuse("it contains a character that changes the direction of text");
        }
        if name.as_bytes().get(1) == Some(&b':') {
            return refuse("it begins with a drive letter");
        }
        for part in name.split('/') {
            match part {
                "" => return refuse("a part of it is empty"),
                "." | ".." => return refuse("it contains a part . or .."),
                _ if part.len() > Self::LONGEST_PART => {
                    return refuse("a part of it is longer than 255 bytes");
                }
                _ => {}
            }
        }
        Ok(Self(name.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character is a control character, or separates lines or paragraphs.
fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether a character changes the order in which text is displayed: embeddings, overrides,
/// isolates and marks of [UAX #9](https://www.unicode.org/reports/tr9/).
fn changes_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

impl TryFrom<String> for EntryPath {
    type Error = RuleError;

    fn try_from(name: String) -> Result<Self, RuleError> {
        Self::parse(name.as_bytes())
    }
}

impl From<EntryPath> for String {
    fn from(path: EntryPath) -> Self {
        path.0
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_target_folder_are_refused() {
        for name in [
            "",
            "/x",
            "//x",
            "../x",
            "a/../x",
            "a/..",
            ".",
            "./a",
            "a//b",
            "a/",
            "C:\\x",
            "C:/x",
            "\\\\server\\share",
            "a\\b",
            "a\0b",
            "a\nb",
            "a\u{7f}b",
            "a\u{2028}b",
            "a\u{202e}yp.b",
            "a\u{2067}b",
        ] {
            assert!(EntryPath::parse(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(EntryPath::parse(b"\xff").is_err());
        assert!(EntryPath::parse(&[b'a'; 256]).is_err());
        assert!(EntryPath::parse(format!("{}a", "a/".repeat(2_000)).as_bytes()).is_err());
        assert!(EntryPath::parse(format!("{}aa", "a/".repeat(1_999)).as_bytes()).is_ok());
        for name in ["a", "a/b.py", "ä/ö", "..a/b..", "a b"] {
            assert!(EntryPath::parse(name.as_bytes()).is_ok(), "{name:?}");
        }
    }
}
