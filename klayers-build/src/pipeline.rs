//! The pipeline: composes the stages, from a collection's config to layer versions in its catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use klayers_core::{Build, ExpiryPolicy, LayerName, LayerVersionArn, Region};

use crate::Error;
use crate::artifacts::Artifacts;
use crate::builder::Builder;
use crate::catalog::{Catalog, OwedPointer};
use crate::error::in_one_line;
use crate::gate::GateReport;
use crate::plan::{BuildReason, BuildStep, Caution, Force, LayerPlan, PublishReason, Wanted};
use crate::publish::Publisher;

mod completion;
mod expiry;
mod importer;
mod lane;
mod looks;
mod planner;
mod pointers;
mod preparation;
mod publication;
mod reconcile;
mod run_lock;
mod settling;
mod stop;
mod store;
mod unrecorded;
mod yank;

pub use expiry::{Expirer, ExpiryError, ExpiryPlan, ExpiryScope, RegionExpiry};
pub use importer::{Imported, Importer, LayerImport};
pub use planner::{Planned, Planner, Records};
pub use preparation::SettledLate;
pub use reconcile::{
    Difference, DifferenceKind, Forsaken, ReconcileError, Reconciled, Reconciler,
    RegionReconciliation, Remedy, Repairs,
};
pub use run_lock::{Holder, LeaseReturn, LeaseTerms, RunLease, RunLock, RunLockError};
pub use stop::Stop;
pub use unrecorded::UnrecordedLayersError;
pub use yank::{YankError, YankTarget, Yanked, Yanker, find_yanked};

use completion::{Completed, Completion};
use lane::Lanes;
use preparation::Preparation;
use publication::Publishing;
use settling::Settled;

/// How many layers are resolved and built at once.
const PARALLEL_LAYERS: usize = 4;
/// How many layers are built and not yet published everywhere, at most. It is high, so that one slow
/// region holds up no other; what waits are records, not zips.
const LAYERS_UNDER_WAY: usize = 256;
/// In how many regions work goes on at once.
const PARALLEL_REGIONS: usize = 64;

/// All that a run works with.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Plans.
    pub planner: Planner,
    /// Builds.
    pub builder: Builder,
    /// Keeps the zips and locks.
    pub artifacts: Arc<dyn Artifacts>,
    /// Publishes.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
    /// Whether everybody may use what is published.
    pub public: bool,
    /// How long publishing one layer in one region may take.
    pub deadline: Duration,
    /// Whether layers may be published although layers of their names exist in regions of which the
    /// catalog has no records.
    pub new_collection: bool,
    /// Tells the time at which a publication is under way, which the next run needs if this one is
    /// killed. All else is dated by the `now` of the run.
    pub clock: fn() -> Timestamp,
    /// Ends a run early.
    pub stop: Stop,
}

/// A run under way.
#[derive(Debug)]
pub struct Run<'a> {
    pipeline: &'a Pipeline,
    lanes: Lanes,
    regions: &'a [Region],
    now: Timestamp,
    /// Publications that an earlier run had left under way and that turned out to have been made.
    pub completed: Vec<LayerVersionArn>,
    /// The regions in which that, or what exists there, could not be found out. Nothing else is
    /// published there.
    pub unsettled: BTreeMap<Region, Error>,
    /// Pointers that an earlier run could not move, nor this one, and why.
    pub unmoved: BTreeMap<OwedPointer, String>,
    /// The regions that were not ready when the run began.
    late: Mutex<Option<Preparation<'a>>>,
    settled_late: Mutex<SettledLate>,
}

/// What became of a layer in a run.
#[derive(Debug)]
pub struct LayerOutcome {
    /// The layer.
    pub wanted: Wanted,
    /// How long planning and building took.
    pub build_time: Duration,
    /// What was done, or why nothing could be.
    pub result: Result<LayerDone, Error>,
}

impl LayerOutcome {
    /// Whether a part of it failed.
    pub fn has_failed(&self) -> bool {
        match &self.result {
            Ok(done) => !done.unmoved.is_empty() || done.published.values().any(Result::is_err),
            Err(_) => true,
        }
    }
}

/// What was done for a layer.
#[derive(Debug)]
pub struct LayerDone {
    /// The build that is the latest now.
    pub build: Build,
    /// Why it was built, if it was.
    pub built: Option<BuildReason>,
    /// What the gate said of it, if it was built.
    pub report: Option<GateReport>,
    /// Where it was published, or why it could not be.
    pub published: BTreeMap<Region, Result<LayerVersionArn, Error>>,
    /// Where it was published, and the pointer to it could not be moved. The next run moves it.
    pub unmoved: BTreeMap<Region, Error>,
    /// Whether it was not published somewhere, since what it would hold was withdrawn.
    pub withheld: bool,
    /// What is worth a look.
    pub cautions: Vec<Caution>,
}

