//! Layers that are published through S3.
//!
//! Lambda takes a layer only from a bucket in the same region. So a layer is sent once to the home
//! region of a partition, copied by AWS to a bucket in each region, and published from there. If
//! the home region cannot be used, each region is sent the layer directly.
//!
//! Objects are named by their content, so sending or copying again does no harm. They are needed
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
use super::timeouts::{HOME_CHECK, Timeouts};
use crate::{LayerUpload, PublishError};
use klayers_wheel::durable;

const REGION: &str = "{region}";

/// Sends layers through S3.
#[derive(Debug)]
pub(super) struct Transfer {
    pattern: String,
    /// Whether a layer could be sent to the home region of a partition.
    sent: Once<(Partition, Digest), bool>,
    /// Buckets that were found to be in their regions.
    checked: Once<Region, ()>,
    /// Partitions whose home regions cannot be used.
    blocked: Mutex<BTreeSet<Partition>>,
}

/// Values that are computed once for each key, even if several callers ask at the same time.
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

    /// Ensures that a layer is in the bucket of a region.
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

    /// Sends a layer to the home region of its partition, unless it is already there. Returns
    /// whether it is there.
    ///
    /// If the home region is silent or has no bucket, callers wait only until that is known, which
    /// is checked once.
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
            let is_blocked =
                match tokio::time::timeout(HOME_CHECK, self.check(accounts, home)).await {
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
            // S3 checks the hash of the received content.
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

    /// Checks that a bucket exists and is in its region.
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
