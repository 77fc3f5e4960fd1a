use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use klayers_catalog::CatalogError;
use klayers_core::{Digest, LayerName, LayerVersionArn, Region, Timestamp};

use crate::plan::YankTarget;

/// Why layer versions are not deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpiryError {
    /// The clock is behind the newest layer version.
    #[error(
        "the clock says {now}, but a layer version was recorded at {newest}; nothing was deleted: \
         set the clock, or pass --trust-clock if it is right"
    )]
    ClockBehind {
        /// Time of the clock.
        now: Timestamp,
        /// When the newest layer version was published.
        newest: Timestamp,
    },
    /// The clock is far ahead of the newest layer version.
    #[error(
        "the clock says {now}, but nothing was recorded since {newest}; nothing was deleted, \
         because the clock may be ahead: pass --trust-clock if it is right"
    )]
    ClockAhead {
        /// Time of the clock.
        now: Timestamp,
        /// When the newest layer version was published.
        newest: Timestamp,
    },
    /// A layer version is the latest of its layer.
    #[error("{0} is the latest of its layer, which is never deleted")]
    Latest(Box<LayerVersionArn>),
    /// The pointer to the latest version still names this layer version.
    #[error(
        "the pointer to the latest version still names {0}, so it was not deleted; the next run \
         or `klayers-pipeline reconcile --repair` moves the pointer"
    )]
    Pointed(Box<LayerVersionArn>),
    /// The content of a layer version differs from the record.
    #[error(
        "{arn} is recorded with the SHA-256 {recorded}, but has {actual}; it was not deleted: \
         check it and delete it by hand"
    )]
    OtherContent {
        /// The layer version.
        arn: Box<LayerVersionArn>,
        /// The recorded digest.
        recorded: Digest,
        /// The actual digest.
        actual: Digest,
    },
}

/// Why nothing was repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// Most recorded versions do not exist or have different content.
    #[error(
        "{missing} of {recorded} recorded layer versions do not exist as recorded; \
         nothing was repaired, because the catalog may belong to another collection: check the \
         differences without --repair, and pass --sure if it is the right one"
    )]
    MostIsMissing {
        /// Number of versions that do not exist as recorded.
        missing: usize,
        /// Number of versions that are recorded as existing.
        recorded: usize,
    },
    /// The answers about a layer version contradict each other.
    #[error(
        "the answers about {0} contradict each other, so it counts as not compared; reconcile \
         again later"
    )]
    Contradiction(Box<LayerVersionArn>),
    /// There are more unrecorded versions than recorded ones.
    #[error(
        "{unrecorded} layer versions might be deleted, but only {recorded} are recorded; nothing \
         was repaired, because the catalog may belong to another collection: check the differences \
         without --repair, and pass --sure if it is the right one"
    )]
    LittleIsRecorded {
        /// Number of versions that are not recorded, or recorded as deleted.
        unrecorded: usize,
        /// Number of versions that are recorded as existing.
        recorded: usize,
    },
}

/// Why a run cannot begin or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunLockError {
    /// Another run is under way on this machine.
    #[error("another run is working on the catalog {}; wait until it ends", catalog.display())]
    Locked {
        /// The catalog.
        catalog: PathBuf,
    },
    /// Another run is under way on another machine, or ended without giving back its lease.
    #[error(
        "another run is working on the collection: process {process} on {host}, with a lease until \
         {until}, which it may renew; wait until it ends"
    )]
    LeaseHeld {
        /// Host name of the holder.
        host: String,
        /// Process ID of the holder.
        process: u32,
        /// End of its lease, unless it is renewed.
        until: Timestamp,
    },
    /// Another run has taken over although this one had not ended.
    #[error(
        "this run was stopped: it did not renew its lease in time, and process {process} on {host} \
         is working on the collection now"
    )]
    LeaseLost {
        /// Host name of the other run.
        host: String,
        /// Process ID of the other run.
        process: u32,
    },
    /// The lease was removed from the catalog.
    #[error("this run was stopped: its lease is no longer in the catalog")]
    LeaseRemoved,
    /// The lease could not be renewed in time.
    #[error("this run was stopped: could not renew its lease until {until}")]
    LeaseNotRenewed {
        /// End of the lease.
        until: Timestamp,
        /// Why it could not be renewed.
        source: Box<CatalogError>,
    },
    /// The lock file cannot be opened.
    #[error("could not lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why it cannot be opened.
        source: std::io::Error,
    },
}

/// Layers of the collection exist in regions for which the catalog has no records.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct UnrecordedLayersError {
    /// The layers that were found, by region.
    pub found: BTreeMap<Region, BTreeSet<LayerName>>,
}

impl fmt::Display for UnrecordedLayersError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((region, layers)) = self.found.iter().next() else { return Ok(()) };
        let others = |count: usize, one: &str, more: &str| match count {
            0 => String::new(),
            1 => format!(" and {one}"),
            _ => format!(" and {count} {more}"),
        };
        let layer = layers.first().map(LayerName::as_str).unwrap_or_default();
        let more_layers = others(layers.len().saturating_sub(1), "another", "others");
        let more_regions = others(self.found.len() - 1, "another region", "other regions");
        write!(
            formatter,
            "{layer}{more_layers} exist in {region}{more_regions}, but the catalog has no records \
             there; nothing was published\n\
             help: if the catalog was lost, restore it from a backup, as docs/operating.md says, \
             or take the records over with `klayers-pipeline adopt`\n\
             help: `klayers-pipeline reconcile` lists what exists\n\
             help: to publish further versions of these layers anyway, pass --new-collection"
        )
    }
}

/// Why nothing was withdrawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum YankError {
    /// No existing layer version matches.
    #[error(
        "no existing layer version among those selected matches {0}; nothing was withdrawn: check \
         the list of the package's versions"
    )]
    NotFound(Box<YankTarget>),
}
