//! The gate: what a layer is held against before it is published.
//!
//! [`check_native`] and [`check_size`] decide from what is known of the layer's files;
//! [`ImportCheck`] imports its modules under an interpreter, and [`judge`] decides what
//! that means. The [`GateReport`] is kept with the layer's record and printed.

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

use verdict::Known;

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

/// Judges a layer by the findings of its files and by what importing its modules showed.
///
/// A native library that an import loaded must find all that it needs in the layer or in the
/// runtime, and so must what an import loaded by name. What no import loaded is a plugin or a
/// program: where it lacks something, that is a warning. Where nothing was imported, the
/// findings stay as they are.
///
/// Of the imports that failed, those stop the layer that [`Tolerance`] has no reason for.
pub fn judge(mut findings: Vec<Finding>, imported: Imported, layer: JudgedLayer<'_>) -> GateReport {
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
    GateReport { findings: rules.kept(findings), imports }
}

/// Whether findings leave it to an import to say if the layer works.
pub(crate) fn depends_on_imports(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| {
        matches!(finding, Finding::MissingLibrary { .. } | Finding::Machine { loaded: true, .. })
    })
}
