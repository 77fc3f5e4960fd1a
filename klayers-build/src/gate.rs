//! The gate: what a layer is held against before it is published.
//!
//! [`check_native`] and [`check_size`] decide from what is known of the layer; [`ImportCheck`]
//! imports its modules under an interpreter. What all of them say is a [`GateReport`], which is
//! kept with the layer's record and printed.

use std::fmt;

use klayers_core::LayerName;
use serde::{Deserialize, Serialize};

mod finding;
mod imports;
mod native;
mod rules;
mod size;

pub use finding::{AcceptedRecord, Finding, LayerFile, Severity, WithoutBytecode};
pub use imports::{ImportCheck, ImportCheckError, ImportReport, ModuleOutcome, Network};
pub use native::check_native;
pub use rules::GateRules;
pub use size::{UNPACKED_LIMIT, check_size};

/// What the gate says about a layer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// What was found in its files.
    pub findings: Vec<Finding>,
    /// How importing its modules went.
    pub imports: ImportReport,
}

/// A layer that the gate does not let through.
#[derive(Debug, thiserror::Error)]
#[error("the layer {layer} is not fit to be published:\n{report}")]
pub struct Refused {
    /// The layer.
    pub layer: LayerName,
    /// What is wrong with it.
    pub report: GateReport,
}

impl GateReport {
    /// What it says of a layer's files alone, whose modules were not imported.
    pub fn without_imports(findings: Vec<Finding>) -> Self {
        let reason = "it was not asked for".to_owned();
        Self { findings, imports: ImportReport::NotRun { reason } }
    }

    /// This report of a layer, if the layer may be published.
    ///
    /// # Errors
    ///
    /// If it may not.
    pub fn required(self, layer: &LayerName) -> Result<Self, Box<Refused>> {
        if self.passed() {
            Ok(self)
        } else {
            Err(Box::new(Refused { layer: layer.clone(), report: self }))
        }
    }

    /// Whether the layer may be published: nothing that was found is an error, and no module
    /// failed. An import check that was not run forbids nothing; the report shows that it was not.
    pub fn passed(&self) -> bool {
        let errors = self.findings.iter().any(|finding| finding.severity() == Severity::Error);
        !errors && self.imports.failures().next().is_none()
    }
}

impl fmt::Display for GateReport {
    /// A line for each finding, errors first, and the lines of the import check.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.severity());
        for finding in findings {
            writeln!(formatter, "{}: {finding}", finding.severity())?;
        }
        write!(formatter, "{}", self.imports)
    }
}
