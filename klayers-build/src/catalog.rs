//! The catalog: which layers were built, which layer versions exist where, and what is under way.

use std::cmp::Reverse;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{
    Build, Digest, LayerName, LayerVersion, LayerVersionArn, PackageName, Region, Status, Target,
    Yank,
};

use crate::gate::GateReport;
use crate::report::RunReport;

mod adoption;
mod latest;
mod sqlite;

pub use adoption::{Adoption, AdoptionPlan, Clash};
pub use latest::{Obstacle, obstacle, successor};
pub use sqlite::SqliteCatalog;

/// Keeps the records of a collection.
///
/// A record never says what is not so: a publication is begun before its layer version is made and
/// completed after, and what was begun and not completed is settled before anything else is
/// published under that name in that region.
#[async_trait]
pub trait Catalog: std::fmt::Debug + Send + Sync {
    /// Records a build as the latest of its target and package.
    ///
    /// Builds that differ in nothing but the time are one build, of the time at which it was
    /// recorded first; recording it again after another makes it the latest again.
    async fn record_build(&self, build: &Build) -> Result<(), CatalogError>;

    /// Records what the gate said of a layer with this content, in the place of what it said
    /// before. That is done before the build is recorded, so that there is none without it.
    async fn record_gate(&self, content: Digest, report: &GateReport) -> Result<(), CatalogError>;

    /// What the gate said of the layer with this content; none if it was not asked, as of imported
    /// layers.
    async fn gate(&self, content: Digest) -> Result<Option<GateReport>, CatalogError>;

    /// The latest build of every package, of one target or of all, sorted by target and package.
    async fn latest_builds(&self, target: Option<Target>) -> Result<Vec<Build>, CatalogError>;

