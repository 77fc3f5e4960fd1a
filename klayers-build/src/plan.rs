//! Planning: what has to be built and published, given what was asked for and what there is.
//!
//! Nothing is done here, so a dry run is printing the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use klayers_catalog::report::BuildReason;
use klayers_core::{
    Build, Bundle, LayerName, LayerVersion, Origin, PackageName, ParseError, Region, Requirement,
    Target, requirements_hash,
};
use serde::Deserialize;

use klayers_layer::lock::Lock;

mod caution;
mod yank_target;

pub use caution::{Caution, PackageSource, cautions};
pub use yank_target::YankTarget;

/// When a package that was published before is published again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Republish {
    /// When the set of its locked wheels differs.
    #[default]
    Wheels,
    /// When a version in it differs, so not when a wheel of the same version is another.
    Requirements,
}

/// The collection that a config folder describes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collection {
    /// What each target's layers are to hold: the packages, then the bundles.
    pub targets: BTreeMap<Target, Vec<Contents>>,
    /// The regions, in the order of the file.
    pub regions: Vec<Region>,
}

/// What a layer is to hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Contents {
    /// A package, and what it needs.
    Package(Requirement),
    /// Several packages and what they need, in versions that agree.
    Bundle(Bundle),
}

impl Contents {
    /// The package's name or the bundle's: what the layer is named after, listed and selected by.
    pub fn name(&self) -> &PackageName {
        match self {
            Self::Package(requirement) => requirement.name(),
            Self::Bundle(bundle) => bundle.name(),
        }
    }

    /// What is resolved, together.
    pub fn requirements(&self) -> &[Requirement] {
        match self {
            Self::Package(requirement) => std::slice::from_ref(requirement),
            Self::Bundle(bundle) => bundle.packages(),
        }
    }

    /// The package whose version is the layer's: the first of a bundle.
    ///
    /// A bundle has no version of its own, and the API must show one that clients can compare. That
    /// of its first package is true, the same on every machine, and what its reader looks for; that
    /// another of its packages changed is told by the list of dependencies, as it is for packages.
    pub fn leader(&self) -> &PackageName {
        self.requirements()[0].name()
    }
}

/// A layer of the collection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// The target.
    pub target: Target,
    /// The packages that the layer holds.
    pub contents: Contents,
    /// The layer's name.
    pub layer: LayerName,
}

/// Restricts a command to a part of the collection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// The selected packages and bundles. Empty means all.
    pub packages: Vec<PackageName>,
    /// The selected targets. Empty means all.
    pub targets: Vec<Target>,
    /// The selected regions. Empty means all.
    pub regions: Vec<Region>,
}

impl Selection {
    /// Whether a region is selected.
    pub fn includes_region(&self, region: &Region) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }

    /// Whether the layer of a package for a target is selected.
    pub fn includes_layer(&self, target: Target, package: &PackageName) -> bool {
        (self.targets.is_empty() || self.targets.contains(&target))
            && (self.packages.is_empty() || self.packages.contains(package))
    }

    /// Whether a layer version is selected.
    pub fn includes(&self, version: &LayerVersion) -> bool {
        self.includes_region(version.region())
            && self.includes_layer(version.build.target, &version.build.package)
    }
}

/// What is done even if nothing changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Force {
    /// Layers are built again.
    pub build: bool,
    /// Layers are published again.
    pub publish: bool,
}

/// The steps for one layer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayerPlan {
    /// The layer.
    pub wanted: Wanted,
    /// Whether the layer is built.
    pub build: BuildStep,
    /// Where the layer is published, and why.
    pub publish: BTreeMap<Region, PublishReason>,
    /// Whether the layer stays missing in a region because its content was withdrawn.
    pub withheld: bool,
}

/// Whether a layer is built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BuildStep {
    /// The layer is built.
    Build(BuildReason),
    /// An existing build is used: it has the wanted content, or the wanted content was withdrawn, so
    /// that there is nothing to build.
    Reuse(Box<Build>),
}

/// Why a layer is published in a region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PublishReason {
    /// The region has no version of the layer, or only deleted ones.
    New,
    /// The latest version in the region has other content.
    Changed,
    /// The user forced it.
    Forced,
}

/// The selected layers of a collection, sorted by target and package.
///
/// # Errors
///
/// If the selection names something that the collection does not have, or if two layers would have
/// the same name.
pub fn wanted(
    collection: &Collection,
    selection: &Selection,
    layer_prefix: &str,
) -> Result<Vec<Wanted>, PlanError> {
    for target in &selection.targets {
        if !collection.targets.contains_key(target) {
            return Err(PlanError::UnknownTarget(*target));
        }
    }
    let listed = |package: &PackageName| {
        collection.targets.values().flatten().any(|contents| contents.name() == package)
    };
    if let Some(package) = selection.packages.iter().find(|package| !listed(package)) {
        return Err(PlanError::UnknownPackage(package.clone()));
    }
    let mut names: BTreeMap<LayerName, String> = BTreeMap::new();
    let mut all = Vec::new();
    for (&target, layers) in &collection.targets {
        for contents in layers {
            let package = contents.name();
            let layer = LayerName::new(layer_prefix, target, &package.to_string())?;
            let this = format!("{package} for {target}");
            if let Some(other) = names.insert(layer.clone(), this.clone()) {
                return Err(PlanError::SameName { layer, first: other, second: this });
            }
            all.push(Wanted { target, contents: contents.clone(), layer });
        }
    }
    all.retain(|wanted| selection.includes_layer(wanted.target, wanted.contents.name()));
    all.sort_by(|one, other| {
        (one.target, one.contents.name()).cmp(&(other.target, other.contents.name()))
    });
    Ok(all)
}

