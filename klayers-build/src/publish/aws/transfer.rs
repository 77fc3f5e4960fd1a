//! Layers that go through S3: sent once, copied by AWS to a bucket in each region, and published
//! from there, since Lambda takes layers from a bucket of the region alone. Where the way through
//! the home of a partition is blocked, each region is sent the layer on its own.
//!
//! Objects are named by what is in them, so sending or copying again does no harm. They are needed
//! until the layer is published; a lifecycle rule of the bucket may delete them after a day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_lambda::types::LayerVersionContentInput;
use aws_sdk_s3::primitives::ByteStream;
use klayers_core::{Digest, Partition, Region};
use tokio::sync::{Mutex, OnceCell};
use tracing::debug;

use super::accounts::Accounts;
use super::call::Call;
use super::timeouts::{HOME, Timeouts};
use crate::durable;
use crate::publish::{LayerUpload, PublishError};

const REGION: &str = "{region}";

/// The way through S3.
#[derive(Debug)]
pub(super) struct Transfer {
    pattern: String,
    /// Whether a layer could be sent to the home of a partition.
    sent: Once<(Partition, Digest), bool>,
    /// The buckets that were found to be in their regions.
    checked: Once<Region, ()>,
    /// The partitions through whose homes nothing is sent any more.
    blocked: Mutex<BTreeSet<Partition>>,
}

/// What is done once for each of some things, however many ask for it.
type Once<K, V> = Mutex<BTreeMap<K, Arc<OnceCell<V>>>>;

impl Transfer {
    pub(super) fn new(pattern: &str) -> Result<Self, PublishError> {
        if !pattern.contains(REGION) {
            return Err(PublishError::BucketName(pattern.to_owned()));
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            sent: Mutex::default(),
            checked: Mutex::default(),
            blocked: Mutex::default(),
        })
    }

    /// Sees to it that a layer lies in the bucket of a region.
    pub(super) async fn bring(
        &self,
        accounts: &Accounts,
        region: &Region,
        layer: &LayerUpload,
    ) -> Result<LayerVersionContentInput, PublishError> {
        let home = accounts.home(region)?;
        let is_at_home = self.is_at_home(accounts, home, layer).await;
        if !is_at_home {
            self.send(accounts, region, layer).await?;
        } else if region != home {
            self.copy(accounts, home, region, layer).await?;
        }
        let (bucket, key) = (self.bucket(region), key(layer));
        Ok(LayerVersionContentInput::builder().s3_bucket(bucket).s3_key(key).build())
    }

    /// Sends a layer to the home of its partition, unless it is there. Says whether it is.
    ///
    /// Nobody waits for a home that is silent or has no bucket for longer than it takes to find
    /// that out, which is done once.
    async fn is_at_home(&self, accounts: &Accounts, home: &Region, layer: &LayerUpload) -> bool {
        let partition = home.partition();
        if self.blocked.lock().await.contains(&partition) {
            return false;
        }
        let sent = {
            let mut sent = self.sent.lock().await;
            Arc::clone(sent.entry((partition.clone(), layer.digest)).or_default())
        };
        let going = async {
            let is_blocked = match tokio::time::timeout(HOME, self.check(accounts, home)).await {
                Ok(Ok(())) => match self.send(accounts, home, layer).await {
                    Ok(()) => return true,
                    Err(error) => {
                        debug!(region = %home, %error, "layer not sent through its home");
                        error.concerns_region()
                    }
                },
                Ok(Err(_)) | Err(_) => true,
            };
            if is_blocked {
                self.blocked.lock().await.insert(partition);
            }
            false
        };
        *sent.get_or_init(|| going).await
    }

    fn bucket(&self, region: &Region) -> String {
        self.pattern.replace(REGION, region.as_str())
    }

    async fn send(
        &self,
        accounts: &Accounts,
        region: &Region,
        layer: &LayerUpload,
    ) -> Result<(), PublishError> {
        self.check(accounts, region).await?;
        let zip = layer.zip.clone();
        let hashed = tokio::task::spawn_blocking(move || durable::digest(&zip)).await;
        let unreadable =
            |source| PublishError::Io { action: "read", path: layer.zip.clone(), source };
        let actual = hashed.map_err(|error| unreadable(error.into()))?.map_err(unreadable)?;
        if actual != layer.digest {
            let (path, digest) = (layer.zip.clone(), layer.digest);
            return Err(PublishError::Mismatch { path, digest, actual });
        }
        let (s3, bucket, key) = (accounts.s3(region)?, self.bucket(region), key(layer));
        let call = Call::new("PutObject", region, accounts.access(region)?)
            .within(Timeouts::upload(layer.size));
        call.repeated(|| {
            let zip = layer.zip.clone();
            // S3 hashes what arrives, too, and refuses what is not this.
            let request = s3
                .put_object()
                .bucket(&bucket)
                .key(&key)
                .checksum_sha256(layer.digest.to_base64())
                .content_type("application/zip");
            async move {
                let body = ByteStream::from_path(&zip).await;
                let body = body.map_err(aws_sdk_s3::error::SdkError::construction_failure)?;
                request.body(body).send().await
            }
        })
        .await?;
        Ok(())
    }

    async fn copy(
        &self,
        accounts: &Accounts,
        home: &Region,
        region: &Region,
        layer: &LayerUpload,
    ) -> Result<(), PublishError> {
        self.check(accounts, region).await?;
        let (s3, key) = (accounts.s3(region)?, key(layer));
        let source = format!("{}/{key}", self.bucket(home));
        let call = Call::new("CopyObject", region, accounts.access(region)?);
        let call = call.within(Timeouts::COPY);
        call.repeated(|| {
            s3.copy_object().bucket(self.bucket(region)).key(&key).copy_source(&source).send()
        })
        .await?;
        Ok(())
    }

    /// Makes sure that a bucket is there, and where it must be.
    async fn check(&self, accounts: &Accounts, region: &Region) -> Result<(), PublishError> {
        let checked = {
            let mut checked = self.checked.lock().await;
            Arc::clone(checked.entry(region.clone()).or_default())
        };
        checked
            .get_or_try_init(|| async {
                let (s3, bucket) = (accounts.s3(region)?, self.bucket(region));
                let call = Call::new("HeadBucket", region, accounts.access(region)?);
                let found = call.repeated(|| s3.head_bucket().bucket(&bucket).send()).await;
                let reason = match found {
                    Ok(found) => match found.bucket_region() {
                        Some(actual) if actual != region.as_str() => format!("is in {actual}"),
                        _ => return Ok(()),
                    },
                    Err(error) if error.is_not_found() => "does not exist".to_owned(),
                    Err(error) if error.is_elsewhere() => "is in another region".to_owned(),
                    Err(error) => return Err(error.into()),
                };
                Err(PublishError::Bucket { bucket, region: region.clone(), reason })
            })
            .await?;
        Ok(())
    }
}

fn key(layer: &LayerUpload) -> String {
    format!("{}.zip", layer.digest)
}
