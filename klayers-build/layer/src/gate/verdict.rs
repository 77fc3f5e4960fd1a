//! Decides which failed imports stop a layer.
//!
//! The main module of each requested package must be importable. A failure of another module is
//! tolerated if the module needs something that no package of the layer requires, and its
//! distribution is only a dependency or has a working main module. Failures of tests, documentation
//! and scripts are tolerated, too. All other failures stop the layer.

use std::collections::{BTreeMap, BTreeSet};

use klayers_core::PackageName;

use super::distribution::{Distribution, distribution_of, is_incidental, root_of};
use super::{Missing, ModuleOutcome, Tolerance, Undeclared};

/// Modules that every Python runtime of Lambda has, whether a package requires them or not.
const OF_THE_RUNTIME: [&str; 3] = ["awslambdaric", "boto3", "botocore"];

/// The verdict on the failed imports of a layer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Verdict {
    /// The failures that do not stop the layer, by module.
    pub(super) tolerated: BTreeMap<String, Tolerance>,
    /// The missing modules that no package requires, by the module that fails and stops the layer.
    pub(super) undeclared: BTreeMap<String, Undeclared>,
}

/// The packages of a layer, as far as its verdict depends on them.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerPackages<'a> {
    /// The layer's distributions.
    pub(super) distributions: &'a [Distribution],
    /// The requested packages.
    pub(super) requested: &'a [PackageName],
    /// The packages that were left out because the runtime has them.
    pub(super) left_out: &'a BTreeSet<PackageName>,
}

impl LayerPackages<'_> {
    /// Judges the failed imports.
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
        let main = self.requested_with(module).any(|owner| owner.main_module() == Some(module));
        if main {
            return None;
        }
        if is_incidental(module) {
            return Some(Tolerance::Incidental);
        }
        missing?;
        let mut owners = self.requested_with(module).peekable();
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
        let owner = self.requested_with(module).next()?;
        let name: Option<PackageName> =
            distribution.as_ref().and_then(|distribution| distribution.parse().ok());
        let extra = owner.requires.iter().find_map(|dependency| {
            let same = Some(&dependency.package) == name.as_ref();
            dependency.extra.clone().filter(|_| same)
        });
        let (module, package) = (missing.to_owned(), owner.package.clone());
        Some(Undeclared { module, distribution, package, extra })
    }

    /// Returns the requested distributions that have a module. If no requested package is in the
    /// layer, all distributions count as requested.
    fn requested_with<'a>(&'a self, module: &'a str) -> impl Iterator<Item = &'a Distribution> {
        let is_requested =
            |distribution: &&Distribution| self.requested.contains(&distribution.package);
        let any = self.distributions.iter().any(|distribution| is_requested(&distribution));
        let all = self.distributions.iter();
        all.filter(move |distribution| !any || is_requested(distribution))
            .filter(move |distribution| distribution.has_module(module))
    }

    /// Returns the module that an import did not find, if no package of the layer has or requires
    /// it.
    fn missing_from_layer<'a>(&self, outcome: &'a ModuleOutcome) -> Option<&'a str> {
        let ModuleOutcome::Failed { missing: Some(Missing::Module(missing)), .. } = outcome else {
            return None;
        };
        // Other distributions may contain other parts of a namespace.
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
        // A required module that is missing was left out, or a hand-written lock lacks it.
        (!required || self.runtime_has(missing)).then_some(missing)
    }

    /// Whether a module belongs to a namespace of which distributions of the layer have parts.
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
