use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, stream};
use klayers_core::{Build, LayerVersion, PackageName, Region, Runtime, Runtimes, Target};
use tokio::sync::OnceCell;
use tracing::debug;
use url::Url;

use super::PARALLEL_LAYERS;
use crate::Error;
use crate::artifacts::Artifacts;
use crate::catalog::{Catalog, Query};
use crate::config::ConfigError;
use crate::lock::Lock;
use crate::plan::{Caution, Force, LayerPlan, Recorded, Republish, Wanted, cautions, plan_layer};
use crate::regular;
use crate::resolve::Resolver;

/// Finds out what has to be done: resolves, and reads the catalog. It changes nothing.
#[derive(Clone, Debug)]
pub struct Planner {
    /// Resolves.
    pub resolver: Resolver,
    /// The runtimes that layers are built for.
    pub runtimes: Runtimes,
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// When a package is published again.
    pub republish: Republish,
    /// Keeps the locks of earlier builds. Without them no plan tells of other sources.
    pub artifacts: Option<Arc<dyn Artifacts>>,
}

/// A layer that was planned, with what it was planned by.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What has to be done.
    pub plan: LayerPlan,
    /// The wheels it would hold.
    pub lock: Lock,
    /// What its latest version holds, in each region that has one.
    pub latest: BTreeMap<Region, Arc<Build>>,
    /// The latest build.
    pub before: Option<Build>,
    /// What is worth a look.
    pub cautions: Vec<Caution>,
}

impl Planner {
    /// What is recorded, for the plans of one run.
    pub fn records(&self) -> Records<'_> {
        Records::new(&*self.catalog, self.republish)
    }

    /// Plans what has to be done for each of the layers, several at once, in their order.
    pub fn plan<'a>(
        &'a self,
        wanted: &'a [Wanted],
        regions: &'a [Region],
        force: Force,
    ) -> impl Stream<Item = (&'a Wanted, Result<Planned, Error>)> {
        let records = Arc::new(self.records());
        stream::iter(wanted)
            .map(move |wanted| {
                let records = Arc::clone(&records);
                async move { (wanted, self.plan_layer(&records, wanted, regions, force).await) }
            })
            .buffered(PARALLEL_LAYERS)
    }

    /// Plans what has to be done for one layer.
    ///
    /// # Errors
    ///
    /// If its requirements cannot be resolved, or the catalog not be read.
    pub async fn plan_layer(
        &self,
        records: &Records<'_>,
        wanted: &Wanted,
        regions: &[Region],
        force: Force,
    ) -> Result<Planned, Error> {
        let target = wanted.target;
        let package = wanted.contents.name();
        let runtime = self.runtimes.get(target.python).ok_or(ConfigError::NoRuntime(target))?;
        debug!(%target, %package, "resolving");
        let lock = self.resolver.resolve(wanted.contents.requirements(), target, runtime).await?;
        let mut planned = records.plan_lock(wanted, lock, regions, force).await?;
        let before = planned.before.as_ref();
        let lock_before = self.lock_of(before, runtime).await;
        planned.cautions = cautions(&planned.lock, before, lock_before.as_ref());
        let places = self.resolver.without_hashes(&planned.lock).await;
        let unhashed = places.iter().map(|place| Caution::NoHashes { place: place.clone() });
        planned.cautions.extend(unhashed);
        Ok(planned)
    }

    /// The lock of a build, if it is still there and can be read.
    async fn lock_of(&self, build: Option<&Build>, runtime: &Runtime) -> Option<Lock> {
        let (artifacts, build) = (self.artifacts.as_ref()?, build?);
        let stored = artifacts.get(build.origin.lock_digest()?).await.ok()?;
        let text = regular::read_to_string(stored.path()).ok()?;
        // Files of a folder are named without the folder.
        let base = Url::parse("file:///").ok();
        Lock::parse(&text, base.as_ref(), build.target, runtime).ok()
    }
}

/// What is recorded, and what of it counts as a change.
///
/// It is read once for each target, when the first of its layers is planned: to ask for each layer
/// takes longer than all else together. So it is good for one run, which plans a layer once and has
/// the collection for itself.
#[derive(Debug)]
pub struct Records<'a> {
    catalog: &'a dyn Catalog,
    republish: Republish,
    targets: Mutex<BTreeMap<Target, Arc<OnceCell<OfTarget>>>>,
}

type OfTarget = BTreeMap<PackageName, OfLayer>;

/// What is recorded of a layer.
#[derive(Debug, Default)]
struct OfLayer {
    latest_build: Option<Build>,
    latest: BTreeMap<Region, Arc<Build>>,
    yanked: Vec<Build>,
}

impl<'a> Records<'a> {
    /// What a catalog has.
    pub fn new(catalog: &'a dyn Catalog, republish: Republish) -> Self {
        Self { catalog, republish, targets: Mutex::default() }
    }

    /// Plans what has to be done for a layer that was resolved to this lock.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read.
    pub async fn plan_lock(
        &self,
        wanted: &Wanted,
        lock: Lock,
        regions: &[Region],
        force: Force,
    ) -> Result<Planned, Error> {
        let (target, package) = (wanted.target, wanted.contents.name());
        let of_target = {
            let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(targets.entry(target).or_default())
        };
        let nothing = OfLayer::default();
        let of_target = of_target.get_or_try_init(|| self.read(target)).await?;
        let OfLayer { latest_build, latest, yanked } = of_target.get(package).unwrap_or(&nothing);
        let plan = plan_layer(
            wanted,
            &lock,
            &Recorded { latest_build: latest_build.as_ref(), latest, yanked },
            regions,
            self.republish,
            force,
        );
        debug!(%target, %package, regions = plan.publish.len(), "planned");
        Ok(Planned {
            plan,
            lock,
            latest: latest.clone(),
            before: latest_build.clone(),
            cautions: Vec::new(),
        })
    }

    async fn read(&self, target: Target) -> Result<OfTarget, Error> {
        let mut layers = OfTarget::new();
        for build in self.catalog.latest_builds(Some(target)).await? {
            let layer = layers.entry(build.package.clone()).or_default();
            layer.latest_build = Some(build);
        }
        for build in self.catalog.yanked_builds(target).await? {
            let layer = layers.entry(build.package.clone()).or_default();
            layer.yanked.push(build);
        }
        let query = Query { target: Some(target), ..Query::default() };
        for LayerVersion { arn, build, .. } in self.catalog.layer_versions(&query).await? {
            let latest = match layers.get_mut(&build.package) {
                Some(layer) => &mut layer.latest,
                None => &mut layers.entry(build.package.clone()).or_default().latest,
            };
            // Most regions have the same, and there are many of them.
            let known = latest.values().find(|known| ***known == build).cloned();
            latest.insert(arn.region().clone(), known.unwrap_or_else(|| Arc::new(build)));
        }
        Ok(layers)
    }
}