/// The selected regions of a collection, in its order.
///
/// # Errors
///
/// If the selection names a region that the collection does not have.
pub fn regions(collection: &Collection, selection: &Selection) -> Result<Vec<Region>, PlanError> {
    if let Some(region) = selection.regions.iter().find(|r| !collection.regions.contains(r)) {
        return Err(PlanError::UnknownRegion(region.clone()));
    }
    let chosen = collection.regions.iter().filter(|region| selection.includes_region(region));
    Ok(chosen.cloned().collect())
}

/// The catalog's records of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The latest build.
    pub latest_build: Option<&'a Build>,
    /// The build of the latest version in each region.
    pub latest: &'a BTreeMap<Region, Arc<Build>>,
    /// The builds of withdrawn versions.
    pub yanked: &'a [Build],
}

/// Plans the steps for a layer, from its lock and the catalog's records.
///
/// Content that was withdrawn in any region is not published again until it changes or the user
/// forces it. A build that was adopted from another collection counts as unchanged if its
/// requirements equal those of the lock, whatever `republish` says.
pub fn plan_layer(
    wanted: &Wanted,
    lock: &Lock,
    recorded: &Recorded<'_>,
    regions: &[Region],
    republish: Republish,
    force: Force,
) -> LayerPlan {
    let same_requirements = |build: &Build| build.requirements_hash == lock.requirements_hash();
    let same = |build: &Build| match build.origin {
        Origin::Locked { wheels_hash, .. } => match republish {
            Republish::Wheels => wheels_hash == lock.wheels_hash(),
            Republish::Requirements => same_requirements(build),
        },
        // The wheels of adopted builds are unknown, so equal versions have to be enough. The versions
        // themselves are compared, since the recorded hash is the other collection's own.
        Origin::Adopted { .. } => {
            requirements_hash(&build.dependencies) == lock.requirements_hash()
        }
        Origin::Imported { .. } => false,
    };
    let Recorded { latest_build, latest, yanked } = recorded;
    let withdrawn = yanked.iter().any(same);
    let withheld = withdrawn && !force.publish;
    let is_current = |region: &Region| latest.get(region).is_some_and(|build| same(build));
    let reason = |region: &Region| match latest.get(region) {
        _ if is_current(region) || withdrawn => force.publish.then_some(PublishReason::Forced),
        None => Some(PublishReason::New),
        Some(_) => Some(PublishReason::Changed),
    };
    let publish: BTreeMap<Region, PublishReason> =
        regions.iter().filter_map(|region| Some((region.clone(), reason(region)?))).collect();
    // Any version's build will do, whichever of them the other collection called the latest.
    let adopted =
        || latest.values().map(Arc::as_ref).find(|build| is_adopted(build) && same(build));
    let build = match (latest_build, latest_build.filter(|build| same(build)).or_else(adopted)) {
        (Some(build), _) if withheld => BuildStep::Reuse(Box::new((*build).clone())),
        (Some(_), None) => BuildStep::Build(BuildReason::Changed),
        (_, Some(_)) if force.build => BuildStep::Build(BuildReason::Forced),
        // An adopted build has no zip among the artifacts. Only publishing needs the zip.
        (_, Some(build)) if publish.is_empty() || !is_adopted(build) => {
            BuildStep::Reuse(Box::new(build.clone()))
        }
        (None, None) | (_, Some(_)) => BuildStep::Build(BuildReason::New),
    };
    let withheld = withheld && !regions.iter().all(is_current);
    LayerPlan { wanted: wanted.clone(), build, publish, withheld }
}

fn is_adopted(build: &Build) -> bool {
    matches!(build.origin, Origin::Adopted { .. })
}

/// Why a collection could not be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A target was selected that the collection does not have.
    #[error("target {0} is not in the collection's config.json")]
    UnknownTarget(Target),
    /// A package or bundle was selected that the collection does not have.
    #[error("{0} is not in the collection's packages lists, and is not a bundle")]
    UnknownPackage(PackageName),
    /// A region was selected that the collection does not have.
    #[error("region {0} is not in the collection's regions.csv")]
    UnknownRegion(Region),
    /// Lambda does not accept the layer's name.
    #[error(transparent)]
    LayerName(#[from] ParseError),
    /// Two layers would have the same name.
    #[error("{first} and {second} would both get the layer name {layer}; remove one of them")]
    SameName {
        /// The name.
        layer: LayerName,
        /// One layer.
        first: String,
        /// The other.
        second: String,
    },
}

#[cfg(test)]
mod tests;
