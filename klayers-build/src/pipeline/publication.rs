//! One publication: what is intended is written down, then it is done, then what happened is
//! written down. What a process that ended in between left is settled by the next run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use klayers_core::{Build, ExpiryPolicy, LayerName, LayerVersion, LayerVersionArn, Region, Status};
use tracing::{info, warn};

use super::PARALLEL_REGIONS;
use crate::Error;
use crate::artifacts::Artifacts;
use crate::catalog::{Catalog, CatalogError, Include, Intent, Query};
use crate::failpoint;
use crate::publish::{
    LayerUpload, Pointer, PublishError, PublishedVersion, Publisher, describe, stated_digest,
};

/// How long to wait before each look for a version whose publication was not answered. AWS may
/// still be at it.
const LOOKS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What publishing works with, whoever asks for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publishing<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) artifacts: &'a dyn Artifacts,
    pub(super) publisher: &'a dyn Publisher,
    pub(super) expiry: &'a ExpiryPolicy,
    /// Whether everybody may use what is published.
    pub(super) public: bool,
}

/// What became of the publications that an earlier run left under way.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Those that had been made, and are recorded now.
    pub(super) completed: Vec<LayerVersionArn>,
    /// The regions where that could not be found out.
    pub(super) failed: BTreeMap<Region, Error>,
}

/// What became of an attempt to publish.
enum Attempt {
    /// There is a version.
    Made(PublishedVersion),
    /// There is none, and there will be none.
    NotMade(Error),
    /// There may be one; the next run settles it.
    Unknown(Error),
}

