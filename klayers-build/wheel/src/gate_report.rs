//! The gate's report on a layer: findings about its files, and the outcome of importing its
//! modules.
//!
//! The gate creates these values when a layer is built, the catalog stores them, and the pages show
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
pub use summary::{Line, SummaryLine};

/// The gate's report on a layer.
///
/// `Display` is short: similar findings share one line. [`details`](Self::details) has everything.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Findings about the layer's files.
    pub findings: Vec<Finding>,
    /// The outcomes of importing the layer's modules.
    pub imports: ImportReport,
}

/// The gate refuses a layer.
#[derive(Debug, thiserror::Error)]
#[error("{layer} would not work on Lambda:\n{}", report.reason())]
pub struct GateError {
    /// The layer.
    pub layer: LayerName,
    /// The report with the errors.
    pub report: GateReport,
}

/// Steps that were omitted when a layer was built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Omitted {
    /// The modules were not imported.
    pub imports: bool,
    /// The layer has no bytecode.
    pub bytecode: bool,
}

impl GateReport {
    /// Creates a report from findings about a layer's files, without importing its modules.
    pub fn without_imports(findings: Vec<Finding>) -> Self {
        let reason = "not requested".to_owned();
        Self { findings, imports: ImportReport::NotRun { reason } }
    }

    /// Returns the steps that were omitted because an interpreter is missing or the step is turned
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

    /// Returns this report if the layer may be published.
    ///
    /// # Errors
    ///
    /// If the layer may not be published.
    pub fn required(self, layer: &LayerName) -> Result<Self, Box<GateError>> {
        if self.passed() {
            Ok(self)
        } else {
            Err(Box::new(GateError { layer: layer.clone(), report: self }))
        }
    }

    /// Whether the layer may be published: no finding is an error, and all modules that must be
    /// importable are. If nothing was imported, that alone does not stop the layer; the report
    /// shows it.
    pub fn passed(&self) -> bool {
        let errors = self.findings.iter().any(|finding| finding.severity() == Severity::Error);
        !errors && self.imports.failures().next().is_none()
    }
}
