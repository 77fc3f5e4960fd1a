//! Withdrawing layer versions that nobody should begin to use.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use klayers_core::{
    ExpiryPolicy, LayerVersion, LayerVersionArn, ParseError, Pin, Region, Status, Yank,
};
use tracing::info;

use super::PARALLEL_REGIONS;
use super::pointers::{Pointers, moves_none, not_asked, pointer_of};
use crate::Error;
use crate::catalog::{Catalog, Include, Query};
use crate::failpoint;
use crate::plan::Selection;
use crate::publish::Publisher;

/// What is to be withdrawn: `arn:aws:lambda:…:layer:Klayers-p312-requests:7`, or
/// `requests==2.32.4` for all layer versions of that package and version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum YankTarget {
    /// One layer version.
    Version(LayerVersionArn),
    /// The layers of a package, or a bundle, with one version of it.
    Release(Pin),
}

impl FromStr for YankTarget {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.starts_with("arn:") {
            return Ok(Self::Version(text.parse()?));
        }
        text.parse().map(Self::Release).map_err(|_| {
            ParseError::new(
                text,
                "something to withdraw",
                "the ARN of a layer version or name==version expected, as in requests==2.32.4",
            )
        })
    }
}

impl fmt::Display for YankTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(arn) => arn.fmt(formatter),
            Self::Release(pin) => pin.fmt(formatter),
        }
    }
}

/// The layer versions that are to be withdrawn, sorted by region, from the oldest to the newest: so
/// none of them becomes the latest in between. Those that were withdrawn already are among them.
///
/// # Errors
///
/// [`YankError::NotFound`] if something names no layer version that exists, so that nothing is
/// withdrawn where a part of it was a mistake; or if the catalog cannot be read.
pub async fn find_yanked(
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

/// Withdraws layer versions: each is deprecated at once, and the newest of the others that exist
/// and were not withdrawn is the latest again. What was withdrawn is not published again, until it
/// changes or that is asked for.
///
/// It is not deleted: functions that have it go on, and it expires as if it had been superseded.
#[derive(Clone, Debug)]
pub struct Yanker {
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// Keeps the pointers to latest versions.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
}

/// What became of a layer version that was withdrawn.
#[derive(Debug)]
pub struct Yanked {
    /// What is the latest of its layer in its region now; none if there is nothing left.
    pub latest: Option<LayerVersionArn>,
    /// Whether the pointer to the latest was moved. If not, withdrawing again or the next run moves
    /// it.
    pub pointed: Result<(), Error>,
}

impl Yanker {
    /// Withdraws layer versions in their order, the regions side by side. One that was withdrawn
    /// already stays as it is, and its pointer is moved again.
    pub async fn yank(
        &self,
        versions: &[LayerVersion],
        reason: &str,
        now: Timestamp,
    ) -> BTreeMap<LayerVersionArn, Result<Yanked, Error>> {
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
                    // A region that moves no pointer is asked once.
                    if let Ok(Yanked { pointed: Err(error), .. }) = &outcome {
                        closed = closed.or_else(|| moves_none(error));
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

    /// Withdraws one version. Its pointer is not moved in a region that is closed for a reason.
    async fn yank_one(
        &self,
        version: &LayerVersion,
        yank: &Yank,
        closed: Option<&str>,
    ) -> Result<Yanked, Error> {
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
            None => pointers.pay(&owed).await,
            Some(reason) => Err(not_asked(arn.region(), reason)),
        };
        failpoint::reach("pointer moved");
        Ok(Yanked { latest, pointed })
    }
}

/// Why nothing is withdrawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum YankError {
    /// There is no such layer version.
    #[error(
        "{0} is no layer version that exists, among those selected; nothing was withdrawn: see the \
         list of the package's versions"
    )]
    NotFound(Box<YankTarget>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_withdrawn_is_named_by_an_arn_or_by_a_version() {
        let arn = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-requests:7";
        for text in [arn, "requests==2.32.4"] {
            let parsed: YankTarget = text.parse().expect(text);
            assert_eq!(parsed.to_string(), text);
        }
        for text in ["requests", "requests>=2", "arn:aws:lambda:eu-west-1", "==1", ""] {
            text.parse::<YankTarget>().expect_err(text);
        }
    }
}
