//! What Terraform's data source `external` says and is told: a JSON object of strings, both ways.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use klayers_core::secrets;
use serde_json::Value;

use super::arguments::Place;
use crate::error::printable;
use crate::{Architecture, LayerSpec, ParseError, PythonVersion, Region, Target, VersionRow};

/// The longest query that is read, in bytes. One that makes sense has less than 200.
pub(super) const LONGEST: usize = 64 * 1024;

/// What a query may name.
const KEYS: [&str; 5] = ["package", "region", "python", "arch", "api_url"];

/// A layer that is asked for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) spec: LayerSpec,
    pub(super) place: Place,
    pub(super) api_url: Option<String>,
}

impl Query {
    /// Reads a query. What it does not say, or leaves empty, `otherwise` does.
    ///
    /// What is said of one that cannot be read shows no address in it, which may hold a password.
    pub(super) fn parse(bytes: &[u8], otherwise: Place) -> Result<Self, String> {
        Self::read(bytes, otherwise).map_err(|error| {
            let query: Value = serde_json::from_slice(bytes).unwrap_or_default();
            let mut given = Vec::new();
            add_texts(&query, &mut given);
            secrets::without(&error, given)
        })
    }

    fn read(bytes: &[u8], otherwise: Place) -> Result<Self, String> {
        let mut texts = texts(bytes)?;
        let spec = take(&mut texts, "package")?
            .ok_or(r#"the query names no "package", as in {"package": "requests"}"#)?;
        let place = Place {
            region: take::<Region>(&mut texts, "region")?.or(otherwise.region),
            python: take::<PythonVersion>(&mut texts, "python")?.or(otherwise.python),
            arch: take::<Architecture>(&mut texts, "arch")?.or(otherwise.arch),
        };
        Ok(Self { spec, place, api_url: texts.remove("api_url") })
    }
}

/// The strings of the object that the bytes are, but for those that are empty: a variable that was
/// not set is an empty string in many a configuration.
fn texts(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    if bytes.len() > LONGEST {
        return Err(format!("the query is longer than {LONGEST} bytes"));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(
            "the query on the standard input is empty; a JSON object is expected there, as in \
             {\"package\": \"requests\"}"
                .to_owned(),
        );
    }
    let values: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(|error| {
        format!(
            "the query is not the JSON object expected, as in {{\"package\": \"requests\"}}: {error}"
        )
    })?;
    let mut texts = BTreeMap::new();
    for (key, value) in values {
        if !KEYS.contains(&key.as_str()) {
            let known = KEYS.join(", ");
            let key = printable(&key);
            return Err(format!("the query has {key:?}, which is not known; it may have {known}"));
        }
        let text = match value {
            Value::String(text) => text,
            Value::Array(_) | Value::Object(_) => {
                return Err(format!("{key:?} in the query is not a string"));
            }
            value => return Err(format!("{key:?} in the query is not a string: {value}")),
        };
        if !text.is_empty() {
            texts.insert(key, text);
        }
    }
    Ok(texts)
}

/// Adds the texts in a value of JSON, and the keys of objects.
fn add_texts<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter().for_each(|value| add_texts(value, texts)),
        Value::Object(object) => {
            for (key, value) in object {
                texts.push(key);
                add_texts(value, texts);
            }
        }
        _ => {}
    }
}

fn take<T: FromStr<Err = ParseError>>(
    texts: &mut BTreeMap<String, String>,
    key: &str,
) -> Result<Option<T>, String> {
    let value = texts.remove(key).map(|text| text.parse());
    value.transpose().map_err(|error| format!("in {key:?} of the query, {error}"))
}

/// What is known of a layer version, as strings; what is not known is left out.
pub(super) fn answer(
    spec: &LayerSpec,
    target: Target,
    row: &VersionRow,
) -> BTreeMap<&'static str, String> {
    let dependencies: Vec<String> = row.dependencies.iter().map(ToString::to_string).collect();
    let sure = [
        ("arn", row.arn.to_string()),
        ("layer_version", row.arn.version().to_string()),
        ("package", spec.package().to_string()),
        ("package_version", row.package_version.to_string()),
        ("region", row.arn.region().to_string()),
        ("target", target.to_string()),
        ("python", target.python.to_string()),
        ("arch", target.architecture.to_string()),
        ("status", super::print::deploy_status(row).to_owned()),
        ("dependencies", dependencies.join(" ")),
    ];
    let known = [
        ("expiry_date", shown(row.expiry_date.as_ref())),
        ("yanked", row.yanked.clone()),
        ("license", row.license.clone()),
        ("created_date_time", shown(row.created_date_time.as_ref())),
        ("requirements_hash", row.requirements_hash.clone()),
        ("code_sha256", row.code_sha256.clone()),
        ("code_size", shown(row.code_size.as_ref())),
        ("unzipped_size", shown(row.unzipped_size.as_ref())),
    ];
    let known = known.into_iter().filter_map(|(key, value)| Some((key, value?)));
    sure.into_iter().chain(known).collect()
}

fn shown(value: Option<&impl Display>) -> Option<String> {
    value.map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Place {
        Place { region: None, python: None, arch: None }
    }

    #[test]
    fn a_query_says_more_than_the_flags_do() {
        let flags = || Place {
            region: "us-east-1".parse().ok(),
            python: "3.12".parse().ok(),
            arch: "arm64".parse().ok(),
        };
        let query = br#" {"package": "requests~=2.31", "region": "eu-west-1", "python": ""}"#;
        let Query { spec, place, api_url } = Query::parse(query, flags()).expect("a query");
        assert_eq!(spec.to_string(), "requests~=2.31");
        assert_eq!(place.region, "eu-west-1".parse().ok());
        assert_eq!((place.python, place.arch), (flags().python, flags().arch));
        assert_eq!(api_url, None);
    }

    #[test]
    fn what_is_no_query_is_told() {
        let long = format!(r#"{{"package": "{}"}}"#, "a".repeat(LONGEST));
        for (query, expected) in [
            ("", "is empty; a JSON object is expected"),
            (" \n", "is empty; a JSON object is expected"),
            ("requests", "is not the JSON object expected"),
            ("{\"package\": \"requests\"", "is not the JSON object expected"),
            ("[]", "is not the JSON object expected"),
            ("null", "is not the JSON object expected"),
            ("{}", "the query names no \"package\""),
            (r#"{"package": ""}"#, "the query names no \"package\""),
            (r#"{"package": 3}"#, "\"package\" in the query is not a string: 3"),
            (
                r#"{"package": "a", "python": 3.13}"#,
                "\"python\" in the query is not a string: 3.13",
            ),
            (r#"{"package": ["a"]}"#, "\"package\" in the query is not a string"),
            (r#"{"package": "a", "arch": null}"#, "\"arch\" in the query is not a string: null"),
            (
                r#"{"package": "a", "regoin": "eu-west-1"}"#,
                "the query has \"regoin\", which is not known; it may have package, region, \
                 python, arch, api_url",
            ),
            (r#"{"package": "a b"}"#, "in \"package\" of the query, \"a b\" is not"),
            (r#"{"package": "a", "region": "mars"}"#, "in \"region\" of the query, \"mars\" is"),
            (r#"{"package": "a", "python": "2.7"}"#, "in \"python\" of the query, \"2.7\" is"),
            (r#"{"package": "a", "arch": "mips"}"#, "in \"arch\" of the query, \"mips\" is"),
            (&long, "the query is longer than 65536 bytes"),
        ] {
            let error = Query::parse(query.as_bytes(), nothing()).expect_err(query);
            assert!(error.contains(expected), "{query}: {error}");
        }
    }
}
