use super::Rule;

/// What a wheel says of its package in `METADATA` ([core metadata][spec]), as far as layers need
/// it.
///
/// [spec]: https://packaging.python.org/en/latest/specifications/core-metadata/
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Metadata {
    /// The licence: the SPDX expression first (PEP 639), then the licence field, then the licence
    /// classifiers.
    pub license: Option<String>,
}

impl Metadata {
    /// Reads a `METADATA` file.
    pub(super) fn parse(text: &str) -> Result<Self, Rule> {
        let headers = headers(text);
        let value = |wanted: &str| {
            headers
                .iter()
                .find(|(key, value)| key.eq_ignore_ascii_case(wanted) && !value.is_empty())
                .map(|(_, value)| value.clone())
        };
        if value("Name").is_none() || value("Version").is_none() {
            return Err(Rule::Metadata("it lacks Name or Version".to_owned()));
        }
        let classifiers = || {
            let licenses: Vec<&str> = headers
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case("Classifier"))
                .filter_map(|(_, value)| value.strip_prefix("License :: "))
                .map(|license| license.trim_start_matches("OSI Approved :: "))
                .collect();
            (!licenses.is_empty()).then(|| licenses.join(", "))
        };
        let unknown = |license: &String| !license.eq_ignore_ascii_case("UNKNOWN");
        let license = value("License-Expression")
            .or_else(|| value("License").filter(unknown))
            .or_else(classifiers);
        Ok(Self { license })
    }
}

/// The headers, each value with its continuation lines; what comes after the first empty line is
/// the description.
fn headers(text: &str) -> Vec<(&str, String)> {
    let mut headers: Vec<(&str, String)> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        if let Some(continued) = line.strip_prefix([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push('\n');
                value.push_str(continued.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            headers.push((key, value.trim().to_owned()));
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn license(headers: &str) -> Option<String> {
        let text =
            format!("Metadata-Version: 2.4\nName: a\nVersion: 1\n{headers}\n\nLicense: no\n");
        Metadata::parse(&text).expect("metadata").license
    }

    #[test]
    fn the_most_exact_licence_is_taken() {
        let classifiers = "Classifier: License :: OSI Approved :: MIT License\n\
             Classifier: Programming Language :: Python\n\
             Classifier: License :: Public Domain";
        assert_eq!(license(""), None);
        assert_eq!(license(classifiers).as_deref(), Some("MIT License, Public Domain"));
        let field = format!("License: BSD\n{classifiers}");
        assert_eq!(license(&field).as_deref(), Some("BSD"));
        let expression = format!("License-Expression: MIT OR Apache-2.0\n{field}");
        assert_eq!(license(&expression).as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!(license(&format!("License: UNKNOWN\n{classifiers}")), license(classifiers));
        assert_eq!(license("License: one\n        two").as_deref(), Some("one\ntwo"));
    }

    #[test]
    fn metadata_without_a_name_is_refused() {
        assert!(Metadata::parse("Version: 1\n").is_err());
        assert!(Metadata::parse("").is_err());
    }
}
