//! A single publication: recorded as begun, carried out, and recorded as completed. If the process
//! ends in between, the next run settles it.

use std::time::Duration;

use jiff::Timestamp;
use klayers_core::{Build, LayerName, Region};
use tracing::warn;

use super::completion::{CompletedVersion, Completion};
use super::lookup_schedule::LookupSchedule;
use super::stop::Stop;
use crate::Error;
use klayers_catalog::artifacts::Artifacts;
use klayers_catalog::failpoint;
use klayers_catalog::{CatalogError, Intent};
use klayers_publish::{LayerUpload, PublishError, PublishedVersion, describe};

/// How often a publication under way is recorded again. A large layer is copied for minutes before
/// AWS is asked to publish it. Settling an interrupted publication depends on the last time at
/// which AWS may have been asked.
pub(super) const NOTED_EVERY: Duration = Duration::from_secs(5);

/// What publishing requires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publishing<'a> {
    pub(super) completion: Completion<'a>,
    pub(super) artifacts: &'a dyn Artifacts,
    pub(super) clock: fn() -> Timestamp,
    pub(super) stop: &'a Stop,
}

/// The outcome of an attempt to publish.
enum Attempt {
    /// A version exists.
    Made(PublishedVersion),
    /// No version exists or will appear.
    NotMade(Error),
    /// A version may exist; the next run settles it.
    Unknown(Error),
}

impl Publishing<'_> {
    pub(super) async fn publish(
        &self,
        region: &Region,
        layer: &LayerName,
        build: &Build,
        now: Timestamp,
    ) -> Result<CompletedVersion, Error> {
        let Completion { catalog, .. } = self.completion;
        let Some(content) = build.content() else {
            let (target, package) = (build.target, build.package.clone());
            return Err(CatalogError::Adopted { target, package }.into());
        };
        let zip = self.artifacts.get(content.digest).await?;
        let upload = LayerUpload {
            name: layer.clone(),
            target: build.target,
            description: describe(build, content.digest),
            license: build.license.clone(),
            zip: zip.path().to_owned(),
            digest: content.digest,
            size: content.size,
        };
        let intent = Intent {
            region: region.clone(),
            layer: layer.clone(),
            build: build.clone(),
            begun_at: now,
            attempted_at: Some((self.clock)()),
            stuck: None,
        };
        failpoint::reach("publication intended");
        catalog.begin(&intent).await?;
        failpoint::reach("publication begun");
        let published = match self.attempt(&intent, &upload, now).await {
            Attempt::Made(published) => published,
            // Nothing needs to be settled.
            Attempt::NotMade(error) => {
                catalog.abandon(&intent).await?;
                return Err(error);
            }
            Attempt::Unknown(error) => return Err(error),
        };
        failpoint::reach("published");
        let completed = self.completion.complete(&intent, published, now).await;
        self.completion.or_stuck(&intent, completed).await
    }

    /// Publishes one version. If the outcome is unclear, looks the version up as long as it may
    /// still appear, and only then publishes once more.
    async fn attempt(&self, intent: &Intent, upload: &LayerUpload, now: Timestamp) -> Attempt {
        let Intent { region, layer, .. } = intent;
        let longest = self.completion.longest_publication();
        for last in [false, true] {
            match self.ask(intent, upload, now).await {
                Ok(Ok(published)) => return Attempt::Made(published),
                Ok(Err(error)) if !error.is_unclear() => return Attempt::NotMade(error.into()),
                Ok(Err(error)) => warn!(%region, %layer, %error, "publication unclear"),
                Err(error) => return Attempt::Unknown(error),
            }
            failpoint::reach("publication unclear");
            let recorded = match self.completion.recorded(intent).await {
                Ok(recorded) => recorded,
                Err(error) => return Attempt::Unknown(error),
            };
            let mut schedule = LookupSchedule::during(longest);
            while schedule.next().await {
                match self.completion.find(intent, &recorded).await {
                    Ok(Some(made)) => return Attempt::Made(made),
                    Ok(None) => {}
                    Err(error) => return Attempt::Unknown(error),
                }
            }
            if last || self.stop.is_requested() {
                break;
            }
            if let Err(error) = self.note(intent).await {
                return Attempt::Unknown(error);
            }
        }
        let (region, layer) = (region.clone(), layer.clone());
        Attempt::Unknown(PublishError::Unsettled { region, layer }.into())
    }

    /// Calls the publisher, and meanwhile keeps recording that the publication is under way.
    async fn ask(
        &self,
        intent: &Intent,
        upload: &LayerUpload,
        now: Timestamp,
    ) -> Result<Result<PublishedVersion, PublishError>, Error> {
        let Completion { publisher, .. } = self.completion;
        let mut asked = publisher.publish(&intent.region, upload, now);
        if publisher.longest_publication().is_zero() {
            return Ok(asked.await);
        }
        loop {
            match tokio::time::timeout(NOTED_EVERY, &mut asked).await {
                Ok(outcome) => return Ok(outcome),
                Err(_) => self.note(intent).await?,
            }
        }
    }

    async fn note(&self, intent: &Intent) -> Result<(), Error> {
        Ok(self.completion.catalog.record_attempt(intent, (self.clock)()).await?)
    }
}