    /// The latest build of one package.
    async fn latest_build(
        &self,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<Build>, CatalogError>;

    /// The builds whose layers have this content, sorted by target and package.
    async fn builds_of(&self, content: Digest) -> Result<Vec<Build>, CatalogError>;

    /// When the newest layer version was published, be it deleted, or one was adopted, if that was
    /// later; none if none ever was.
    async fn newest(&self) -> Result<Option<Timestamp>, CatalogError>;

    /// The layer version with this ARN, be it deleted.
    async fn layer_version(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<LayerVersion>, CatalogError>;

    /// The layer versions that expired until `now` and are not deleted, sorted as those of
    /// [`layer_versions`](Self::layer_versions).
    async fn expired(&self, now: Timestamp) -> Result<Vec<LayerVersion>, CatalogError>;

    /// The builds of a target's layer versions that were withdrawn, be they deleted since; sorted by
    /// content.
    async fn yanked_builds(&self, target: Target) -> Result<Vec<Build>, CatalogError>;

    /// The layer versions that a query asks for, sorted by target, package and region; of each the
    /// latest first, then the others from the newest to the oldest.
    async fn layer_versions(&self, query: &Query) -> Result<Vec<LayerVersion>, CatalogError>;

    /// The targets that have a layer version which is not deleted, sorted.
    async fn targets(&self) -> Result<Vec<Target>, CatalogError>;

    /// The regions that have a layer version which is not deleted, sorted.
    async fn regions(&self) -> Result<Vec<Region>, CatalogError>;

    /// All that is listed: each layer in a region that has a version which is not deleted, and each
    /// latest build, in no order.
    async fn listed(&self) -> Result<Vec<Listed>, CatalogError>;

    /// What of what is listed changed after a change with this number; without one, how far the
    /// catalog has changed until now. Each layer in a region is told once, be there several changes.
    /// To ask costs little, and less than a change did.
    async fn changes(&self, since: Option<u64>) -> Result<Changes, CatalogError>;

    /// Writes down that a publication is about to be made. There is at most one under way for a
    /// layer in a region.
    ///
    /// # Errors
    ///
    /// [`CatalogError::UnderWay`] if one is, be it this one; [`CatalogError::UnknownBuild`] if its
    /// build is not recorded; [`CatalogError::Adopted`] if that was adopted.
    async fn begin(&self, publication: &Intent) -> Result<(), CatalogError>;

    /// Writes down that a publication is still under way at this time. For one that is not under way
    /// nothing changes.
    async fn attempted(&self, publication: &Intent, at: Timestamp) -> Result<(), CatalogError>;

    /// Writes down why the version that a publication made cannot be listed. The publication stays
    /// under way. For one that is not under way nothing changes.
    async fn mark_stuck(&self, publication: &Intent, reason: &str) -> Result<(), CatalogError>;

    /// The publications that were begun and neither completed nor abandoned, sorted by region and
    /// layer.
    async fn under_way(&self) -> Result<Vec<Intent>, CatalogError>;

    /// Writes down, at once, that a publication was made: `version` is the latest of its package
    /// for its target in its region, whatever its status says; the one that was becomes deprecated
    /// and expires at `predecessor_expires_at`; and the publication of that build under that name
    /// is no longer under way.
    ///
    /// The layer's name does not count: a package whose layers are named otherwise from now on, or
    /// belong to another account, still has one latest. A version that is recorded already stays as
    /// it is, so completing twice is completing once.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Conflict`] if its ARN is recorded with other content;
    /// [`CatalogError::UnknownBuild`] if its build is not recorded.
    async fn complete(
        &self,
        version: &LayerVersion,
        predecessor_expires_at: Timestamp,
    ) -> Result<(), CatalogError>;

    /// Writes down, at once, that a publication was made whose version is not to be the latest:
    /// `version` is recorded with its status, withdrawn or not, the latest stays what it is, and the
    /// publication of that build under that name is no longer under way. A version that is recorded
    /// already stays as it is.
    ///
    /// # Errors
    ///
    /// As [`complete`](Self::complete), and [`CatalogError::NotRetired`] if its status says that it
    /// is the latest, or deleted.
    async fn complete_retired(&self, version: &LayerVersion) -> Result<(), CatalogError>;

    /// Writes down that a publication under way was not made and will not be. One that is not under
    /// way counts as abandoned.
    async fn abandon(&self, publication: &Intent) -> Result<(), CatalogError>;

    /// Writes down that a layer version is about to be deleted: from now on it is listed as
    /// deleted, and its deletion is under way until [`end_deletion`](Self::end_deletion). So the
    /// catalog never lists what is gone. For one that is recorded as deleted already nothing
    /// changes.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotDeletable`] if it is the latest of its layer, or not there.
    async fn begin_deletion(
        &self,
        arn: &LayerVersionArn,
        at: Timestamp,
    ) -> Result<(), CatalogError>;

    /// The layer versions whose deletion was begun and has not ended, sorted.
    async fn deletions_under_way(&self) -> Result<Vec<LayerVersionArn>, CatalogError>;

    /// Writes down that a layer version is gone. A deletion that is not under way counts as ended.
    async fn end_deletion(&self, arn: &LayerVersionArn) -> Result<(), CatalogError>;

    /// Writes down that a layer version turned out to be gone, which nobody here deleted. If it was
    /// the latest, its [`successor`] takes its place. Returns what is the latest then. For one that is
    /// recorded as deleted already nothing changes.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Unknown`] if it is not recorded.
    async fn record_loss(
        &self,
        arn: &LayerVersionArn,
        at: Timestamp,
    ) -> Result<Option<LayerVersion>, CatalogError>;

    /// Withdraws a layer version, at once: if it is the latest it becomes deprecated and expires at
    /// `expires_at`, and its [`successor`] is the latest again. One that is withdrawn already stays as
    /// it is. Returns what is the latest then.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotYankable`] if it is deleted, or not there.
    async fn yank(
        &self,
        arn: &LayerVersionArn,
        yank: &Yank,
        expires_at: Timestamp,
    ) -> Result<Option<LayerVersion>, CatalogError>;

    /// Writes down that the pointer to the latest of a layer in a region is to be moved. Owing twice
    /// is owing once.
    async fn owe_pointer(&self, pointer: &OwedPointer) -> Result<(), CatalogError>;

    /// The pointers that are to be moved, sorted.
    async fn owed_pointers(&self) -> Result<Vec<OwedPointer>, CatalogError>;

    /// Writes down that a pointer was moved, and is owed no more.
    async fn pointer_moved(&self, pointer: &OwedPointer) -> Result<(), CatalogError>;

    /// Takes over what another collection recorded of a package for a target, at once: what
    /// [`AdoptionPlan`] makes of it and of what is recorded here, which is what this returns.
    /// Adopting twice is adopting once.
    async fn adopt(&self, adoption: &Adoption) -> Result<AdoptionPlan, CatalogError>;

    /// Keeps the report of a run, under a number higher than all before.
    async fn record_run(&self, report: &RunReport) -> Result<u64, CatalogError>;

    /// The reports of the last runs with their numbers, the newest first.
    async fn runs(&self, at_most: usize) -> Result<Vec<(u64, RunReport)>, CatalogError>;

    /// The report of the run with this number.
    async fn run(&self, number: u64) -> Result<Option<RunReport>, CatalogError>;

    /// Who works on the collection, or did last and did not say that it ended.
    async fn lease(&self) -> Result<Option<Lease>, CatalogError>;

    /// Takes, renews or gives back the lease, if it still is what is expected; says whether it was.
    async fn replace_lease(
        &self,
        expected: Option<&Lease>,
        with: Option<&Lease>,
    ) -> Result<bool, CatalogError>;
}

/// The right to work on a collection, for a time: so that of two runs one waits for the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// The name of the machine that has it.
    pub host: String,
    /// The number of the process there.
    pub process: u32,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

/// Which layer versions are asked for; what is not said is not restricted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// Of this target.
    pub target: Option<Target>,
    /// In this region.
    pub region: Option<Region>,
    /// Of this package.
    pub package: Option<PackageName>,
    /// How far back.
    pub include: Include,
}

/// How far back a [`Query`] goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Include {
    /// The latest of each layer and region.
    #[default]
    Latest,
    /// All that are not deleted.
    Existing,
    /// All, the deleted ones too.
    All,
}

