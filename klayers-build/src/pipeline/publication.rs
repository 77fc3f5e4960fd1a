//! One publication: what is intended is written down, then it is done, then what happened is
//! written down. What a process that ended in between left is settled by the next run.

use jiff::Timestamp;
use klayers_core::{Build, ExpiryPolicy, LayerName, LayerVersion, LayerVersionArn, Region, Status};

use crate::Error;
use crate::artifacts::Artifacts;
use crate::catalog::{Catalog, Intent};
use crate::publish::{LayerUpload, PublishedVersion, Publisher};

/// What publishing works with, whoever asks for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publishing<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) artifacts: &'a dyn Artifacts,
    pub(super) publisher: &'a dyn Publisher,
    pub(super) expiry: &'a ExpiryPolicy,
}

impl Publishing<'_> {
    pub(super) async fn publish(
        &self,
        region: &Region,
        layer: &LayerName,
        build: &Build,
        now: Timestamp,
    ) -> Result<LayerVersionArn, Error> {
        let zip = self.artifacts.get(build.content_digest).await?;
        let intent = Intent {
            region: region.clone(),
            layer: layer.clone(),
            build: build.clone(),
            begun_at: now,
        };
        let upload = LayerUpload {
            name: layer.clone(),
            target: build.target,
            description: description(build),
            license: build.license.clone(),
            zip: zip.path().to_owned(),
            digest: build.content_digest,
            size: build.code_size,
        };
        self.catalog.begin(&intent).await?;
        let published = self.publisher.publish(region, &upload, now).await?;
        self.complete(&intent, published, now).await
    }

    /// Settles what an earlier run left under way: a version that was made is recorded, one that
    /// was not is no longer expected.
    pub(super) async fn settle(&self, now: Timestamp) -> Result<(), Error> {
        for intent in self.catalog.under_way().await? {
            let made = self.publisher.list(&intent.region, &intent.layer).await?.into_iter().find(
                |version| {
                    version.digest == intent.build.content_digest
                        && version.created_at >= intent.begun_at
                },
            );
            match made {
                Some(version) => {
                    self.complete(&intent, version, now).await?;
                }
                None => self.catalog.abandon(&intent).await?,
            }
        }
        Ok(())
    }

    async fn complete(
        &self,
        intent: &Intent,
        published: PublishedVersion,
        now: Timestamp,
    ) -> Result<LayerVersionArn, Error> {
        let version = LayerVersion {
            arn: published.arn.clone(),
            build: intent.build.clone(),
            created_at: published.created_at,
            status: Status::Latest,
        };
        let expires_at = self.expiry.expires_at(&intent.build.package, now);
        self.catalog.complete(&version, expires_at).await?;
        Ok(published.arn)
    }
}

/// What a layer version says of itself in AWS: what it is, and by which digests it is told from
/// others. Lambda takes at most 256 characters.
fn description(build: &Build) -> String {
    let Build { package, version, requirements_hash, content_digest, .. } = build;
    let digests = format!(" | {requirements_hash} | sha256:{content_digest}");
    let name: String = format!("{package}=={version}").chars().take(256 - digests.len()).collect();
    name + &digests
}

#[cfg(test)]
mod tests {
    use klayers_core::{Digest, Origin};

    use super::*;

    #[test]
    fn a_description_fits_into_256_characters() {
        let mut build = Build {
            target: "p3.12".parse().expect("a target"),
            package: "Pillow".parse().expect("a name"),
            version: "12.0.0".parse().expect("a version"),
            dependencies: Vec::new(),
            requirements_hash: Digest::of(b"requirements"),
            origin: Origin::Imported,
            content_digest: Digest::of(b"content"),
            code_size: 1,
            unzipped_size: 1,
            license: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let expected = format!(
            "Pillow==12.0.0 | {} | sha256:{}",
            build.requirements_hash, build.content_digest
        );
        assert_eq!(description(&build), expected);
        build.package = "x".repeat(300).parse().expect("a name");
        let long = description(&build);
        assert_eq!(long.len(), 256);
        assert!(long.ends_with(&build.content_digest.to_string()));
    }
}
