//! Completes a publication: from a new layer version to a listed one.

use std::time::Duration;

use jiff::Timestamp;
use klayers_core::{Build, ExpiryPolicy, LayerVersion, LayerVersionArn, Status, Yank};
use tracing::info;

use super::pointers::{Pointers, pointer_of};
use crate::Error;
use klayers_catalog::failpoint;
use klayers_catalog::{Catalog, Include, Intent, Obstacle, Query, obstacle};
use klayers_core::terminal::error_chain;
use klayers_publish::{PublishError, PublishedVersion, Publisher, stated_digest};

/// What completing a publication requires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) publisher: &'a dyn Publisher,
    pub(super) expiry: &'a ExpiryPolicy,
    /// Whether published layer versions are made public.
    pub(super) public: bool,
}

/// A version that has become the latest.
#[derive(Debug)]
pub(super) struct CompletedVersion {
    pub(super) arn: LayerVersionArn,
    /// Whether the pointer to it was moved. If not, it is recorded as owed.
    pub(super) pointed: Result<(), Error>,
}

/// The outcome for a version that an earlier run created.
#[derive(Debug)]
pub(super) enum Settlement {
    /// It has become the latest.
    Completed(CompletedVersion),
    /// It was recorded as deprecated.
    Retired(LayerVersionArn, Obstacle),
}

impl Completion<'_> {
    /// Longest time until a requested version is listed; `None` if versions are listed before the
    /// call ends or never.
    pub(super) fn longest_publication(&self) -> Option<Duration> {
        Some(self.publisher.longest_publication()).filter(|time| !time.is_zero())
    }

    /// Returns the recorded versions of a publication's layer in its region.
    pub(super) async fn recorded(&self, intent: &Intent) -> Result<Vec<LayerVersion>, Error> {
        let Intent { region, build, .. } = intent;
        let query = Query {
            target: Some(build.target),
            region: Some(region.clone()),
            package: Some(build.package.clone()),
            include: Include::All,
        };
        Ok(self.catalog.layer_versions(&query).await?)
    }

    /// Finds the version this publication created: its description states our digest, its content
    /// matches, and it is not yet recorded.
    pub(super) async fn find(
        &self,
        intent: &Intent,
        recorded: &[LayerVersion],
    ) -> Result<Option<PublishedVersion>, Error> {
        let Intent { region, layer, build, .. } = intent;
        let Some(content) = build.content_digest() else { return Ok(None) };
        for listed in self.publisher.list(region, layer).await? {
            let is_it = stated_digest(&listed.description) == Some(content)
                && recorded.iter().all(|version| version.arn != listed.arn);
            if !is_it {
                continue;
            }
            let found = self.publisher.inspect(&listed.arn).await?;
            if let Some(found) = found.filter(|found| found.digest == content) {
                return Ok(Some(PublishedVersion {
                    arn: listed.arn,
                    digest: found.digest,
                    created_at: listed.created_at,
                }));
            }
        }
        Ok(None)
    }

    /// Records the version that an earlier run created: as the latest, unless it was withdrawn
    /// since or a newer version is recorded. In that case it stays private, no pointer moves, and
    /// it expires like other deprecated versions.
    pub(super) async fn settle(
        &self,
        intent: &Intent,
        made: PublishedVersion,
        recorded: &[LayerVersion],
        now: Timestamp,
    ) -> Result<Settlement, Error> {
        let build = &intent.build;
        let mut version = LayerVersion {
            arn: made.arn.clone(),
            build: build.clone(),
            created_at: Some(made.created_at),
            status: Status::Latest,
        };
        let withdrawn = self.catalog.yanked_builds(build.target).await?;
        let Some(obstacle) = obstacle(&version, recorded, &withdrawn) else {
            return Ok(Settlement::Completed(self.complete(intent, made, now).await?));
        };
        let expires_at = self.expiry.expires_at(&build.package, now);
        let yanked = match obstacle {
            Obstacle::Superseded => None,
            Obstacle::Withdrawn => Some(self.withdrawal(build, now).await?),
        };
        version.status = Status::Deprecated { expires_at, yanked };
        self.catalog.complete_retired(&version).await?;
        Ok(Settlement::Retired(made.arn, obstacle))
    }

    /// Records why a version cannot be listed, so that this is reported until it can.
    pub(super) async fn or_stuck<T>(
        &self,
        intent: &Intent,
        completed: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(error @ Error::Publish(_)) = &completed {
            self.catalog.mark_stuck(intent, &error_chain(error)).await?;
        }
        completed
    }

    /// Returns why and when a build was withdrawn, as recorded for another version with this
    /// content.
    async fn withdrawal(&self, build: &Build, now: Timestamp) -> Result<Yank, Error> {
        let query = Query {
            target: Some(build.target),
            package: Some(build.package.clone()),
            include: Include::All,
            ..Query::default()
        };
        let versions = self.catalog.layer_versions(&query).await?;
        let same = |version: &&LayerVersion| {
            obstacle(version, &[], std::slice::from_ref(build)) == Some(Obstacle::Withdrawn)
        };
        let told = versions.iter().filter(same).find_map(LayerVersion::yanked).cloned();
        // All withdrawn versions have been deleted.
        let unknown = || Yank { reason: "withdrawn in another region".to_owned(), at: now };
        Ok(told.unwrap_or_else(unknown))
    }

    /// Checks the content of a new version, makes it public if it should be, and records it as the
    /// latest.
    pub(super) async fn complete(
        &self,
        intent: &Intent,
        published: PublishedVersion,
        now: Timestamp,
    ) -> Result<CompletedVersion, Error> {
        let PublishedVersion { arn, digest: actual, created_at } = published;
        if let Some(digest) = intent.build.content_digest()
            && actual != digest
        {
            self.catalog.abandon(intent).await?;
            return Err(PublishError::WrongContent { arn: Box::new(arn), digest, actual }.into());
        }
        if self.public {
            self.publisher.make_public(&arn).await?;
            failpoint::reach("made public");
        }
        let version = LayerVersion {
            arn: arn.clone(),
            build: intent.build.clone(),
            created_at: Some(created_at),
            status: Status::Latest,
        };
        let expires_at = self.expiry.expires_at(&intent.build.package, now);
        let owed = pointer_of(&intent.build, arn.region());
        self.pointers().owe(&owed).await?;
        self.catalog.complete(&version, expires_at).await?;
        failpoint::reach("publication recorded");
        let pointed = self.pointers().move_to_latest(&owed).await;
        let Build { target, package, .. } = &intent.build;
        info!(%target, %package, region = %arn.region(), %arn, "published");
        Ok(CompletedVersion { arn, pointed })
    }

    pub(super) fn pointers(&self) -> Pointers<'_> {
        Pointers { catalog: self.catalog, publisher: self.publisher }
    }
}
