//! The gate: what a layer is held against before it is published.
//!
//! [`check_native`] and [`check_size`] decide from what is known of the layer; [`ImportCheck`]
//! imports its modules under an interpreter. What all of them say is a [`GateReport`], which is
//! kept with the layer's record and printed.

use std::fmt;

use serde::{Deserialize, Serialize};

mod finding;
mod imports;
mod native;
mod size;

pub use finding::{Finding, LayerFile, Severity};
pub use imports::{ImportCheck, ImportCheckError, ImportReport, ModuleOutcome, Network};
pub use native::check_native;
pub use size::{UNPACKED_LIMIT, check_size};

/// What the gate says about a layer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// What was found in its files.
    pub findings: Vec<Finding>,
    /// How importing its modules went.
    pub imports: ImportReport,
}

impl GateReport {
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