impl Pipeline {
    fn catalog(&self) -> &dyn Catalog {
        &*self.planner.catalog
    }

    fn publishing(&self) -> Publishing<'_> {
        Publishing {
            completion: Completion {
                catalog: self.catalog(),
                publisher: &*self.publisher,
                expiry: &self.expiry,
                public: self.public,
            },
            artifacts: &*self.artifacts,
            clock: self.clock,
            stop: &self.stop,
        }
    }

    /// Begins a run: settles what an earlier one left under way in its regions, and asks what exists
    /// in regions of which the catalog has no records. Regions that take longer than the others for
    /// that get ready while [layers](Run::layers) are built and published elsewhere.
    ///
    /// `layers` are those of the whole collection. `now` is the time that is written down for all
    /// that the run does.
    ///
    /// # Errors
    ///
    /// [`UnrecordedLayersError`] if the catalog may have been lost; or if it cannot be read or
    /// written.
    pub async fn begin<'a>(
        &'a self,
        layers: &'a BTreeSet<LayerName>,
        regions: &'a [Region],
        now: Timestamp,
    ) -> Result<Run<'a>, Error> {
        let mut preparation = Preparation::begin(self, layers, regions, now).await?;
        let Settled { completed, stuck, failed, unmoved } = preparation.first().await?;
        let lanes = Lanes::new(regions, self.deadline, self.stop.clone());
        lanes.set_aside(&stuck);
        for (region, error) in &failed {
            lanes.close(region, error);
        }
        preparation.regions().for_each(|region| lanes.hold(region));
        Ok(Run {
            pipeline: self,
            lanes,
            regions,
            now,
            completed,
            unsettled: failed,
            unmoved: in_lines(unmoved),
            late: Mutex::new(Some(preparation)),
            settled_late: Mutex::default(),
        })
    }
}

