//! Records of a collection: builds, layer versions by region, and publications under way.

use std::cmp::Reverse;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{
    Build, Digest, LayerName, LayerVersion, LayerVersionArn, PackageName, Region, Status, Target,
    Yank,
};

use crate::report::RunReport;
use klayers_wheel::gate_report::GateReport;

pub mod artifacts;
pub mod failpoint;
pub mod message;
pub mod report;

mod adoption;
mod error;
mod latest;
#[cfg(test)]
mod samples;
mod sqlite;

pub use adoption::{Adoption, AdoptionError, AdoptionPlan};
pub use error::CatalogError;
pub use latest::{Obstacle, obstacle, successor};
pub use sqlite::SqliteCatalog;

/// Keeps the records of a collection.
///
/// The catalog records a publication as begun before the layer version is made, and as completed
/// afterwards. A publication that was begun and not completed must be settled before anything else
/// is published under the same layer name in the same region. So no record ever claims something
/// that is not true.
#[async_trait]
pub trait Catalog: std::fmt::Debug + Send + Sync {
    /// Records a build as the latest of its target and package.
    ///
    /// Builds that differ only in their time count as one build, with the time that was recorded
    /// first. Recording such a build again after another one makes it the latest again.
    async fn record_build(&self, build: &Build) -> Result<(), CatalogError>;

    /// Records the gate report of a layer with this content, replacing an earlier report. Call this
    /// before recording the build, so that every recorded build has its report.
    async fn record_gate_report(
        &self,
        content: Digest,
        report: &GateReport,
    ) -> Result<(), CatalogError>;

    /// Returns the gate report of the layer with this content. `None` if the gate did not check the
    /// layer, as for imported layers.
    async fn gate_report(&self, content: Digest) -> Result<Option<GateReport>, CatalogError>;

    /// Returns the latest build of every package, of one target or of all, sorted by target and
    /// package.
    async fn latest_builds(&self, target: Option<Target>) -> Result<Vec<Build>, CatalogError>;

