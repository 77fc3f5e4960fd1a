//! Decides which failed imports stop a layer.
//!
//! The main module of each package that was asked for must be importable, and so must every module
//! that fails for a reason of its own. A module is forgiven that needs what no package of the layer
//! requires, if its distribution only came along or its main module works; so are tests,
//! documentation and scripts at the root.

use std::collections::{BTreeMap, BTreeSet};

use klayers_core::PackageName;

use super::distribution::{Distribution, distribution_of, is_incidental, root_of};
use super::{Missing, ModuleOutcome, Tolerance, Undeclared};

/// What every Python runtime of Lambda has, whether a package declares it or not.
const OF_THE_RUNTIME: [&str; 3] = ["awslambdaric", "boto3", "botocore"];

/// What becomes of the failed imports of a layer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Verdict {
    /// The failures that do not stop it, by module.
    pub(super) tolerated: BTreeMap<String, Tolerance>,
    /// What is missing of those that do, by module.
    pub(super) undeclared: BTreeMap<String, Undeclared>,
}

/// What is known of a layer whose modules were imported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The distributions in it.
    pub(super) distributions: &'a [Distribution],
    /// The packages that were asked for.
    pub(super) asked_for: &'a [PackageName],
    /// The packages that were left out of it, since the runtime has them.
    pub(super) left_out: &'a BTreeSet<PackageName>,
}

impl Known<'_> {
    /// Judges the failures among the outcomes.
    pub(super) fn judge(&self, outcomes: &BTreeMap<String, ModuleOutcome>) -> Verdict {
        let mut verdict = Verdict::default();
        for (module, outcome) in outcomes {
            if !outcome.has_failed() {
                continue;
            }
            if let Some(tolerance) = self.tolerance(module, outcome, outcomes) {
                verdict.tolerated.insert(module.clone(), tolerance);
            } else if let Some(undeclared) = self.undeclared(module, outcome) {
                verdict.undeclared.insert(module.clone(), undeclared);
            }
        }
        verdict
    }

    fn tolerance(
        &self,
        module: &str,
        outcome: &ModuleOutcome,
        outcomes: &BTreeMap<String, ModuleOutcome>,
    ) -> Option<Tolerance> {
        let missing = self.missing_from_layer(outcome);
        if missing.is_some_and(|missing| self.runtime_has(missing)) {
            return Some(Tolerance::RuntimeHas);
        }
        let main = self.asked_for_with(module).any(|owner| owner.main_module() == Some(module));
        if main {
            return None;
        }
        if is_incidental(module) {
            return Some(Tolerance::Incidental);
        }
        missing?;
        let mut owners = self.asked_for_with(module).peekable();
        if owners.peek().is_none() {
            return Some(Tolerance::CameAlong);
        }
        let works = |owner: &Distribution| {
            let main = owner.main_module();
            main.and_then(|main| outcomes.get(main)).is_none_or(|outcome| !outcome.has_failed())
        };
        owners.all(works).then_some(Tolerance::BesideMain)
    }

    fn undeclared(&self, module: &str, outcome: &ModuleOutcome) -> Option<Undeclared> {
        let missing = self.missing_from_layer(outcome)?;
        let distribution = match distribution_of(missing)? {
            _ if self.is_part_of_namespace(missing) => None,
            distribution => Some(distribution),
        };
        let owner = self.asked_for_with(module).next()?;
        let name: Option<PackageName> =
            distribution.as_ref().and_then(|distribution| distribution.parse().ok());
        let extra = owner.requires.iter().find_map(|dependency| {
            let same = Some(&dependency.package) == name.as_ref();
            dependency.extra.clone().filter(|_| same)
        });
        let (module, package) = (missing.to_owned(), owner.package.clone());
        Some(Undeclared { module, distribution, package, extra })
    }

    /// The distributions with a module that were asked for; those of the layer, if none of what was
    /// asked for is in it.
    fn asked_for_with<'a>(&'a self, module: &'a str) -> impl Iterator<Item = &'a Distribution> {
        let is_asked_for =
            |distribution: &&Distribution| self.asked_for.contains(&distribution.package);
        let any = self.distributions.iter().any(|distribution| is_asked_for(&distribution));
        let all = self.distributions.iter();
        all.filter(move |distribution| !any || is_asked_for(distribution))
            .filter(move |distribution| distribution.has_module(module))
    }

    /// The module that an import did not find, if no package of the layer has it or requires it.
    fn missing_from_layer<'a>(&self, outcome: &'a ModuleOutcome) -> Option<&'a str> {
        let ModuleOutcome::Failed { missing: Some(Missing::Module(missing)), .. } = outcome else {
            return None;
        };
        // Of a namespace, other distributions may bring other parts.
        let mut in_layer = self.distributions.iter().flat_map(|distribution| &distribution.modules);
        if in_layer.any(|module| module.has(missing)) {
            return None;
        }
        let distribution = distribution_of(missing);
        let name: Option<PackageName> = distribution.and_then(|name| name.parse().ok());
        let required = self
            .distributions
            .iter()
            .flat_map(|distribution| &distribution.requires)
            .any(|dependency| dependency.always && Some(&dependency.package) == name.as_ref());
        // What is required and yet not there was left out, or is missing from a hand-made lock.
        (!required || self.runtime_has(missing)).then_some(missing)
    }

    /// Whether a module belongs below a namespace that distributions of the layer have parts of.
    fn is_part_of_namespace(&self, module: &str) -> bool {
        let namespace = root_of(module);
        let mut modules = self.distributions.iter().flat_map(|known| &known.modules);
        module != namespace
            && modules.any(|other| other.name != namespace && root_of(&other.name) == namespace)
    }

    fn runtime_has(&self, module: &str) -> bool {
        let root = root_of(module);
        let name: Option<PackageName> = distribution_of(root).and_then(|name| name.parse().ok());
        OF_THE_RUNTIME.contains(&root) || name.is_some_and(|name| self.left_out.contains(&name))
    }
}
