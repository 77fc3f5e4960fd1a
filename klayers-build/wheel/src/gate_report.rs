//! The gate's report on a layer: what was found in its files, and how importing its modules went.
//!
//! The gate makes these values when a layer is built; the catalog stores them, and the pages show
//! them.

use klayers_core::LayerName;
use serde::{Deserialize, Serialize};

mod finding;
mod gap;
mod imports;
mod reasons;
mod summary;

pub use finding::{AcceptedRecord, Finding, LayerFile, Severity, WithoutBytecode};
pub use gap::Gap;
pub use imports::{ImportReport, Missing, ModuleOutcome, Network};
pub use reasons::{Tolerance, Undeclared};
pub use summary::Line;

/// What the gate says about a layer.
///
/// Printed, it is short: findings of one kind are one line. [`details`](Self::details) has all.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// What was found in its files.
    pub findings: Vec<Finding>,
    /// How importing its modules went.
    pub imports: ImportReport,
}

/// A layer that the gate does not let through.
#[derive(Debug, thiserror::Error)]
#[error("{layer} would not work on Lambda:\n{}", report.reason())]
pub struct GateError {
    /// The layer.
    pub layer: LayerName,
    /// What is wrong with it.
    pub report: GateReport,
}

/// What was not done when a layer was built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Omitted {
    /// Its modules were not imported.
    pub imports: bool,
    /// It got no bytecode.
    pub bytecode: bool,
}

impl GateReport {
    /// What it says of a layer's files alone, whose modules were not imported.
    pub fn without_imports(findings: Vec<Finding>) -> Self {
        let reason = "it was not asked for".to_owned();
        Self { findings, imports: ImportReport::NotRun { reason } }
    }

    /// What was not done when the layer was built, for want of an interpreter or since it was turned
    /// off.
    pub fn omitted(&self) -> Omitted {
        let without = |finding: &Finding| {
            matches!(finding, Finding::WithoutBytecode(WithoutBytecode::NoInterpreter(_)))
        };
        Omitted {
            imports: matches!(self.imports, ImportReport::NotRun { .. }),
            bytecode: self.findings.iter().any(without),
        }
    }

    /// This report of a layer, if the layer may be published.
    ///
    /// # Errors
    ///
    /// If it may not.
    pub fn required(self, layer: &LayerName) -> Result<Self, Box<GateError>> {
        if self.passed() {
            Ok(self)
        } else {
            Err(Box::new(GateError { layer: layer.clone(), report: self }))
        }
    }

    /// Whether the layer may be published: nothing that was found is an error, and no module
    /// failed that must be importable. An import check that was not run forbids nothing; the report
    /// shows that it was not.
    pub fn passed(&self) -> bool {
        let errors = self.findings.iter().any(|finding| finding.severity() == Severity::Error);
        !errors && self.imports.failures().next().is_none()
    }
}