impl Run<'_> {
    /// Does what has to be done for each of the layers, several at once. The outcomes come in the
    /// order of the layers; one that fails keeps no other from being done.
    ///
    /// If the run is asked to [stop](Pipeline::stop), what is being built is dropped and no further
    /// publication begins. Layers for which nothing was done have no outcome then.
    pub fn layers<'a>(
        &'a self,
        wanted: &'a [Wanted],
        force: Force,
    ) -> impl Stream<Item = LayerOutcome> + 'a {
        let records = Arc::new(self.pipeline.planner.records());
        let late = stream::once(self.prepare_late()).filter_map(|()| std::future::ready(None));
        let outcomes = stream::iter(wanted)
            .map(move |wanted| {
                let records = Arc::clone(&records);
                async move {
                    let begun = Instant::now();
                    let built = tokio::select! {
                        biased;
                        () = self.pipeline.stop.requested() => None,
                        built = self.build(&records, wanted, force) => Some(built),
                    };
                    (wanted, built, begun.elapsed())
                }
            })
            .buffered(PARALLEL_LAYERS)
            .map(move |(wanted, built, build_time)| async move {
                let result = match built? {
                    Ok(built) => Ok(self.publish(wanted, built).await?),
                    Err(error) => Err(error),
                };
                Some(LayerOutcome { wanted: wanted.clone(), build_time, result })
            })
            .buffered(LAYERS_UNDER_WAY)
            .filter_map(std::future::ready);
        stream::select(late, outcomes)
    }

    /// Opens the regions that were not ready when the run began, or closes them.
    async fn prepare_late(&self) {
        let late = lock(&self.late).take();
        let Some(mut preparation) = late else { return };
        loop {
            let next = tokio::select! {
                biased;
                () = self.pipeline.stop.requested() => None,
                next = preparation.next() => next,
            };
            let Some((region, ready)) = next else { break };
            let Settled { completed, stuck, failed, unmoved } = ready.unwrap_or_else(|error| {
                Settled { failed: BTreeMap::from([(region.clone(), error)]), ..Settled::default() }
            });
            self.lanes.set_aside(&stuck);
            let mut settled = lock(&self.settled_late);
            settled.completed.extend(completed);
            settled.unmoved.extend(in_lines(unmoved));
            for (region, error) in failed {
                self.lanes.close(&region, &error);
                settled.failed.insert(region, in_one_line(&error));
            }
            drop(settled);
            self.lanes.open(&region);
        }
        // After a stop nothing begins in them any more, and nobody waits for them.
        preparation.regions().for_each(|region| self.lanes.open(region));
    }

    /// What became of the regions that were not ready when the run began; complete once all
    /// [layers](Self::layers) are done.
    pub fn settled_late(&self) -> SettledLate {
        lock(&self.settled_late).clone()
    }

    /// The version with a build's content that was settled after the build was planned.
    async fn settled_meanwhile(
        &self,
        region: &Region,
        build: &Build,
    ) -> Result<Option<LayerVersionArn>, Error> {
        for arn in self.settled_late().completed {
            if arn.region() != region {
                continue;
            }
            let version = self.pipeline.catalog().layer_version(&arn).await?;
            let is_it = version.is_some_and(|version| {
                (version.build.target, &version.build.package) == (build.target, &build.package)
                    && version.build.content_digest() == build.content_digest()
            });
            if is_it {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }

    async fn build(
        &self,
        records: &Records<'_>,
        wanted: &Wanted,
        force: Force,
    ) -> Result<Built, Error> {
        let planner = &self.pipeline.planner;
        let Planned { plan, lock, latest, cautions, .. } =
            planner.plan_layer(records, wanted, self.regions, force).await?;
        let LayerPlan { build, mut publish, withheld, .. } = plan;
        let (build, reason, report) = match build {
            BuildStep::Reuse(build) => (*build, None, None),
            BuildStep::Build(reason) => {
                let (build, report) =
                    self.pipeline.build_and_store(wanted, &lock, self.now).await?;
                (build, Some(reason), Some(report))
            }
        };
        if reason == Some(BuildReason::Forced) {
            // The wheels are the same, but the builder may have made something else of them; and
            // what an adopted version holds is not known.
            for (region, there) in latest {
                if self.regions.contains(&region)
                    && there.content_digest() != build.content_digest()
                {
                    publish.insert(region, PublishReason::Changed);
                }
            }
        }
        let publish = publish.into_keys().collect();
        Ok(Built { build, reason, report, publish, withheld, cautions })
    }

    /// Publishes a layer where it has to be; none if the run was asked to stop before that began
    /// anywhere.
    async fn publish(&self, wanted: &Wanted, built: Built) -> Option<LayerDone> {
        let Built { build, reason, report, publish, withheld, cautions } = built;
        let publishing = self.pipeline.publishing();
        let is_wanted = !publish.is_empty();
        let outcomes: BTreeMap<_, _> = stream::iter(publish)
            .map(|region| async {
                let publication = async {
                    match self.settled_meanwhile(&region, &build).await? {
                        Some(arn) => Ok(Completed { arn, pointed: Ok(()) }),
                        None => publishing.publish(&region, &wanted.layer, &build, self.now).await,
                    }
                };
                let publisher = &*self.pipeline.publisher;
                let lane = self.lanes.publish(publisher, &region, &wanted.layer, publication);
                let outcome = lane.await;
                outcome.map(|outcome| (region, outcome))
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if is_wanted && outcomes.is_empty() {
            return None;
        }
        let (published, unmoved) = split(outcomes);
        Some(LayerDone { build, built: reason, report, published, unmoved, withheld, cautions })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_lines(errors: BTreeMap<OwedPointer, Error>) -> BTreeMap<OwedPointer, String> {
    errors.into_iter().map(|(which, error)| (which, in_one_line(&error))).collect()
}

/// Where a layer was published, and where its pointer could not be moved.
type Outcomes = (BTreeMap<Region, Result<LayerVersionArn, Error>>, BTreeMap<Region, Error>);

/// Tells what became of publications from what became of their pointers.
fn split(outcomes: BTreeMap<Region, Result<Completed, Error>>) -> Outcomes {
    let mut unmoved = BTreeMap::new();
    let published = outcomes.into_iter().map(|(region, outcome)| {
        let outcome = outcome.map(|Completed { arn, pointed }| {
            if let Err(error) = pointed {
                unmoved.insert(region.clone(), error);
            }
            arn
        });
        (region, outcome)
    });
    let published = published.collect();
    (published, unmoved)
}

/// A layer that is ready to be published.
struct Built {
    build: Build,
    reason: Option<BuildReason>,
    report: Option<GateReport>,
    publish: Vec<Region>,
    withheld: bool,
    cautions: Vec<Caution>,
}
