use std::collections::{BTreeMap, BTreeSet};

use klayers_core::{PackageName, PackageVersion, ParseError};

use super::{Notice, RuleError};

mod error;
mod license;

pub use error::MetadataError;
pub use license::License;

use license::is_expression;

/// The fields that may occur at most once, as core metadata 2.4 lists them.
const SINGLE_USE: [&str; 16] = [
    "metadata-version",
    "name",
    "version",
    "summary",
    "description",
    "description-content-type",
    "keywords",
    "home-page",
    "download-url",
    "author",
    "author-email",
    "maintainer",
    "maintainer-email",
    "license",
    "license-expression",
    "requires-python",
];
/// Single-use fields that affect the outcome. Two different values are an error.
const DECIDING: [&str; 4] = ["metadata-version", "name", "version", "requires-python"];
/// The fields that name the package and its dependencies. All readers must find the same values in
/// them, wherever they think the headers end.
const FOUND_BY_ALL: [&str; 5] =
    ["metadata-version", "name", "version", "requires-dist", "provides-extra"];
/// Longest part of a line in an error message, in characters.
const SHOWN: usize = 80;

/// The relevant fields of a wheel's `METADATA` ([core metadata][spec], version 2.4).
///
/// Unknown fields are ignored, since later versions of the format may add more.
///
/// [spec]: https://packaging.python.org/en/latest/specifications/core-metadata/
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metadata {
    /// The package.
    pub name: PackageName,
    /// The version of the package.
    pub version: PackageVersion,
    /// The licence: the SPDX expression first (PEP 639), then the licence field, then the licence
    /// classifiers.
    pub license: Option<License>,
    /// The supported Python versions, unparsed: the resolver has judged them, and old packages use
    /// forms that no specification defines.
    pub requires_python: Option<String>,
    /// Malformed parts that do not affect the outcome.
    pub notices: Vec<Notice>,
}

impl Metadata {
    /// Reads a `METADATA` file.
    ///
    /// # Errors
    ///
    /// Names the line where readers would find different values of a field that affects the
    /// outcome, or the field that is missing or malformed.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, RuleError> {
        Ok(Self::read(bytes.as_ref())?)
    }

    fn read(bytes: &[u8]) -> Result<Self, MetadataError> {
        let fields = Fields::read(bytes)?;
        let format = fields.required("Metadata-Version")?;
        if !matches!(format.value.split('.').next(), Some("1" | "2")) {
            let (line, found) = (format.line, shown(&format.value));
            return Err(MetadataError::Format { line, found });
        }
        Ok(Self {
            name: fields.parsed("Name")?,
            version: fields.parsed("Version")?,
            license: fields.license(),
            requires_python: fields.first("Requires-Python").map(|field| field.value.clone()),
            notices: fields.notices,
        })
    }
}

/// The headers of a file.
struct Fields {
    /// The fields by lower-case name, each list in the order of the file.
    by_name: BTreeMap<String, Vec<Field>>,
    /// Malformed parts that do not affect the outcome.
    notices: Vec<Notice>,
}

struct Field {
    line: usize,
    value: String,
}

