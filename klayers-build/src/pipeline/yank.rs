//! Withdraws layer versions that nobody should start to use.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use klayers_core::{ExpiryPolicy, LayerVersion, LayerVersionArn, Region, Status, Yank};
use tracing::info;

use super::PARALLEL_REGIONS;
use super::pointers::{Pointers, not_tried, pointer_of, region_failure};
use crate::Error;
use crate::error::YankError;
use crate::plan::{Selection, YankTarget};
use klayers_catalog::failpoint;
use klayers_catalog::{Catalog, Include, Query};
use klayers_publish::Publisher;

/// Returns the layer versions to withdraw, sorted by region and from oldest to newest, so that none
/// of them becomes the latest in between. Versions that are already withdrawn are included.
///
/// # Errors
///
/// [`YankError::NotFound`] if a target matches no existing layer version, so that nothing is
/// withdrawn if one of several targets was a mistake. Also if the catalog cannot be read.
pub async fn find_versions_to_yank(
    catalog: &dyn Catalog,
    what: &[YankTarget],
    selection: &Selection,
) -> Result<Vec<LayerVersion>, Error> {
    let mut found: BTreeMap<LayerVersionArn, LayerVersion> = BTreeMap::new();
    for named in what {
        let mut versions = match named {
            YankTarget::Version(arn) => {
                catalog.layer_version(arn).await?.into_iter().collect::<Vec<_>>()
            }
            YankTarget::Release(pin) => {
                let query = Query {
                    package: Some(pin.name.clone()),
                    include: Include::Existing,
                    ..Query::default()
                };
                let mut versions = catalog.layer_versions(&query).await?;
                versions.retain(|version| version.build.version == pin.version);
                versions
            }
        };
        versions.retain(|version| {
            selection.includes(version) && !matches!(version.status, Status::Deleted { .. })
        });
        if versions.is_empty() {
            return Err(YankError::NotFound(Box::new(named.clone())).into());
        }
        found.extend(versions.into_iter().map(|version| (version.arn.clone(), version)));
    }
    let mut versions: Vec<LayerVersion> = found.into_values().collect();
    versions.sort_by(|one, other| {
        let key = |version: &LayerVersion| (version.created_at, version.arn.version());
        (one.region(), key(one), &one.arn).cmp(&(other.region(), key(other), &other.arn))
    });
    Ok(versions)
}

/// Withdraws layer versions: each becomes deprecated at once, and the newest other version that
/// exists and was not withdrawn becomes the latest again. Withdrawn content is not published again
/// until it changes or publishing is forced.
///
/// The versions are not deleted: functions that use them continue to work, and they expire like
/// superseded versions.
#[derive(Clone, Debug)]
pub struct Yanker {
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// Keeps the pointers to latest versions.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
}

/// The outcome for a layer version that was withdrawn.
#[derive(Debug)]
pub struct YankOutcome {
    /// The latest version of its layer in its region now; `None` if there is none.
    pub latest: Option<LayerVersionArn>,
    /// Whether the pointer to the latest was moved. If not, withdrawing again or the next run moves
    /// it.
    pub pointed: Result<(), Error>,
}

impl Yanker {
    /// Withdraws layer versions in order, the regions concurrently. A version that is already
    /// withdrawn stays as it is, and its pointer is moved again.
    pub async fn yank(
        &self,
        versions: &[LayerVersion],
        reason: &str,
        now: Timestamp,
    ) -> BTreeMap<LayerVersionArn, Result<YankOutcome, Error>> {
        let yank = &Yank { reason: reason.to_owned(), at: now };
        let mut by_region: BTreeMap<&Region, Vec<&LayerVersion>> = BTreeMap::new();
        for version in versions {
            by_region.entry(version.region()).or_default().push(version);
        }
        let outcomes: Vec<Vec<_>> = stream::iter(by_region.into_values())
            .map(|versions| async move {
                let mut outcomes = Vec::new();
                let mut closed: Option<String> = None;
                for version in versions {
                    let outcome = self.yank_one(version, yank, closed.as_deref()).await;
                    // After a region has failed to move one pointer, do not try its others.
                    if let Ok(YankOutcome { pointed: Err(error), .. }) = &outcome {
                        closed = closed.or_else(|| region_failure(error));
                    }
                    outcomes.push((version.arn.clone(), outcome));
                }
                outcomes
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        outcomes.into_iter().flatten().collect()
    }

    /// Withdraws one version. Does not move its pointer if the region is closed for a reason.
    async fn yank_one(
        &self,
        version: &LayerVersion,
        yank: &Yank,
        closed: Option<&str>,
    ) -> Result<YankOutcome, Error> {
        let LayerVersion { arn, build, .. } = version;
        let expires_at = self.expiry.expires_at(&build.package, yank.at);
        let pointers = Pointers { catalog: &*self.catalog, publisher: &*self.publisher };
        let owed = pointer_of(build, arn.region());
        failpoint::reach("withdrawal intended");
        pointers.owe(&owed).await?;
        let latest = self.catalog.yank(arn, yank, expires_at).await?.map(|latest| latest.arn);
        failpoint::reach("withdrawal recorded");
        info!(target = %build.target, package = %build.package, region = %arn.region(), %arn,
            "withdrawn");
        let pointed = match closed {
            None => pointers.move_to_latest(&owed).await,
            Some(reason) => Err(not_tried(arn.region(), reason)),
        };
        failpoint::reach("pointer moved");
        Ok(YankOutcome { latest, pointed })
    }
}
