//! The report of a run: stored in the catalog, printed, and sent as a notification.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use klayers_core::{LayerVersionArn, PackageName, PackageVersion, Region, Target};
use serde::{Deserialize, Serialize};

use klayers_wheel::cached::ReplacedFile;

use crate::OwedPointer;
use crate::message::Message;

mod failures;
mod month;
mod summary;

pub use failures::FailureGroup;
pub use month::due_build;
pub use summary::{Summary, Took};

/// What a run did.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// When it began, in UTC.
    pub begun_at: Timestamp,
    /// Duration in milliseconds.
    pub milliseconds: u64,
    /// Whether it was a scheduled monthly run.
    pub scheduled: bool,
    /// Whether it covered the whole collection rather than a selection.
    pub whole: bool,
    /// Number of layers it worked on.
    pub layers: usize,
    /// Number of layers for which nothing had to be done.
    pub unchanged: usize,
    /// Number of layers that failed, even if only in one region.
    pub failed: usize,
    /// Layers that were built.
    pub built: Vec<BuiltLayer>,
    /// Number of published layer versions by region.
    pub published: BTreeMap<Region, usize>,
    /// Publications that an earlier run left under way and this one completed.
    pub completed: Vec<LayerVersionArn>,
    /// Cached files that had changed and were created again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<ReplacedFile>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// Things the operator should check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RunWarning>,
}

/// Something the operator should check that is no failure.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunWarning {
    /// The warning, in one line.
    pub text: String,
    /// The affected layers, each as target and package: `p3.12 requests`.
    pub layers: Vec<String>,
}

/// A layer that a run built.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltLayer {
    /// Target of the layer.
    pub target: Target,
    /// Package or bundle in the layer.
    pub package: PackageName,
    /// Version of the layer's content.
    pub version: PackageVersion,
    /// Why it was built.
    pub reason: BuildReason,
    /// Size of the zip in bytes.
    pub code_size: u64,
    /// Time spent on resolving and building, in milliseconds.
    pub milliseconds: u64,
}

/// Why a layer has to be built.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildReason {
    /// It was never built here.
    New,
    /// Its content would differ from the latest build.
    Changed,
    /// The build was forced.
    Forced,
}

/// Something that a run could not do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Target of the layer; `None` if the failure concerns a whole region or the whole run.
    pub target: Option<Target>,
    /// Package or bundle; `None` if the failure concerns a whole region or the whole run.
    pub package: Option<PackageName>,
    /// The region; `None` if the layer could not be built, which concerns all regions.
    pub region: Option<Region>,
    /// The reason with its causes, in one line.
    pub reason: String,
    /// The message for people, in few lines. Reports of earlier releases have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// Number of layers that were not done because of it. For a closed region, all layers that were
    /// to be published there.
    pub layers: usize,
}

impl RunReport {
    /// Begins the report of a run of the whole collection that is not the monthly run.
    pub fn begin(begun_at: Timestamp) -> Self {
        Self {
            begun_at,
            milliseconds: 0,
            scheduled: false,
            whole: true,
            layers: 0,
            unchanged: 0,
            failed: 0,
            built: Vec::new(),
            published: BTreeMap::new(),
            completed: Vec::new(),
            replaced: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }

    /// Records that the run was interrupted. Work under way at that time is not in the report.
    pub fn add_interruption(&mut self) {
        self.failures.push(Failure::of_run("it was interrupted".to_owned()));
    }

    /// Records the duration of the run.
    pub fn end(&mut self, took: Duration) {
        self.milliseconds = milliseconds(took);
    }

    /// Adds a layer to those that were not published in a region that was closed for this reason.
    pub fn close(&mut self, region: &Region, reason: String) {
        let known = self.failures.iter_mut().find(|failure| failure.is_of_region(region));
        match known {
            Some(failure) => failure.layers += 1,
            None => {
                self.failures.push(Failure { layers: 1, ..Failure::of_region(region, reason) });
            }
        }
    }
}

impl Failure {
    /// A failure of the whole run.
    pub fn of_run(reason: String) -> Self {
        Self { target: None, package: None, region: None, reason, message: None, layers: 0 }
    }

    /// A failure of a whole region.
    pub fn of_region(region: &Region, reason: String) -> Self {
        Self { region: Some(region.clone()), ..Self::of_run(reason) }
    }

    /// Returns whether a whole region failed.
    pub fn is_of_region(&self, region: &Region) -> bool {
        self.region.as_ref() == Some(region) && self.package.is_none()
    }

    /// The failure of a pointer that is owed.
    pub fn of_pointer(pointer: &OwedPointer, reason: &str) -> Self {
        let OwedPointer { region, target, package } = pointer.clone();
        let (target, package, region) = (Some(target), Some(package), Some(region));
        Self { target, package, region, layers: 1, ..Self::of_run(reason.to_owned()) }
    }
}

/// A duration in whole milliseconds.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
