//! Looks for alternatives after a resolution failed, to suggest them in the error message.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use klayers_core::{Architecture, PackageName, Pin, Requirement, Runtime, Runtimes, Target};

use super::Resolver;
use super::explanation::{Alternatives, Explanation};
use super::from_source::{BuiltWheels, SdistChoice};

/// Number of targets that are resolved at once.
const PARALLEL: usize = 4;

impl Resolver {
    /// Finds alternatives to wheels of these requirements. Lookups that fail are left out:
    /// alternatives are advice, and the error stands without them.
    pub(super) async fn alternatives(
        &self,
        requirements: &[Requirement],
        target: Target,
        runtime: &Runtime,
        explanation: &Explanation,
    ) -> Alternatives {
        let names = &explanation.without_wheels;
        let allowed = self.from_source.iter().flat_map(|from| from.allowed.clone()).collect();
        let mut alternatives = Alternatives { allowed, ..Alternatives::default() };
        let [asked] = requirements else {
            alternatives.to_build = self.to_build(requirements, target, runtime, names).await;
            return alternatives;
        };
        let is_asked_for = names.iter().all(|name| name == asked.name());
        let has_versions = !explanation.other_wheels.is_empty() || !names.is_empty();
        if has_versions && is_asked_for {
            alternatives.version = self.other_version(asked, target, runtime).await;
        }
        if !names.is_empty() {
            alternatives.to_build = self.to_build(requirements, target, runtime, names).await;
            if is_asked_for {
                alternatives.targets = self.other_targets(asked, target).await;
            }
        }
        alternatives
    }

    /// Returns packages without wheels that suffice if they are built from source. Empty if there
    /// is no such set.
    async fn to_build(
        &self,
        requirements: &[Requirement],
        target: Target,
        runtime: &Runtime,
        names: &BTreeSet<PackageName>,
    ) -> BTreeSet<PackageName> {
        let Ok(built) = BuiltWheels::new() else { return BTreeSet::new() };
        let choice = SdistChoice { resolver: self, requirements, target, runtime, built: &built };
        // Some versions of a requested package may have wheels but depend on packages without
        // wheels.
        let is_asked_for = |name: &PackageName| requirements.iter().any(|r| r.name() == name);
        let needed: BTreeSet<PackageName> =
            names.iter().filter(|name| !is_asked_for(name)).cloned().collect();
        if let Ok(Some(_)) = choice.sdists(&needed).await {
            return needed;
        }
        match choice.fewest_sdists(names).await {
            Ok(sdists) if !sdists.is_empty() => {
                sdists.into_iter().map(|sdist| sdist.pin.name).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Returns the version that the target would get without a version constraint.
    async fn other_version(
        &self,
        asked: &Requirement,
        target: Target,
        runtime: &Runtime,
    ) -> Option<Pin> {
        let any: Requirement = asked.name().to_string().parse().ok()?;
        if any == *asked {
            return None;
        }
        let lock = self.compile(&[any], target, runtime, &[], None).await.ok()?;
        lock.wheel(asked.name()).map(|wheel| wheel.pin.clone())
    }

    /// Returns the targets with the same Python or the same architecture that have wheels of a
    /// requirement. Dependencies are not checked.
    async fn other_targets(&self, asked: &Requirement, target: Target) -> Vec<Target> {
        let runtimes = Runtimes::default();
        let others = runtimes.iter().flat_map(|runtime| {
            Architecture::ALL
                .map(|architecture| (Target::new(runtime.python, architecture), runtime))
        });
        let others = others.filter(|(other, _)| {
            *other != target
                && (other.python == target.python || other.architecture == target.architecture)
        });
        let asked = std::slice::from_ref(asked);
        let has_wheels = async |other: Target, runtime: &Runtime| {
            let alone = ["--no-deps".to_owned()];
            self.uv_lock(asked, other, runtime, &alone, None).await.is_ok()
        };
        let mut found: Vec<Target> = stream::iter(others)
            .map(
                |(other, runtime)| async move { has_wheels(other, runtime).await.then_some(other) },
            )
            .buffered(PARALLEL)
            .filter_map(std::future::ready)
            .collect()
            .await;
        found.sort_unstable();
        found
    }
}
