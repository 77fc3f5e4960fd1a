//! The gate: what a layer is held against before it is published.
//!
//! [`check_native`] and [`check_size`] decide from what is known of the layer's files;
//! [`ImportCheck`] imports its modules under an interpreter, and [`GateReport::judged`] decides what
//! that means. The [`GateReport`] is kept with the layer's record and printed.

use klayers_core::{BaseImage, LayerName, PackageName};
use serde::{Deserialize, Serialize};

mod distribution;
mod finding;
mod imports;
mod loaded;
mod native;
mod rules;
mod size;
mod summary;
mod verdict;

pub use distribution::{Dependency, Distribution, RootModule};
pub use finding::{AcceptedRecord, Finding, LayerFile, Severity, WithoutBytecode};
pub use imports::{
    ImportCheck, ImportCheckError, ImportReport, Imported, Missing, ModuleOutcome, Network,
};
pub use loaded::LoadedFiles;
pub use native::check_native;
pub use rules::{GateRules, ImportMode};
pub use size::{TooLargeError, UNPACKED_LIMIT, check_size};
pub use summary::Line;
pub use verdict::{Tolerance, Undeclared};

pub(crate) use distribution::{dependencies, is_hidden};
pub(crate) use size::{Basis, Weight, judge_lock};

use std::collections::BTreeSet;

use verdict::Known;

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

/// What is known of a layer when the imports of its modules are judged.
#[derive(Clone, Copy, Debug)]
pub struct JudgedLayer<'a> {
    /// The distributions in it.
    pub distributions: &'a [Distribution],
    /// The packages that were asked for. If none of them is in the layer, all count as asked for.
    pub asked_for: &'a [PackageName],
    /// The packages that were left out of it, since the runtime has them.
    pub left_out: &'a BTreeSet<PackageName>,
    /// What the runtime has.
    pub image: &'a BaseImage,
    /// What the operator lets pass.
    pub rules: &'a GateRules,
}

impl GateReport {
    /// What it says of a layer's files alone, whose modules were not imported.
    pub fn without_imports(findings: Vec<Finding>) -> Self {
        let reason = "it was not asked for".to_owned();
        Self { findings, imports: ImportReport::NotRun { reason } }
    }

    /// Judges a layer by the findings of its files and by what importing its modules showed.
    ///
    /// A native library that an import loaded must find all that it needs in the layer or in the
    /// runtime, and so must what an import loaded by name. What no import loaded is a plugin or a
    /// program: where it lacks something, that is a warning. Where nothing was imported, the
    /// findings stay as they are.
    ///
    /// Of the imports that failed, those stop the layer that [`Tolerance`] has no reason for.
    pub fn judged(mut findings: Vec<Finding>, imported: Imported, layer: JudgedLayer<'_>) -> Self {
        let Imported { report: mut imports, loaded } = imported;
        let JudgedLayer { distributions, asked_for, left_out, image, rules } = layer;
        let known = Known { distributions, asked_for, left_out };
        if let ImportReport::Run { modules, tolerated, undeclared, .. } = &mut imports {
            let verdict = known.judge(modules);
            (*tolerated, *undeclared) = (verdict.tolerated, verdict.undeclared);
        }
        if let Some(loaded) = loaded {
            let owners = |module: &str| {
                let with = distributions.iter().filter(|known| known.has_module(module));
                with.map(|known| known.wheel.clone()).collect()
            };
            loaded::reconsider(&mut findings, &loaded, &imports, owners);
            findings.extend(loaded::outside(&loaded.foreign(image), &findings));
        }
        if let (ImportMode::Required, ImportReport::NotRun { reason }) = (rules.imports, &imports) {
            findings.push(Finding::NotImported { reason: reason.clone() });
        }
        Self { findings: rules.kept(findings), imports }
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

/// Whether findings leave it to an import to say if the layer works.
pub(crate) fn depends_on_imports(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        matches!(finding, Finding::MissingLibrary { .. } | Finding::Machine { loaded: true, .. })
    })
}
