//! The protocol of Terraform's data source `external`: query and result are JSON objects of strings.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use klayers_core::secrets;
use serde_json::Value;

use super::arguments::TargetArgs;
use crate::display::server_text;
use crate::{Architecture, LayerSpec, ParseError, PythonVersion, Region, Target, VersionRow};

/// The limit of a query, in bytes. A sensible query has less than 200.
pub(super) const MAX_QUERY: usize = 64 * 1024;

/// The keys that a query may have.
const KEYS: [&str; 5] = ["package", "region", "python", "arch", "api_url"];

/// A query for one layer.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) spec: LayerSpec,
    pub(super) args: TargetArgs,
    pub(super) api_url: Option<String>,
}

impl Query {
    /// Parses a query. Keys that are missing or empty are taken from `defaults`.
    ///
    /// The error does not show addresses in the query, which may contain a password.
    pub(super) fn parse(bytes: &[u8], defaults: TargetArgs) -> Result<Self, String> {
        Self::read(bytes, defaults).map_err(|error| {
            let query: Value = serde_json::from_slice(bytes).unwrap_or_default();
            let mut given = Vec::new();
            add_texts(&query, &mut given);
            secrets::hide_in_message(&error, given)
        })
    }

    fn read(bytes: &[u8], defaults: TargetArgs) -> Result<Self, String> {
        let mut texts = texts(bytes)?;
        let spec = take(&mut texts, "package")?
            .ok_or(r#"the query names no "package", as in {"package": "requests"}"#)?;
        let args = TargetArgs {
            region: take::<Region>(&mut texts, "region")?.or(defaults.region),
            python: take::<PythonVersion>(&mut texts, "python")?.or(defaults.python),
            arch: take::<Architecture>(&mut texts, "arch")?.or(defaults.arch),
        };
        Ok(Self { spec, args, api_url: texts.remove("api_url") })
    }
}

/// Parses the JSON object. Empty strings are left out: in many configurations a variable that is not
/// set is an empty string.
fn texts(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    if bytes.len() > MAX_QUERY {
        return Err(format!("the query is longer than {MAX_QUERY} bytes"));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(
            "the query on the standard input is empty; a JSON object is expected, as in {\"package\": \
             \"requests\"}"
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
            let key = server_text(&key);
            return Err(format!("the query has the unknown key {key:?}; the keys are {known}"));
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

/// Collects the strings in a JSON value, and the keys of its objects.
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

/// Removes and parses the value of a key.
fn take<T: FromStr<Err = ParseError>>(
    texts: &mut BTreeMap<String, String>,
    key: &str,
) -> Result<Option<T>, String> {
    let value = texts.remove(key).map(|text| text.parse());
    value.transpose().map_err(|error| format!("in {key:?} of the query, {error}"))
}

/// The result for a layer version. Unknown values are left out.
pub(super) fn answer(
    spec: &LayerSpec,
    target: Target,
    row: &VersionRow,
) -> BTreeMap<&'static str, String> {
    let dependencies: Vec<String> = row.dependencies.iter().map(ToString::to_string).collect();
    let always = [
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
    let optional = [
        ("expiry_date", text(row.expiry_date.as_ref())),
        ("yanked", row.yanked.clone()),
        ("license", row.license.clone()),
        ("created_date_time", text(row.created_date_time.as_ref())),
        ("requirements_hash", row.requirements_hash.clone()),
        ("code_sha256", row.code_sha256.clone()),
        ("code_size", text(row.code_size.as_ref())),
        ("unzipped_size", text(row.unzipped_size.as_ref())),
    ];
    let optional = optional.into_iter().filter_map(|(key, value)| Some((key, value?)));
    always.into_iter().chain(optional).collect()
}

fn text(value: Option<&impl Display>) -> Option<String> {
    value.map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> TargetArgs {
        TargetArgs { region: None, python: None, arch: None }
    }

    #[test]
    fn query_overrides_the_options() {
        let flags = || TargetArgs {
            region: "us-east-1".parse().ok(),
            python: "3.12".parse().ok(),
            arch: "arm64".parse().ok(),
        };
        let query = br#" {"package": "requests~=2.31", "region": "eu-west-1", "python": ""}"#;
        let Query { spec, args, api_url } = Query::parse(query, flags()).expect("a query");
        assert_eq!(spec.to_string(), "requests~=2.31");
        assert_eq!(args.region, "eu-west-1".parse().ok());
        assert_eq!((args.python, args.arch), (flags().python, flags().arch));
        assert_eq!(api_url, None);
    }

    #[test]
    fn malformed_queries_are_rejected_with_a_message() {
        let long = format!(r#"{{"package": "{}"}}"#, "a".repeat(MAX_QUERY));
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
                "the query has the unknown key \"regoin\"; the keys are package, region, python, \
                 arch, api_url",
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
