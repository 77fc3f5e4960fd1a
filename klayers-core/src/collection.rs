//! Parses the config folder of a collection: `config.json`, one packages CSV per target, `regions.csv`.
//!
//! The parsers accept the files of the public collection with their peculiarities: spaces after
//! commas, quotes around extras with commas, short and long rows, a byte order mark, empty lines. The
//! caller reads the files and passes their text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{PackageName, ParseError, Region, Requirement, Target};

/// An error in a file of a config folder, with its position.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// `config.json` is not JSON, or does not have the expected fields.
    #[error("not a collection's config.json: {0}")]
    Json(String),
    /// A listed target has no entry with its packages file.
    #[error(r#"target {0} is listed under "python_versions", but has no entry with its "packages_file""#)]
    NoPackagesFile(Target),
    /// A target is listed twice.
    #[error(r#"target {0} is listed twice under "python_versions""#)]
    DuplicateTarget(Target),
    /// A listed version is not a target.
    #[error(r#"under "python_versions": {0}"#)]
    Target(ParseError),
    /// The header of a CSV is wrong.
    #[error("line 1: the header must begin with {expected}, but is {found:?}")]
    Header {
        /// How the header must begin.
        expected: &'static str,
        /// The header of the file.
        found: String,
    },
    /// A row cannot be parsed.
    #[error("line {line}: {reason}")]
    Row {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with the row.
        reason: String,
    },
}

/// The content of `config.json`: the packages file of each target.
///
/// ```
/// use klayers_core::collection::CollectionConfig;
///
/// let config: CollectionConfig = r#"{
///     "python_versions": ["p3.12"],
///     "p3.12": {"packages_file": "packages_p312.csv"}
/// }"#.parse()?;
/// assert_eq!(config.packages_files[&"p3.12".parse()?], "packages_p312.csv");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollectionConfig {
    /// The name of each target's packages file, relative to the folder.
    pub packages_files: BTreeMap<Target, String>,
}

impl std::str::FromStr for CollectionConfig {
    type Err = CollectionError;

    fn from_str(json: &str) -> Result<Self, CollectionError> {
        #[derive(Deserialize)]
        struct File {
            python_versions: Vec<String>,
            #[serde(flatten)]
            targets: BTreeMap<String, serde_json::Value>,
        }
        #[derive(Deserialize)]
        struct Entry {
            packages_file: String,
        }

        let file: File = serde_json::from_str(without_byte_order_mark(json))
            .map_err(|error| CollectionError::Json(error.to_string()))?;
        let mut packages_files = BTreeMap::new();
        for key in &file.python_versions {
            let target: Target = key.parse().map_err(CollectionError::Target)?;
            let entry = file.targets.get(key).ok_or(CollectionError::NoPackagesFile(target))?;
            let entry =
                Entry::deserialize(entry).map_err(|_| CollectionError::NoPackagesFile(target))?;
            if packages_files.insert(target, entry.packages_file).is_some() {
                return Err(CollectionError::DuplicateTarget(target));
            }
        }
        Ok(Self { packages_files })
    }
}

/// Parses a packages CSV: the requirements in the first column, in the order of the file.
///
/// Identical duplicates count once.
///
/// ```
/// use klayers_core::collection::parse_packages;
///
/// let csv = "Package_Name,License,Authors/Maintainers\n\"psycopg[binary,pool]\", LGPL-3.0, Daniele\n";
/// assert_eq!(parse_packages(csv)?[0].to_string(), "psycopg[binary,pool]");
/// # Ok::<(), klayers_core::collection::CollectionError>(())
/// ```
///
/// # Errors
///
/// Names the line of a malformed header or row, of a malformed requirement, and of a package that an
/// earlier line requires differently.
pub fn parse_packages(csv: &str) -> Result<Vec<Requirement>, CollectionError> {
    let mut seen: BTreeMap<PackageName, (u64, Requirement)> = BTreeMap::new();
    let mut requirements = Vec::new();
    for row in rows(csv, "Package_Name") {
        let Row { line, first, .. } = row?;
        let requirement: Requirement = first.parse().map_err(|error: ParseError| {
            CollectionError::Row { line, reason: error.to_string() }
        })?;
        match seen.get(requirement.name()) {
            Some((_, earlier)) if *earlier == requirement => {}
            Some((before, earlier)) => {
                let reason = format!(
                    "{requirement} would be the same layer as {earlier} on line {before}; keep one of them"
                );
                return Err(CollectionError::Row { line, reason });
            }
            None => {
                seen.insert(requirement.name().clone(), (line, requirement.clone()));
                requirements.push(requirement);
            }
        }
    }
    Ok(requirements)
}

/// A region that a collection publishes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollectionRegion {
    /// The region.
    pub region: Region,
    /// The region's name, as in the file.
    pub name: String,
}

/// Parses a `regions.csv`: the regions in the order of the file.
///
/// # Errors
///
/// Names the line of a malformed header or row, of a malformed region code, and of a region that is
/// listed twice.
pub fn parse_regions(csv: &str) -> Result<Vec<CollectionRegion>, CollectionError> {
    let mut seen = BTreeSet::new();
    let mut regions = Vec::new();
    for row in rows(csv, "Code") {
        let Row { line, first, second } = row?;
        let refuse = |reason: String| CollectionError::Row { line, reason };
        let region: Region =
            first.parse().map_err(|error: ParseError| refuse(error.to_string()))?;
        if !seen.insert(region.clone()) {
            return Err(refuse(format!("region {region} is already listed")));
        }
        regions.push(CollectionRegion { region, name: second });
    }
    Ok(regions)
}

