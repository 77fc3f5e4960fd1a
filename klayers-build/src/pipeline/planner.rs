use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use klayers_core::{LayerVersion, PackageName, Region, Runtimes, Target};
use tracing::debug;

use super::PARALLEL_LAYERS;
use crate::Error;
use crate::catalog::{Catalog, Query};
use crate::config::ConfigError;
use crate::lock::Lock;
use crate::plan::{Force, LayerPlan, Recorded, Republish, Wanted, plan_layer};
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
}

/// A layer that was planned, with what it was planned by.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What has to be done.
    pub plan: LayerPlan,
    /// The wheels it would hold.
    pub lock: Lock,
    /// Its latest version in each region that has one.
    pub latest_versions: BTreeMap<Region, LayerVersion>,
}

impl Planner {
    /// Plans what has to be done for each of the layers, several at once, in their order.
    pub fn plan<'a>(
        &'a self,
        wanted: &'a [Wanted],
        regions: &'a [Region],
        force: Force,
    ) -> impl Stream<Item = (&'a Wanted, Result<Planned, Error>)> {
        stream::iter(wanted)
            .map(move |wanted| async move {
                (wanted, self.plan_layer(wanted, regions, force).await)
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
        wanted: &Wanted,
        regions: &[Region],
        force: Force,
    ) -> Result<Planned, Error> {
        let target = wanted.target;
        let package = wanted.contents.name();
        let runtime = self.runtimes.get(target.python).ok_or(ConfigError::NoRuntime(target))?;
        debug!(%target, %package, "resolving");
        let lock = self.resolver.resolve(wanted.contents.requirements(), target, runtime).await?;
        let records = Records { catalog: &*self.catalog, republish: self.republish };
        records.plan_lock(wanted, lock, regions, force).await
    }
}

/// What is recorded, and what of it counts as a change.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// Keeps the records.
    pub catalog: &'a dyn Catalog,
    /// When a package is published again.
    pub republish: Republish,
}

impl Records<'_> {
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
        let latest_build = self.catalog.latest_build(target, package).await?;
        let yanked = self.catalog.yanked_builds(target, package).await?;
        let latest_versions = self.latest_versions(target, package).await?;
        let plan = plan_layer(
            wanted,
            &lock,
            &Recorded {
                latest_build: latest_build.as_ref(),
                latest_versions: &latest_versions,
                yanked: &yanked,
            },
            regions,
            self.republish,
            force,
        );
        debug!(%target, %package, regions = plan.publish.len(), "planned");
        Ok(Planned { plan, lock, latest_versions })
    }

    async fn latest_versions(
        &self,
        target: Target,
        package: &PackageName,
    ) -> Result<BTreeMap<Region, LayerVersion>, Error> {
        let query =
            Query { target: Some(target), package: Some(package.clone()), ..Query::default() };
        let versions = self.catalog.layer_versions(&query).await?;
        Ok(versions.into_iter().map(|version| (version.region().clone(), version)).collect())
    }
}