/// What of what is listed changed since another time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changes {
    /// The number of the last of them, or of the last before if there are none.
    pub until: u64,
    /// What changed, in the order of the changes; none if that is not known, so that all may have.
    pub layers: Option<Vec<Listed>>,
}

/// Something that is listed: the versions of a layer in a region, or the latest build of a package.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Listed {
    /// The target.
    pub target: Target,
    /// The package.
    pub package: PackageName,
    /// The region of the layer versions; none for the latest build.
    pub region: Option<Region>,
}

/// A publication that is about to be made, or was when the process ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Intent {
    /// Where.
    pub region: Region,
    /// Under which name.
    pub layer: LayerName,
    /// What is published. Recorded with it, so that whoever settles the publication later knows
    /// what it was, even when a newer build has become the latest in the meantime.
    pub build: Build,
    /// The `now` of the run that publishes it.
    pub begun_at: Timestamp,
    /// When the publication was last under way. Not known of one that an earlier release began.
    pub attempted_at: Option<Timestamp>,
    /// Why the version that it made cannot be listed, if that is so.
    pub stuck: Option<String>,
}

/// The pointer to the latest version of a layer in a region, which is to be moved.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct OwedPointer {
    /// The region.
    pub region: Region,
    /// The target.
    pub target: Target,
    /// The package, as the pointer's name has it.
    pub package: PackageName,
}

/// Brings layer versions into the order that [`Catalog::layer_versions`] promises.
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

/// What can go wrong with a catalog.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The catalog cannot be opened.
    #[error("could not open the catalog {location}")]
    Open {
        /// Where it is.
        location: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is nothing in the file, not even the tables of a catalog without records.
    #[error(
        "the catalog {location} is empty, and no command leaves it so\n\
         help: if it was emptied, restore it from a backup, as docs/operating.md says\n\
         help: if nothing was ever published, delete the file, and the next run makes a catalog"
    )]
    Empty {
        /// Where it is.
        location: String,
    },
    /// The file is something else, or of another release.
    #[error("{location} is not a catalog that this release reads: {reason}")]
    Foreign {
        /// Where it is.
        location: String,
        /// What it is instead.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("the catalog could not be read or written")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored value is not what it should be.
    #[error("the catalog holds a record that cannot be read")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A publication of the layer is under way already.
    #[error("a publication of {layer} in {region} is already under way; it must be settled first")]
    UnderWay {
        /// The region.
        region: Region,
        /// The layer.
        layer: LayerName,
    },
    /// A publication or a layer version refers to a build that is not recorded.
    #[error("no build with content {0} is recorded")]
    UnknownBuild(Digest),
    /// A build that was adopted cannot be published.
    #[error(
        "the layer of {package} for {target} was adopted from another collection, so its zip is \
         not here and it cannot be published; a run with --force-build builds it"
    )]
    Adopted {
        /// The target.
        target: Target,
        /// The package.
        package: PackageName,
    },
    /// The ARN is that of another layer version.
    #[error("{0} is already recorded, with other content")]
    Conflict(LayerVersionArn),
    /// A layer version is not recorded.
    #[error("{0} is not recorded")]
    Unknown(LayerVersionArn),
    /// A layer version was to be recorded as deprecated, and is not.
    #[error(
        "{0} is to be recorded beside the latest, but its status is not that of a deprecated one"
    )]
    NotRetired(LayerVersionArn),
    /// A layer version cannot be withdrawn.
    #[error("{0} is not recorded as a layer version that exists, so it cannot be withdrawn")]
    NotYankable(LayerVersionArn),
    /// A layer version cannot be recorded as deleted.
    #[error(
        "{0} is not recorded as a deprecated layer version, so it cannot be recorded as deleted"
    )]
    NotDeletable(LayerVersionArn),
}
