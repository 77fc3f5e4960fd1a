//! What a run did, in numbers and names: kept in the catalog, printed, and sent to who wants to
//! know.

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
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// Whether it was the run of a month.
    pub scheduled: bool,
    /// Whether it worked on the whole collection, and not on a part that was selected.
    pub whole: bool,
    /// On how many layers it worked.
    pub layers: usize,
    /// How many of them had nothing to be done.
    pub unchanged: usize,
    /// How many of them failed, be it in one region.
    pub failed: usize,
    /// Those that were built.
    pub built: Vec<BuiltLayer>,
    /// How many layer versions were published, by region.
    pub published: BTreeMap<Region, usize>,
    /// Publications that an earlier run had left under way and this one completed.
    pub completed: Vec<LayerVersionArn>,
    /// Files of the cache that had changed and were made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<ReplacedFile>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// What is worth a look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RunWarning>,
}

/// Something that is worth a look, and no failure.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunWarning {
    /// What it is, in one line.
    pub text: String,
    /// The layers that it concerns, each as its target and package: `p3.12 requests`.
    pub layers: Vec<String>,
}

/// A layer that a run built.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltLayer {
    /// The target.
    pub target: Target,
    /// The package or bundle.
    pub package: PackageName,
    /// Its version.
    pub version: PackageVersion,
    /// Why it was built.
    pub reason: BuildReason,
    /// The size of the zip, in bytes.
    pub code_size: u64,
    /// How long resolving and building took, in milliseconds.
    pub milliseconds: u64,
}

/// Why a layer has to be built.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildReason {
    /// It never was, here.
    New,
    /// What it would hold is not what the latest build holds.
    Changed,
    /// It was asked for.
    Forced,
}

/// Something that a run could not do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The target of the layer; none if it concerns a whole region, or the whole run.
    pub target: Option<Target>,
    /// The package or bundle; none if it concerns a whole region, or the whole run.
    pub package: Option<PackageName>,
    /// The region; none if the layer could not be built, so that it concerns all of them.
    pub region: Option<Region>,
    /// Why, with the causes, in one line.
    pub reason: String,
    /// What people are told, in few lines. Reports of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// How many layers it kept from being done; of a region that was closed, all those that were to
    /// be published there.
    pub layers: usize,
}

impl RunReport {
    /// The report of a run that begins: of the whole collection, and not the run of a month.
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

    /// Whether all was done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }

    /// Writes down that the run was told to end. What was under way then is not in the report.
    pub fn add_interruption(&mut self) {
        self.failures.push(Failure::of_run("it was interrupted".to_owned()));
    }

    /// Writes down how long the run took.
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

    /// Whether a whole region failed.
    pub fn is_of_region(&self, region: &Region) -> bool {
        self.region.as_ref() == Some(region) && self.package.is_none()
    }

    /// Of a pointer that is owed.
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
