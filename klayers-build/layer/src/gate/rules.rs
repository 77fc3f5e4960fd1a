use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Deserializer};

use super::Finding;

/// The operator's settings for the gate.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateRules {
    /// Whether modules are imported.
    pub imports: ImportMode,
    /// Libraries that may be missing, since the files that need them are not used on Lambda.
    pub allow_missing: BTreeSet<String>,
    /// Modules that are not imported, since they need something that is not in the layer.
    pub skip_modules: BTreeSet<String>,
}

/// Whether the modules of a layer are imported before it is published.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ImportMode {
    /// If this machine has a suitable interpreter. Written `"auto"` or `true`.
    #[default]
    Auto,
    /// Always. A layer whose modules cannot be imported is refused.
    Required,
    /// Never. Written `"off"` or `false`.
    Off,
}

impl fmt::Display for ImportMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::Off => "off",
        })
    }
}

impl<'de> Deserialize<'de> for ImportMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "\"auto\", \"required\" or \"off\" expected")]
        enum Written {
            Switch(bool),
            Named(Name),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Name {
            Auto,
            Required,
            Off,
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Switch(true) | Written::Named(Name::Auto) => Self::Auto,
            Written::Named(Name::Required) => Self::Required,
            Written::Switch(false) | Written::Named(Name::Off) => Self::Off,
        })
    }
}

impl GateRules {
    /// Removes findings that the operator allows.
    pub(crate) fn kept(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        findings.retain(|finding| match finding {
            Finding::MissingLibrary { library, .. } | Finding::OutsideLibrary { library, .. } => {
                !self.allow_missing.contains(library)
            }
            _ => true,
        });
        findings
    }

    /// Returns the modules to import.
    pub(crate) fn imported(&self, modules: &[String]) -> Vec<String> {
        // Skipping a namespace skips its contents, too.
        let starts = |module: &str| {
            let dots = module.match_indices('.').map(|(at, _)| module[..at].to_owned());
            dots.chain([module.to_owned()]).collect::<Vec<_>>()
        };
        let kept = |module: &&String| {
            !starts(module).iter().any(|module| self.skip_modules.contains(module))
        };
        modules.iter().filter(kept).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_mode_is_a_word_or_a_boolean() {
        for (written, expected) in [
            ("\"auto\"", ImportMode::Auto),
            ("true", ImportMode::Auto),
            ("\"required\"", ImportMode::Required),
            ("\"off\"", ImportMode::Off),
            ("false", ImportMode::Off),
        ] {
            let rules: GateRules = toml::from_str(&format!("imports = {written}")).expect(written);
            assert_eq!(rules.imports, expected);
        }
        for wrong in ["\"on\"", "1", "\"Auto\""] {
            let error = toml::from_str::<GateRules>(&format!("imports = {wrong}"));
            let error = error.expect_err(wrong).to_string();
            assert!(error.contains("\"auto\", \"required\" or \"off\" expected"), "{error}");
        }
        assert_eq!(GateRules::default().imports, ImportMode::Auto);
    }
}
