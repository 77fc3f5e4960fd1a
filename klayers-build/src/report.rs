//! What a run did, in numbers and names: kept in the catalog, printed, and sent to who wants to
//! know.

use std::collections::BTreeMap;

use jiff::Timestamp;
use klayers_core::{LayerVersionArn, PackageName, PackageVersion, Region, Target};
use serde::{Deserialize, Serialize};

use crate::cached::ReplacedFile;
use crate::message::Message;
use crate::plan::BuildReason;

mod failures;
mod month;
mod recording;
mod summary;

pub use failures::FailureGroup;
pub use month::due_build;
pub use summary::{Size, Summary, Took};

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
    /// Whether all was done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}
