//! Adopting: what the public collection recorded, or another one with its API or its table, is taken
//! over into the catalog, so that an operator can switch without publishing again.
//!
//! A source is read ([`ApiSource`], [`TableSource`]), what it says is held against itself
//! (`records`), and the catalog decides what it makes of that
//! ([`AdoptionPlan`]). What is not taken over is [`LeftOut`], with the
//! reason; it keeps nothing else from being adopted.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use jiff::Timestamp;
use klayers_core::{
    Digest, LayerVersion, LayerVersionArn, PackageName, PackageVersion, Pin, Region, Status, Target,
};
use serde::Serialize;
use tracing::{debug, info};

use crate::Error;
use crate::plan::Selection;
use klayers_catalog::failpoint;
use klayers_catalog::{Adoption, AdoptionPlan, Catalog, Include, Query};

mod api;
mod records;
#[cfg(feature = "adopt-table")]
mod table;

pub use crate::error::{AdoptError, LeftOut, Reason, RequestError, RequestFault};
pub use api::ApiSource;
#[cfg(feature = "adopt-table")]
pub use table::TableSource;

/// Where records are taken over from.
#[derive(Debug)]
pub enum Source {
    /// The API of a collection, version 2.
    Api(ApiSource),
    /// The DynamoDB table of the public collection.
    #[cfg(feature = "adopt-table")]
    Table(TableSource),
}

/// What is asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    /// The targets that an API is asked for.
    pub targets: Vec<Target>,
    /// The regions that an API is asked for.
    pub regions: Vec<Region>,
    /// What of that is adopted.
    pub selection: Selection,
}

/// Whether records are written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// They are.
    Adopt,
    /// It is only said what would be.
    DryRun,
}

/// What was adopted, or would be.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdoptionReport {
    /// How many layers the source has: packages, once for each target.
    pub layers: usize,
    /// How many of its layer versions are the latest of their layer in their region.
    pub latest: usize,
    /// How many are deprecated.
    pub deprecated: usize,
    /// How many are deleted. An API does not tell of those.
    pub deleted: usize,
    /// How many packages have a latest build.
    pub builds: usize,
    /// How many layer versions were not recorded yet.
    pub added: usize,
    /// How many were recorded otherwise.
    pub changed: usize,
    /// How many were recorded as they are.
    pub unchanged: usize,
    /// How many latest builds were recorded.
    pub builds_recorded: usize,
    /// What was not adopted, and why.
    pub left_out: Vec<LeftOut>,
}

/// What a source says of a package for a target, each record well-formed.
#[derive(Debug)]
pub(crate) struct ReadLayer {
    target: Target,
    package: PackageName,
    versions: Vec<Claim>,
    build: Option<BuildClaim>,
    left_out: Vec<LeftOut>,
}

/// What a source says of a layer version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Claim {
    /// Where it was found, which its ARN must agree with.
    region: Region,
    arn: LayerVersionArn,
    version: PackageVersion,
    /// In the order and spelling of the source. Many versions share one list.
    dependencies: Arc<[Pin]>,
    /// The hash that the source recorded; none if it has none.
    requirements_hash: Option<Digest>,
    status: Status,
    created_at: Option<Timestamp>,
    license: Option<String>,
}

/// What a source says of the latest build of a package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BuildClaim {
    version: PackageVersion,
    /// In the order and spelling of the source. Many versions share one list.
    dependencies: Arc<[Pin]>,
    /// The hash that the source recorded; none if it has none.
    requirements_hash: Option<Digest>,
    created_at: Option<Timestamp>,
    license: Option<String>,
}

