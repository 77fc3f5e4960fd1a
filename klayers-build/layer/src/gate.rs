//! The gate checks a layer before it is published.
//!
//! [`check_native`] and [`check_size`] check the layer's files. [`ImportCheck`] imports its
//! modules, and [`judge`] decides from both whether the layer may be published. The [`GateReport`]
//! is printed and stored with the layer's record.

use klayers_core::{BaseImage, PackageName};

mod distribution;
mod imports;
mod loaded;
mod native;
mod rules;
mod size;
mod verdict;

pub use distribution::{Dependency, Distribution, RootModule};
pub use imports::{ImportCheck, ImportCheckError, Imported};
pub use klayers_wheel::gate_report::{
    AcceptedRecord, Finding, GateError, GateReport, ImportReport, LayerFile, Line, Missing,
    ModuleOutcome, Network, Omitted, Severity, Tolerance, Undeclared, WithoutBytecode,
};
pub use loaded::LoadedFiles;
pub use native::check_native;
pub use rules::{GateRules, ImportMode};
pub use size::{TooLargeError, UNPACKED_LIMIT, check_size};

pub(crate) use distribution::{dependencies, is_hidden};
pub(crate) use size::judge_lock;
pub use size::{Basis, Weight};

use std::collections::BTreeSet;

use verdict::LayerPackages;

/// The facts about a layer that its judgement depends on, besides findings and imports.
#[derive(Clone, Copy, Debug)]
pub struct JudgedLayer<'a> {
    /// The layer's distributions.
    pub distributions: &'a [Distribution],
    /// The requested packages. If none of them is in the layer, all of its packages count as
    /// requested.
    pub requested: &'a [PackageName],
    /// The packages that were left out because the runtime has them.
    pub left_out: &'a BTreeSet<PackageName>,
    /// The libraries of the runtime.
    pub image: &'a BaseImage,
    /// The operator's exceptions.
    pub rules: &'a GateRules,
}

/// Judges a layer by the findings about its files and by the imports of its modules.
///
/// A native library that an import loaded must find all libraries that it needs in the layer or in
/// the runtime. The same applies to libraries that an import loaded by name. A library that no
/// import loaded is a plugin or a program; if it lacks something, that is only a warning. If
/// nothing was imported, the findings stay as they are.
///
/// A failed import stops the layer unless there is a [`Tolerance`] for it.
pub fn judge(mut findings: Vec<Finding>, imported: Imported, layer: JudgedLayer<'_>) -> GateReport {
    let Imported { report: mut imports, loaded } = imported;
    let JudgedLayer { distributions, requested, left_out, image, rules } = layer;
    let packages = LayerPackages { distributions, requested, left_out };
    if let ImportReport::Run { modules, tolerated, undeclared, .. } = &mut imports {
        let verdict = packages.judge(modules);
        (*tolerated, *undeclared) = (verdict.tolerated, verdict.undeclared);
    }
    if let Some(loaded) = loaded {
        let owners = |module: &str| {
            let owners = distributions.iter().filter(|owner| owner.has_module(module));
            owners.map(|owner| owner.wheel.clone()).collect()
        };
        loaded::reconsider(&mut findings, &loaded, &imports, owners);
        findings.extend(loaded::outside(&loaded.foreign(image), &findings));
    }
    if let (ImportMode::Required, ImportReport::NotRun { reason }) = (rules.imports, &imports) {
        findings.push(Finding::NotImported { reason: reason.clone() });
    }
    GateReport { findings: rules.kept(findings), imports }
}

/// Whether only an import can show if a layer with these findings works.
pub(crate) fn depends_on_imports(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        matches!(finding, Finding::MissingLibrary { .. } | Finding::Machine { loaded: true, .. })
    })
}
