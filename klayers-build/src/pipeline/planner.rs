use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, stream};
use klayers_core::{Build, LayerVersion, PackageName, Region, Runtime, Runtimes, Target};
use tokio::sync::OnceCell;
use tracing::debug;
use url::Url;

use super::PARALLEL_LAYERS;
use crate::Error;
use crate::plan::{Caution, Force, LayerPlan, Recorded, Republish, Wanted, cautions, plan_layer};
use klayers_catalog::artifacts::Artifacts;
use klayers_catalog::{Catalog, Query};
use klayers_layer::lock::Lock;
use klayers_layer::resolve::Resolver;
use klayers_wheel::regular;

/// Plans layers: resolves their requirements and reads the catalog. Changes nothing.
#[derive(Clone, Debug)]
pub struct Planner {
    /// Resolves requirements.
    pub resolver: Resolver,
    /// The runtimes that layers are built for.
    pub runtimes: Runtimes,
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// When a package is published again.
    pub republish: Republish,
    /// Stores the locks of earlier builds. Without them no plan warns about changed sources.
    pub artifacts: Option<Arc<dyn Artifacts>>,
}

/// A planned layer, with the inputs of its plan.
#[derive(Clone, Debug)]
pub struct PlannedLayer {
    /// What has to be done.
    pub plan: LayerPlan,
    /// The wheels of the layer.
    pub lock: Lock,
    /// The build of its latest version, in each region that has one.
    pub latest: BTreeMap<Region, Arc<Build>>,
    /// The latest build before this plan.
    pub before: Option<Build>,
    /// Things the operator should check.
    pub cautions: Vec<Caution>,
}

impl Planner {
    /// Returns the catalog's records for the plans of one run.
    pub fn records(&self) -> Records<'_> {
        Records::new(&*self.catalog, self.republish)
    }

    /// Plans each of the layers, several at once, in their order.
    pub fn plan<'a>(
        &'a self,
        wanted: &'a [Wanted],
        regions: &'a [Region],
        force: Force,
    ) -> impl Stream<Item = (&'a Wanted, Result<PlannedLayer, Error>)> {
        let records = Arc::new(self.records());
        stream::iter(wanted)
            .map(move |wanted| {
                let records = Arc::clone(&records);
                async move { (wanted, self.plan_layer(&records, wanted, regions, force).await) }
            })
            .buffered(PARALLEL_LAYERS)
    }

    /// Plans one layer.
    ///
    /// # Errors
    ///
    /// If its requirements cannot be resolved, or the catalog cannot be read.
    pub async fn plan_layer(
        &self,
        records: &Records<'_>,
        wanted: &Wanted,
        regions: &[Region],
        force: Force,
    ) -> Result<PlannedLayer, Error> {
        let target = wanted.target;
        let package = wanted.contents.name();
        let runtime = self.runtimes.require(target)?;
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

    /// Returns the lock of a build, if it still exists and can be read.
    async fn lock_of(&self, build: Option<&Build>, runtime: &Runtime) -> Option<Lock> {
        let (artifacts, build) = (self.artifacts.as_ref()?, build?);
        let stored = artifacts.get(build.origin.lock_digest()?).await.ok()?;
        let text = regular::read_to_string(stored.path()).ok()?;
        // Locks store files of a folder without the path of the folder.
        let base = Url::parse("file:///").ok();
        Lock::parse(&text, base.as_ref(), build.target, runtime).ok()
    }
}

/// The records of a catalog, and the rule for which changes count.
///
/// The records of a target are read once, when its first layer is planned: reading them for each
/// layer would take longer than everything else together. So they are valid for one run, which
/// plans each layer once and has exclusive use of the collection.
#[derive(Debug)]
pub struct Records<'a> {
    catalog: &'a dyn Catalog,
    republish: Republish,
    targets: Mutex<BTreeMap<Target, Arc<OnceCell<TargetRecords>>>>,
}

type TargetRecords = BTreeMap<PackageName, LayerRecords>;

/// The records of a layer.
#[derive(Debug, Default)]
struct LayerRecords {
    latest_build: Option<Build>,
    latest: BTreeMap<Region, Arc<Build>>,
    yanked: Vec<Build>,
}

impl<'a> Records<'a> {
    /// Creates an empty cache of a catalog's records.
    pub fn new(catalog: &'a dyn Catalog, republish: Republish) -> Self {
        Self { catalog, republish, targets: Mutex::default() }
    }

    /// Plans a layer that was resolved to this lock.
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
    ) -> Result<PlannedLayer, Error> {
        let (target, package) = (wanted.target, wanted.contents.name());
        let target_records = {
            let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(targets.entry(target).or_default())
        };
        let nothing = LayerRecords::default();
        let target_records = target_records.get_or_try_init(|| self.read(target)).await?;
        let LayerRecords { latest_build, latest, yanked } =
            target_records.get(package).unwrap_or(&nothing);
        let plan = plan_layer(
            wanted,
            &lock,
            &Recorded { latest_build: latest_build.as_ref(), latest, yanked },
            regions,
            self.republish,
            force,
        );
        debug!(%target, %package, regions = plan.publish.len(), "planned");
        Ok(PlannedLayer {
            plan,
            lock,
            latest: latest.clone(),
            before: latest_build.clone(),
            cautions: Vec::new(),
        })
    }

    async fn read(&self, target: Target) -> Result<TargetRecords, Error> {
        let mut layers = TargetRecords::new();
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
            // Share builds: most regions have the same one, and there are many regions.
            let known = latest.values().find(|known| ***known == build).cloned();
            latest.insert(arn.region().clone(), known.unwrap_or_else(|| Arc::new(build)));
        }
        Ok(layers)
    }
}
