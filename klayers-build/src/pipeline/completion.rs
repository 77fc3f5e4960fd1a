//! From a layer version that was made to one that is listed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use klayers_core::{Build, ExpiryPolicy, LayerVersion, LayerVersionArn, Status};
use tracing::{info, warn};

use crate::Error;
use crate::catalog::{Catalog, Include, Intent, Query};
use crate::failpoint;
use crate::publish::{Pointer, PublishError, PublishedVersion, Publisher, stated_digest};

/// What completing a publication works with, whoever asks for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) publisher: &'a dyn Publisher,
    pub(super) expiry: &'a ExpiryPolicy,
    /// Whether everybody may use what is published.
    pub(super) public: bool,
}

impl Completion<'_> {
    /// The versions of a layer that are recorded in the region of a publication.
    pub(super) async fn recorded(
        &self,
        intent: &Intent,
    ) -> Result<BTreeSet<LayerVersionArn>, Error> {
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

    /// Finds the version that a publication made: its description states the digest that was to be
    /// published, its content has that digest, and it is not recorded yet.
    pub(super) async fn find(
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

    /// From a version that was made to one that is listed: it must be what it was to be, and usable
    /// by whom it is for.
    pub(super) async fn complete(
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
    async fn point(&self, of: &LayerVersion, latest: Option<LayerVersionArn>) {
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