    /// Returns the latest build of one package.
    async fn latest_build(
        &self,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<Build>, CatalogError>;

    /// Returns the builds whose layers have this content, sorted by target and package.
    async fn builds_of(&self, content: Digest) -> Result<Vec<Build>, CatalogError>;

    /// Returns the time of the newest publication or adoption, whichever is later. Layer versions
    /// that were deleted since count too. `None` if nothing was ever published or adopted.
    async fn newest_time(&self) -> Result<Option<Timestamp>, CatalogError>;

    /// Returns the layer version with this ARN, even if it is deleted.
    async fn layer_version(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<LayerVersion>, CatalogError>;

    /// Returns the layer versions that expired at or before `now` and are not deleted, in the order
    /// of [`layer_versions`](Self::layer_versions).
    async fn expired(&self, now: Timestamp) -> Result<Vec<LayerVersion>, CatalogError>;

    /// Returns the builds of a target whose layer versions were withdrawn, even if they were
    /// deleted since. Sorted by content.
    async fn yanked_builds(&self, target: Target) -> Result<Vec<Build>, CatalogError>;

    /// Returns the layer versions that match a query, sorted by target, package and region. Within
    /// a layer and region, the latest comes first, followed by the others from newest to oldest.
    async fn layer_versions(&self, query: &Query) -> Result<Vec<LayerVersion>, CatalogError>;

    /// Returns the targets that have a layer version which is not deleted, sorted.
    async fn targets(&self) -> Result<Vec<Target>, CatalogError>;

    /// Returns the regions that have a layer version which is not deleted, sorted.
    async fn regions(&self) -> Result<Vec<Region>, CatalogError>;

    /// Returns everything that is listed, in no particular order: each layer in each region where
    /// it has a version that is not deleted, and each latest build.
    async fn listing(&self) -> Result<Vec<Listed>, CatalogError>;

    /// Returns what changed in the listing after the change with this number. Without a number,
    /// returns only the number of the last change. A layer in a region that changed several times
    /// is returned once. Asking is cheap: it costs less than a change does.
    async fn changes(&self, since: Option<u64>) -> Result<Changes, CatalogError>;

    /// Records that a publication is about to be made. Each layer has at most one publication under
    /// way in a region.
    ///
    /// # Errors
    ///
    /// [`CatalogError::UnderWay`] if one is already under way, even if it is this one;
    /// [`CatalogError::UnknownBuild`] if its build is not recorded; [`CatalogError::Adopted`] if
    /// its build was adopted.
    async fn begin(&self, publication: &Intent) -> Result<(), CatalogError>;

    /// Records that a publication was still under way at this time. Does nothing if it is not under
    /// way.
    async fn record_attempt(&self, publication: &Intent, at: Timestamp)
    -> Result<(), CatalogError>;

    /// Records why the version that a publication made cannot be listed. The publication stays
    /// under way. Does nothing if it is not under way.
    async fn mark_stuck(&self, publication: &Intent, reason: &str) -> Result<(), CatalogError>;

    /// Returns the publications that were begun and neither completed nor abandoned, sorted by
    /// region and layer.
    async fn under_way(&self) -> Result<Vec<Intent>, CatalogError>;

    /// Records that a publication was made, in one transaction: `version` becomes the latest of its
    /// package and target in its region, whatever its status says; the previous latest becomes
    /// deprecated and expires at `predecessor_expires_at`; and the publication of that build under
    /// that layer name is no longer under way.
    ///
    /// The layer's name does not matter for being the latest: if the collection starts to use
    /// another layer prefix or account, each package still has one latest. A version that is
    /// already recorded stays as it is, so completing twice has the same effect as completing once.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Conflict`] if its ARN is recorded with different content;
    /// [`CatalogError::UnknownBuild`] if its build is not recorded.
    async fn complete(
        &self,
        version: &LayerVersion,
        predecessor_expires_at: Timestamp,
    ) -> Result<(), CatalogError>;

    /// Records a publication whose version must not become the latest, in one transaction:
    /// `version` is recorded with its own status, withdrawn or not; the latest stays the same; and
    /// the publication of that build under that layer name is no longer under way. A version that
    /// is already recorded stays as it is.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete), and [`CatalogError::NotRetired`] if the version's
    /// status is latest or deleted.
    async fn complete_retired(&self, version: &LayerVersion) -> Result<(), CatalogError>;

    /// Records that a publication under way was not made and never will be. Does nothing if it is
    /// not under way.
    async fn abandon(&self, publication: &Intent) -> Result<(), CatalogError>;

    /// Records that a layer version is about to be deleted. From now on it is listed as deleted, so
    /// the catalog never lists a version that is gone. Its deletion is under way until
    /// [`end_deletion`](Self::end_deletion). Does nothing if the version is already recorded as
    /// deleted.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotDeletable`] if the version is the latest of its layer, or is not
    /// recorded.
    async fn begin_deletion(
        &self,
        arn: &LayerVersionArn,
        at: Timestamp,
    ) -> Result<(), CatalogError>;

    /// Returns the layer versions whose deletion has begun but not ended, sorted.
    async fn deletions_under_way(&self) -> Result<Vec<LayerVersionArn>, CatalogError>;

    /// Records that a layer version is gone. Does nothing if its deletion is not under way.
    async fn end_deletion(&self, arn: &LayerVersionArn) -> Result<(), CatalogError>;

    /// Records that a layer version turned out to be gone although this collection did not delete
    /// it. If it was the latest, its [`successor`] takes its place. Returns the latest version
    /// afterwards. Changes nothing if the version is already recorded as deleted.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if it is not recorded.
    async fn record_loss(
        &self,
        arn: &LayerVersionArn,
        at: Timestamp,
    ) -> Result<Option<LayerVersion>, CatalogError>;

    /// Withdraws a layer version, in one transaction: if it is the latest, it becomes deprecated
    /// and expires at `expires_at`, and its [`successor`] becomes the latest again. A version that
    /// is already withdrawn stays as it is. Returns the latest version afterwards.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotYankable`] if it is deleted or not recorded.
    async fn yank(
        &self,
        arn: &LayerVersionArn,
        yank: &Yank,
        expires_at: Timestamp,
    ) -> Result<Option<LayerVersion>, CatalogError>;

    /// Records that the pointer to the latest version of a layer in a region must be moved.
    /// Repeating this has no further effect.
    async fn owe_pointer(&self, pointer: &OwedPointer) -> Result<(), CatalogError>;

    /// Returns the pointers that must be moved, sorted.
    async fn owed_pointers(&self) -> Result<Vec<OwedPointer>, CatalogError>;

    /// Records that a pointer was moved and is no longer owed.
    async fn pointer_moved(&self, pointer: &OwedPointer) -> Result<(), CatalogError>;

    /// Takes over the records of another collection for a package and target, in one transaction.
    /// Applies and returns the [`AdoptionPlan`] that follows from the adoption and the existing
    /// records. Repeating this has no further effect.
    async fn adopt(&self, adoption: &Adoption) -> Result<AdoptionPlan, CatalogError>;

    /// Stores the report of a run and returns its number, which is higher than all before.
    async fn record_run(&self, report: &RunReport) -> Result<u64, CatalogError>;

    /// Returns the reports of the last runs with their numbers, newest first.
    async fn runs(&self, at_most: usize) -> Result<Vec<(u64, RunReport)>, CatalogError>;

    /// Returns the report of the run with this number.
    async fn run(&self, number: u64) -> Result<Option<RunReport>, CatalogError>;

    /// Returns the lease: held by whoever works on the collection now, or by a holder that ended
    /// without giving it back.
    async fn lease(&self) -> Result<Option<Lease>, CatalogError>;

    /// Takes, renews or gives back the lease, if the current lease is `expected`. Returns whether
    /// it was.
    async fn replace_lease(
        &self,
        expected: Option<&Lease>,
        with: Option<&Lease>,
    ) -> Result<bool, CatalogError>;
}

/// The right to work on a collection for a limited time, so that two runs do not work at the same
/// time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Host name of the holder.
    pub host: String,
    /// Process ID of the holder on that host.
    pub process: u32,
    /// End of the lease, unless it is renewed.
    pub until: Timestamp,
}

/// Selects layer versions. A field that is `None` does not restrict the selection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// Only this target.
    pub target: Option<Target>,
    /// Only this region.
    pub region: Option<Region>,
    /// Only this package.
    pub package: Option<PackageName>,
    /// Whether older and deleted versions are included.
    pub include: Include,
}

