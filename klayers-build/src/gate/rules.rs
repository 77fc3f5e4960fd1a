use std::collections::BTreeSet;

use serde::Deserialize;

use super::Finding;

/// What the operator lets pass, or does without.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateRules {
    /// Whether modules are imported.
    pub imports: bool,
    /// Libraries that need not be there: what asks for them is not used on Lambda.
    pub allow_missing: BTreeSet<String>,
    /// Modules that are not imported: they are known to need what is not in the layer.
    pub skip_modules: BTreeSet<String>,
}

impl Default for GateRules {
    fn default() -> Self {
        Self { imports: true, allow_missing: BTreeSet::new(), skip_modules: BTreeSet::new() }
    }
}

impl GateRules {
    /// The findings that count.
    pub(crate) fn kept(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        findings.retain(|finding| match finding {
            Finding::MissingLibrary { library, .. } => !self.allow_missing.contains(library),
            _ => true,
        });
        findings
    }

    /// The modules that are imported.
    pub(crate) fn imported(&self, modules: &[String]) -> Vec<String> {
        let kept = |module: &&String| !self.skip_modules.contains(*module);
        modules.iter().filter(kept).cloned().collect()
    }
}