impl Fields {
    /// Reads the headers, each value with its continuation lines. The description after the first
    /// empty line is ignored.
    ///
    /// Readers differ about a line that is not a header. For Python's reader, which pip uses, the
    /// headers end there; for uv's they continue. Here they end, and a later field that all readers
    /// must find is an error.
    fn read(bytes: &[u8]) -> Result<Self, MetadataError> {
        let text = text(bytes)?;
        let mut fields: Vec<(String, Field)> = Vec::new();
        let mut end: Option<(usize, &str)> = None;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.is_empty() {
                break;
            }
            // Some readers see a line break or the end at these characters, others do not.
            if line.contains(['\r', '\0']) {
                return Err(MetadataError::Control { line: number });
            }
            let not_a_header = |(line, text): (usize, &str)| MetadataError::NotAHeader {
                line,
                found: shown(text),
            };
            if let Some(continued) = line.strip_prefix([' ', '\t']) {
                match fields.last_mut() {
                    _ if end.is_some() => {}
                    Some((_, field)) => {
                        field.value.push('\n');
                        field.value.push_str(continued.trim());
                    }
                    None => return Err(not_a_header((number, line))),
                }
                continue;
            }
            let header = line.split_once(':').map(|(name, value)| (name.trim(), value, name));
            if let Some(end) = end {
                if header.is_some_and(|(name, ..)| must_be_found_by_all(name)) {
                    return Err(not_a_header(end));
                }
                continue;
            }
            match header {
                Some((_, value, name)) if is_field_name(name) => {
                    let value = value.trim().to_owned();
                    fields.push((name.to_ascii_lowercase(), Field { line: number, value }));
                }
                // Readers differ about spaces around this name.
                Some((name, ..)) if must_be_found_by_all(name) => {
                    return Err(not_a_header((number, line)));
                }
                _ => end = Some((number, line)),
            }
        }
        let mut notices = Vec::new();
        notices.extend(end.map(|(line, _)| Notice::HeadersEnd { line }));
        Self::of(fields, notices)
    }

    /// Groups the headers by name. Repeated single-use fields must agree if they affect the
    /// outcome.
    fn of(fields: Vec<(String, Field)>, mut notices: Vec<Notice>) -> Result<Self, MetadataError> {
        let mut by_name: BTreeMap<String, Vec<Field>> = BTreeMap::new();
        let mut repeated = BTreeSet::new();
        for (name, field) in fields {
            let earlier = by_name.entry(name.clone()).or_default();
            let first = earlier.first().filter(|_| SINGLE_USE.contains(&name.as_str()));
            let Some(first) = first else {
                earlier.push(field);
                continue;
            };
            if DECIDING.contains(&name.as_str()) && first.value != field.value {
                let (line, first) = (field.line, first.line);
                return Err(MetadataError::Repeated { line, field: name, first });
            }
            repeated.insert(name);
        }
        if !repeated.is_empty() {
            notices.push(Notice::RepeatedFields(repeated.into_iter().collect()));
        }
        Ok(Self { by_name, notices })
    }

    fn all(&self, name: &str) -> &[Field] {
        self.by_name.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Returns the first field of a name with a value.
    fn first(&self, name: &str) -> Option<&Field> {
        self.all(name).iter().find(|field| !field.value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<&Field, MetadataError> {
        self.first(name).ok_or(MetadataError::Missing(name))
    }

    fn parsed<T>(&self, name: &'static str) -> Result<T, MetadataError>
    where
        T: std::str::FromStr<Err = ParseError>,
    {
        let Field { line, value } = self.required(name)?;
        value.parse().map_err(|error| MetadataError::Value { line: *line, field: name, error })
    }

    fn license(&self) -> Option<License> {
        let said = |field: &&Field| !field.value.eq_ignore_ascii_case("UNKNOWN");
        let stated = |name: &str| self.first(name).filter(said).map(|field| field.value.clone());
        if let Some(expression) = stated("License-Expression") {
            let spdx = is_expression(&expression);
            return Some(if spdx { License::Expression } else { License::Named }(expression));
        }
        let classifiers = || {
            let licenses: Vec<&str> = self
                .all("Classifier")
                .iter()
                .filter_map(|field| field.value.strip_prefix("License :: "))
                .map(|license| license.trim_start_matches("OSI Approved :: "))
                .collect();
            (!licenses.is_empty()).then(|| licenses.join(", "))
        };
        stated("License").or_else(classifiers).map(License::Named)
    }
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether all readers must find a field, in any spelling.
fn must_be_found_by_all(name: &str) -> bool {
    FOUND_BY_ALL.contains(&name.to_ascii_lowercase().as_str())
}

/// Returns the text of a file. All of it must be UTF-8, as core metadata requires since version
/// 2.1.
fn text(bytes: &[u8]) -> Result<&str, MetadataError> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => error,
    };
    let before = &bytes[..error.valid_up_to()];
    let line = before.split(|&byte| byte == b'\n').count();
    Err(MetadataError::NotText { line })
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUIRED: &str = "Metadata-Version: 2.4\nName: Sample.Name\nVersion: 1.0\n";

    fn license(headers: &str) -> Option<License> {
        let text = format!("{REQUIRED}{headers}\n\nLicense: no\n");
        Metadata::read(text.as_bytes()).expect("metadata").license
    }

    fn named(text: &str) -> License {
        License::Named(text.to_owned())
    }

    #[test]
    fn most_precise_licence_is_chosen() {
        let classifiers = "Classifier: License :: OSI Approved :: MIT License\n\
             Classifier: Programming Language :: Python\n\
             Classifier: License :: Public Domain";
        assert_eq!(license(""), None);
        assert_eq!(license(classifiers), Some(named("MIT License, Public Domain")));
        let field = format!("License: BSD\n{classifiers}");
        assert_eq!(license(&field), Some(named("BSD")));
        let expression = format!("License-Expression: MIT OR Apache-2.0\n{field}");
        let expected = License::Expression("MIT OR Apache-2.0".to_owned());
        assert_eq!(license(&expression), Some(expected));
        assert_eq!(license(&format!("License: UNKNOWN\n{classifiers}")), license(classifiers));
        assert_eq!(license("License: one\n        two"), Some(named("one\ntwo")));
    }

    #[test]
    fn invalid_licence_expression_becomes_text() {
        for text in ["MIT", "(MIT OR Apache-2.0) AND BSD-3-Clause", "GPL-2.0-only WITH x-exception"]
        {
            assert!(is_expression(text), "{text}");
        }
        for text in ["", "MIT OR", "MIT Apache-2.0", "OR MIT", "see <LICENSE>", "MIT, BSD"] {
            assert!(!is_expression(text), "{text}");
        }
        assert_eq!(license("License-Expression: see LICENSE"), Some(named("see LICENSE")));
    }

    #[test]
    fn name_version_and_python_are_read() {
        let text = format!("\u{feff}{REQUIRED}requires-python: >=3.9\r\nX-New: 1\r\n\r\n\u{e9}");
        let metadata = Metadata::read(text.as_bytes()).expect("metadata");
        assert_eq!(metadata.name.spelling(), "Sample.Name");
        assert_eq!(metadata.version.to_string(), "1.0");
        assert_eq!(metadata.requires_python.as_deref(), Some(">=3.9"));
    }

    #[test]
    fn malformed_lines_are_named_in_the_error() {
        for (headers, message) in [
            ("Name: other\n", "line 4: name has another value than on line 2"),
            (
                "Requires-Python: >3\nRequires-Python: >2\n",
                "line 5: requires-python has another value than on",
            ),
            ("no header\nName: other\n", "line 4: \"no header\" is not a header"),
            ("no header\n\tx\nrequires-dist : x\n", "line 4: \"no header\" is not a header"),
            (": x\nProvides-Extra: x\n", "line 4: \": x\" is not a header"),
            ("Requires-Dist : x\n", "line 4: \"Requires-Dist : x\" is not a header"),
            ("no header\nAuthor: a\rName: b\n", "line 5: it holds a carriage return or a NUL"),
            ("Summary: a\rName: b\n", "line 4: it holds a carriage return or a NUL"),
            ("Summary: a\0\n", "line 4: it holds a carriage return or a NUL"),
        ] {
            let text = format!("{REQUIRED}{headers}");
            let error = Metadata::read(text.as_bytes()).expect_err(headers).to_string();
            assert!(error.starts_with(message), "{error}");
        }
        for (text, message) in [
            ("", "it lacks Metadata-Version"),
            ("Metadata-Version: 2.4\nVersion: 1\n", "it lacks Name"),
            ("Metadata-Version: 2.4\nName: a\nVersion:\n", "it lacks Version"),
            ("Metadata-Version: 2.4\n\nName: a\n", "it lacks Name"),
            ("Metadata-Version: 3.0\nName: a\nVersion: 1\n", "line 1: Metadata-Version is \"3.0\""),
            ("Metadata-Version: 2.4\nName: a b\nVersion: 1\n", "line 2: Name: \"a b\" is not"),
            ("Metadata-Version: 2.4\nName: a\nVersion: x\n", "line 3: Version: \"x\" is not"),
            (" continued\n", "line 1: \" continued\" is not a header"),
            ("no header\nName: a\n", "line 1: \"no header\" is not a header"),
            ("no header\n", "it lacks Metadata-Version"),
        ] {
            let error = Metadata::read(text.as_bytes()).expect_err(text).to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let latin = [REQUIRED.as_bytes(), b"Author: Ren\xe9\n"].concat();
        assert_eq!(Metadata::read(&latin), Err(MetadataError::NotText { line: 4 }));
    }

    #[test]
    fn harmless_repeated_fields_give_a_notice_and_the_first_value() {
        let text = format!(
            "{REQUIRED}Author: a\nLicense: MIT\nKeywords: x\nAUTHOR: b\nlicense: BSD\n\
             Home-page: e\nHome-page: f\nVersion: 1.0\n"
        );
        let metadata = Metadata::read(text.as_bytes()).expect("metadata");
        assert_eq!(metadata.license, Some(named("MIT")));
        let fields = ["author", "home-page", "license", "version"].map(str::to_owned).to_vec();
        assert_eq!(metadata.notices, [Notice::RepeatedFields(fields)]);
    }

    #[test]
    fn headers_end_at_a_line_that_is_not_a_header() {
        for line in ["All rights reserved.", "the following conditions are met:", ": x"] {
            let rest =
                "License: BSD\n more\nRequires-Python: >3\nAuthor: a\nAuthor: b\n\nName: b\n";
            let text = format!("{REQUIRED}License: MIT\n{line}\n{rest}");
            let metadata = Metadata::read(text.as_bytes()).expect(line);
            assert_eq!(metadata.license, Some(named("MIT")), "{line}");
            assert_eq!(metadata.requires_python, None);
            assert_eq!(metadata.notices, [Notice::HeadersEnd { line: 5 }]);
        }
    }

    #[test]
    fn multiple_use_fields_may_repeat() {
        let often = "Classifier: a\nClassifier: b\nRequires-Dist: c\nRequires-Dist: d\n\
             Project-URL: e, http://index.example\nProject-URL: f, http://index.example\n";
        assert_eq!(license(often), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".*") {
            let _ = Metadata::read(&bytes);
            let _ = Metadata::read(format!("{REQUIRED}{text}").as_bytes());
        }
    }
}