impl Publishing<'_> {
    pub(super) async fn publish(
        &self,
        region: &Region,
        layer: &LayerName,
        build: &Build,
        now: Timestamp,
    ) -> Result<LayerVersionArn, Error> {
        let Some(content) = build.content() else {
            let (target, package) = (build.target, build.package.clone());
            return Err(CatalogError::Adopted { target, package }.into());
        };
        let zip = self.artifacts.get(content.digest).await?;
        let intent = Intent {
            region: region.clone(),
            layer: layer.clone(),
            build: build.clone(),
            begun_at: now,
        };
        let upload = LayerUpload {
            name: layer.clone(),
            target: build.target,
            description: describe(build, content.digest),
            license: build.license.clone(),
            zip: zip.path().to_owned(),
            digest: content.digest,
            size: content.size,
        };
        failpoint::reach("publication intended");
        self.catalog.begin(&intent).await?;
        failpoint::reach("publication begun");
        let published = match self.attempt(&intent, &upload, now).await {
            Attempt::Made(published) => published,
            // There is nothing to be settled.
            Attempt::NotMade(error) => {
                self.catalog.abandon(&intent).await?;
                return Err(error);
            }
            Attempt::Unknown(error) => return Err(error),
        };
        failpoint::reach("published");
        self.complete(&intent, published, now).await
    }

    /// Has one version made. Where it is not clear whether it was, it is looked for, and only if it
    /// is not there asked for once more.
    async fn attempt(&self, intent: &Intent, upload: &LayerUpload, now: Timestamp) -> Attempt {
        let Intent { region, layer, .. } = intent;
        for last in [false, true] {
            match self.publisher.publish(region, upload, now).await {
                Ok(published) => return Attempt::Made(published),
                Err(error) if !error.is_unclear() => return Attempt::NotMade(error.into()),
                Err(error) => warn!(%region, %layer, %error, "publication unclear"),
            }
            failpoint::reach("publication unclear");
            let recorded = match self.recorded(intent).await {
                Ok(recorded) => recorded,
                Err(error) => return Attempt::Unknown(error),
            };
            for wait in LOOKS {
                tokio::time::sleep(wait).await;
                match self.find(intent, &recorded).await {
                    Ok(Some(made)) => return Attempt::Made(made),
                    Ok(None) => {}
                    Err(error) => return Attempt::Unknown(error),
                }
            }
            if last {
                break;
            }
        }
        let (region, layer) = (region.clone(), layer.clone());
        Attempt::Unknown(PublishError::Unsettled { region, layer }.into())
    }

    /// The versions of a layer that were recorded before its publication.
    async fn recorded(&self, intent: &Intent) -> Result<BTreeSet<LayerVersionArn>, Error> {
        let Intent { region, build, .. } = intent;
        let query = Query {
            target: Some(build.target),
            region: Some(region.clone()),
            package: Some(build.package.clone()),
            include: Include::All,
        };
        let versions = self.catalog.layer_versions(&query).await?;
        Ok(versions.into_iter().map(|version| version.arn).collect())
    }

    /// The version that a publication made, if it did: it says that it is what was to be published,
    /// it is, and nobody recorded it yet.
    async fn find(
        &self,
        intent: &Intent,
        recorded: &BTreeSet<LayerVersionArn>,
    ) -> Result<Option<PublishedVersion>, Error> {
        let Intent { region, layer, build, .. } = intent;
        let Some(content) = build.content_digest() else { return Ok(None) };
        for listed in self.publisher.list(region, layer).await? {
            let is_it = stated_digest(&listed.description) == Some(content)
                && !recorded.contains(&listed.arn);
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

    /// Settles what an earlier run left under way in these regions, side by side: a version that was
    /// made is recorded, one that was not is no longer expected.
    pub(super) async fn settle(
        &self,
        regions: &[Region],
        now: Timestamp,
    ) -> Result<Settled, Error> {
        let mut by_region: BTreeMap<Region, Vec<Intent>> = BTreeMap::new();
        for intent in self.catalog.under_way().await? {
            if regions.contains(&intent.region) {
                by_region.entry(intent.region.clone()).or_default().push(intent);
            }
        }
        let outcomes: Vec<_> = stream::iter(by_region)
            .map(|(region, intents)| async move {
                let mut completed = Vec::new();
                for intent in intents {
                    match self.settle_one(&intent, now).await {
                        Ok(arn) => completed.extend(arn),
                        Err(error) => return (completed, Some((region, error))),
                    }
                }
                (completed, None)
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        let mut settled = Settled::default();
        for (completed, failed) in outcomes {
            settled.completed.extend(completed);
            settled.failed.extend(failed);
        }
        settled.completed.sort();
        Ok(settled)
    }

    async fn settle_one(
        &self,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Option<LayerVersionArn>, Error> {
        let recorded = self.recorded(intent).await?;
        if let Some(made) = self.find(intent, &recorded).await? {
            return Ok(Some(self.complete(intent, made, now).await?));
        }
        self.catalog.abandon(intent).await?;
        Ok(None)
    }

    /// From a version that was made to one that is listed: it must be what it was to be, and usable
    /// by whom it is for.
    async fn complete(
        &self,
        intent: &Intent,
        published: PublishedVersion,
        now: Timestamp,
    ) -> Result<LayerVersionArn, Error> {
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
        self.catalog.complete(&version, expires_at).await?;
        failpoint::reach("publication recorded");
        self.point(&version, Some(arn.clone())).await;
        let Build { target, package, .. } = &intent.build;
        info!(%target, %package, region = %arn.region(), %arn, "published");
        Ok(arn)
    }

    /// Moves the pointer of a layer. That it could not be moved is said, and mended when the layer
    /// is published next or reconciled; the layer version is published all the same.
    pub(super) async fn point(&self, of: &LayerVersion, latest: Option<LayerVersionArn>) {
        let pointer = Pointer {
            region: of.region().clone(),
            target: of.build.target,
            package: of.build.package.clone(),
            latest,
        };
        if let Err(error) = self.publisher.point(&pointer).await {
            let Pointer { region, target, package, .. } = &pointer;
            warn!(%target, %package, %region, error = %error, "pointer not moved");
        }
    }
}