/// Whether a [`Query`] includes older and deleted versions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Include {
    /// Only the latest version of each layer and region.
    #[default]
    Latest,
    /// All versions that are not deleted.
    Existing,
    /// All versions, including deleted ones.
    All,
}

/// What changed in the listing since an earlier change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changes {
    /// Number of the last change. If nothing changed, the number of the last change before.
    pub until: u64,
    /// What changed, in the order of the changes. `None` if this is not known, so that everything
    /// may have changed.
    pub layers: Option<Vec<Listed>>,
}

/// An entry of the listing: the versions of a layer in a region, or the latest build of a package.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Listed {
    /// Target of the layer.
    pub target: Target,
    /// Package in the layer.
    pub package: PackageName,
    /// Region of the layer versions; `None` for the latest build.
    pub region: Option<Region>,
}

/// A publication that is about to be made, or that was under way when its process ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Intent {
    /// Region of the publication.
    pub region: Region,
    /// Name of the layer.
    pub layer: LayerName,
    /// The build to be published. It is recorded with the publication, so that whoever settles the
    /// publication later knows what was published even if a newer build has become the latest in
    /// the meantime.
    pub build: Build,
    /// The `now` of the run that publishes it.
    pub begun_at: Timestamp,
    /// When the publication was last known to be under way. `None` if an earlier release began it.
    pub attempted_at: Option<Timestamp>,
    /// Why the version that it made cannot be listed, if so.
    pub stuck: Option<String>,
}

/// A pointer to the latest version of a layer in a region that must be moved.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct OwedPointer {
    /// Region of the pointer.
    pub region: Region,
    /// Target of the layer.
    pub target: Target,
    /// The package, spelled as in the pointer's name.
    pub package: PackageName,
}

/// Sorts layer versions in the order that [`Catalog::layer_versions`] promises.
fn sort(versions: &mut [LayerVersion]) {
    versions.sort_by(|one, other| {
        let place = |version: &LayerVersion| {
            let older = version.status != Status::Latest;
            let newest_first = (Reverse(version.created_at), Reverse(version.arn.version()));
            (older, newest_first)
        };
        (one.build.target.cmp(&other.build.target))
            .then_with(|| one.build.package.cmp(&other.build.package))
            .then_with(|| one.region().cmp(other.region()))
            .then_with(|| place(one).cmp(&place(other)))
            .then_with(|| one.arn.cmp(&other.arn))
    });
}