/// Adopts what a source has, layer by layer. `now` is the time that is written down as that of the
/// adoption.
///
/// # Errors
///
/// [`AdoptError`] if the source cannot be read at all or has no layers; or if the catalog cannot be
/// read or written. What was adopted until then is recorded, and adopting again goes on.
pub async fn adopt(
    source: &Source,
    scope: &Scope,
    catalog: &dyn Catalog,
    mode: Mode,
    now: Timestamp,
) -> Result<AdoptionReport, Error> {
    let mut adopter = Adopter { catalog, mode, now, report: AdoptionReport::default() };
    match source {
        Source::Api(api) => {
            let mut answered = false;
            for &target in &scope.targets {
                let selected =
                    |package: &PackageName| scope.selection.includes_layer(target, package);
                let mut lists = api.lists(target, &scope.regions).await;
                if !answered {
                    lists = lists.heard().map_err(|error| AdoptError::Silent(Box::new(error)))?;
                    answered = true;
                }
                adopter.report.left_out.extend(lists.left_out);
                let packages: Vec<_> =
                    lists.packages.into_iter().filter(|(name, _)| selected(name)).collect();
                info!(%target, layers = packages.len(), "listed");
                let mut layers = pin!(api.layers(target, &lists.regions, packages));
                while let Some(layer) = layers.next().await {
                    adopter.take(layer).await?;
                }
            }
        }
        #[cfg(feature = "adopt-table")]
        Source::Table(table) => {
            let read = table.read(&scope.selection).await?;
            adopter.report.left_out.extend(read.left_out);
            info!(layers = read.layers.len(), "listed");
            for layer in read.layers {
                adopter.take(layer).await?;
            }
        }
    }
    let report = adopter.report;
    if report.layers == 0 && report.left_out.is_empty() {
        return Err(AdoptError::Empty.into());
    }
    Ok(report)
}

/// Takes over one layer after another.
struct Adopter<'a> {
    catalog: &'a dyn Catalog,
    mode: Mode,
    now: Timestamp,
    report: AdoptionReport,
}

impl Adopter<'_> {
    async fn take(&mut self, layer: ReadLayer) -> Result<(), Error> {
        let (adoption, left_out) = records::adoption(layer, self.now);
        let (target, package) = (adoption.target, adoption.package.clone());
        self.report.left_out.extend(left_out);
        if adoption.versions.is_empty() && adoption.latest_build.is_none() {
            return Ok(());
        }
        let plan = match self.mode {
            Mode::Adopt => {
                failpoint::reach("adoption of a layer intended");
                let plan = self.catalog.adopt(&adoption).await?;
                failpoint::reach("layer adopted");
                plan
            }
            Mode::DryRun => self.plan(&adoption).await?,
        };
        self.count(&adoption, &plan);
        for (region, error) in plan.refused {
            let region = Some(region);
            let package = package.clone();
            self.report.left_out.push(LeftOut::of(
                target,
                package,
                region,
                Reason::Conflict(error),
            ));
        }
        debug!(%target, %package, versions = adoption.versions.len(), "adopted");
        Ok(())
    }

    async fn plan(&self, adoption: &Adoption) -> Result<AdoptionPlan, Error> {
        let (target, package) = (adoption.target, &adoption.package);
        let query = Query {
            target: Some(target),
            package: Some(package.clone()),
            include: Include::All,
            ..Query::default()
        };
        let recorded = self.catalog.layer_versions(&query).await?;
        let latest_build = self.catalog.latest_build(target, package).await?;
        let withdrawn = self.catalog.yanked_builds(target).await?;
        Ok(AdoptionPlan::new(adoption, &recorded, latest_build.as_ref(), &withdrawn))
    }

    fn count(&mut self, adoption: &Adoption, plan: &AdoptionPlan) {
        let report = &mut self.report;
        report.layers += 1;
        for LayerVersion { status, .. } in &adoption.versions {
            match status {
                Status::Latest => report.latest += 1,
                Status::Deprecated { .. } => report.deprecated += 1,
                Status::Deleted { .. } => report.deleted += 1,
            }
        }
        report.builds += usize::from(adoption.latest_build.is_some());
        report.added += plan.add.len();
        report.changed += plan.change.len();
        report.unchanged += plan.unchanged;
        report.builds_recorded += usize::from(plan.build.is_some());
    }
}

/// Packages by name; of a name the spellings and what was said of it.
type ByPackage<T> = BTreeMap<PackageName, T>;