struct Row {
    line: u64,
    first: String,
    second: String,
}

/// The rows of a CSV below its header, which must begin with the column `first`.
fn rows(csv: &str, first: &'static str) -> impl Iterator<Item = Result<Row, CollectionError>> {
    let csv = without_byte_order_mark(csv);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(csv.as_bytes());
    let mut header_seen = false;
    let records: Vec<_> = reader
        .records()
        .filter_map(|record| match record {
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                Some(Err(CollectionError::Row { line, reason: "not a row of CSV".to_owned() }))
            }
            Ok(record) => {
                let column = |index: usize| record.get(index).unwrap_or_default().to_owned();
                let line = record.position().map_or(0, csv::Position::line);
                if !header_seen {
                    header_seen = true;
                    let found = record.iter().collect::<Vec<_>>().join(",");
                    return (column(0) != first)
                        .then_some(Err(CollectionError::Header { expected: first, found }));
                }
                let empty = record.iter().all(str::is_empty);
                (!empty).then(|| {
                    check_quotes_closed(&record, line).map(|()| Row {
                        line,
                        first: column(0),
                        second: column(1),
                    })
                })
            }
        })
        .collect();
    let missing = (!header_seen)
        .then(|| Err(CollectionError::Header { expected: first, found: String::new() }));
    missing.into_iter().chain(records)
}

/// Rejects values with line breaks, which these files never have: a quote was not closed, and the value
/// includes the next lines.
fn check_quotes_closed(record: &csv::StringRecord, line: u64) -> Result<(), CollectionError> {
    if record.iter().any(|value| value.contains(['\n', '\r'])) {
        let reason = "a quote is opened on this line and not closed on it".to_owned();
        return Err(CollectionError::Row { line, reason });
    }
    Ok(())
}

fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Package_Name,License,Authors/Maintainers";

    fn packages(body: &str) -> Result<Vec<String>, CollectionError> {
        let requirements = parse_packages(&format!("{HEADER}\n{body}"))?;
        Ok(requirements.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn peculiarities_of_the_public_lists_are_accepted() {
        let body = "requests,Apache-2.0,Kenneth <me@example.org>\r\n\
            polars, MIT, Ritchie\n\
            \"psycopg[binary,pool]\", LGPL-3.0, Daniele\n\
            fuzzywuzzy[speedup],GPL (v2), adam\n\
            pandasql,Open Yhat Inc.,one,two,three\n\
            Pillow\n\
            \n\
            ,,\n\
            lonely-quote,\"MIT, or so\",x\n\
            requests,again,\n";
        assert_eq!(
            packages(body).expect("readable"),
            [
                "requests",
                "polars",
                "psycopg[binary,pool]",
                "fuzzywuzzy[speedup]",
                "pandasql",
                "Pillow",
                "lonely-quote",
            ]
        );
        let marked = format!("\u{feff}{HEADER}\nrequests,,\n");
        assert_eq!(parse_packages(&marked).expect("readable").len(), 1);
    }

    #[test]
    fn errors_name_the_line() {
        for (body, message) in [
            ("ok,,\nnot a name,,\n", "line 3: \"not a name\" is not a requirement"),
            ("a,,\nb,,\nA[x],,\n", "line 4: A[x] would be the same layer as a on line 2"),
            ("a,,\n\"b,MIT\nc,,\n", "line 3: a quote is opened"),
            (",MIT,somebody\n", "line 2: \"\" is not a requirement"),
        ] {
            let error = packages(body).expect_err(body).to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let error = parse_packages("name\nrequests\n").expect_err("no header").to_string();
        assert!(error.starts_with("line 1: the header must begin with Package_Name"), "{error}");
        assert!(parse_packages("").is_err());
    }

    #[test]
    fn region_names_are_trimmed() {
        let regions = parse_regions(
            "Code,Name\nus-east-1,US East (N. Virginia)\nap-east-1, Asia Pacific (Hong Kong)",
        )
        .expect("readable");
        assert_eq!(regions[1].region.as_str(), "ap-east-1");
        assert_eq!(regions[1].name, "Asia Pacific (Hong Kong)");
        let error =
            parse_regions("Code,Name\nus-east-1,a\nmars,b\n").expect_err("mars").to_string();
        assert_eq!(
            error,
            "line 3: \"mars\" is not an AWS region: a region code expected, as in eu-west-1"
        );
        assert!(parse_regions("Code,Name\nus-east-1,a\nus-east-1,b\n").is_err());
    }

    #[test]
    fn invalid_configs_are_rejected() {
        for (json, message) in [
            ("", "not a collection's config.json"),
            ("[]", "not a collection's config.json"),
            ("{}", "not a collection's config.json: missing field `python_versions`"),
            (r#"{"python_versions": ["p3.12"]}"#, "target p3.12 is listed"),
            (r#"{"python_versions": ["p3.12"], "p3.12": {}}"#, "target p3.12 is listed"),
            (
                r#"{"python_versions": ["3.12"]}"#,
                "under \"python_versions\": \"3.12\" is not a target",
            ),
            (
                r#"{"python_versions": ["p3.9", "p3.9"], "p3.9": {"packages_file": "a"}}"#,
                "target p3.9 is listed twice",
            ),
        ] {
            let error = json.parse::<CollectionConfig>().expect_err(json).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
