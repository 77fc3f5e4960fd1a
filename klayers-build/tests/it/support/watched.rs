//! A publisher that keeps pointers, and refuses in one region.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use klayers_build::publish::{
    InspectedVersion, LayerUpload, ListedVersion, Pointer, PublishError, PublishedVersion,
    Publisher, Trouble,
};
use klayers_core::{LayerName, LayerVersionArn, PackageName, Region, Target, Timestamp};

/// Passes all on, but what is to be done in a region that is closed.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Arc<dyn Publisher>,
    closed: Region,
    pointed: Mutex<Vec<Pointer>>,
}

impl Watched {
    pub(crate) fn new(inner: &Arc<dyn Publisher>, closed: Region) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), closed, pointed: Mutex::default() })
    }

    /// The pointers that were moved, in their order.
    pub(crate) fn pointed(&self) -> Vec<Pointer> {
        self.pointed.lock().unwrap().clone()
    }

    fn refuse(&self, region: &Region) -> Result<(), PublishError> {
        if *region != self.closed {
            return Ok(());
        }
        Err(PublishError::Closed { region: region.clone(), reason: "it is closed".to_owned() })
    }
}

#[async_trait]
impl Publisher for Watched {
    async fn publish(
        &self,
        region: &Region,
        layer: &LayerUpload,
        now: Timestamp,
    ) -> Result<PublishedVersion, PublishError> {
        self.inner.publish(region, layer, now).await
    }

    fn longest_publication(&self) -> Duration {
        self.inner.longest_publication()
    }

    fn trouble(&self, region: &Region) -> Option<Trouble> {
        self.inner.trouble(region)
    }

    async fn make_public(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        self.inner.make_public(arn).await
    }

    async fn list(
        &self,
        region: &Region,
        layer: &LayerName,
    ) -> Result<Vec<ListedVersion>, PublishError> {
        self.inner.list(region, layer).await
    }

    async fn inspect(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<InspectedVersion>, PublishError> {
        self.inner.inspect(arn).await
    }

    async fn layers(&self, region: &Region) -> Result<Vec<LayerName>, PublishError> {
        self.refuse(region)?;
        self.inner.layers(region).await
    }

    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        self.refuse(arn.region())?;
        self.inner.delete(arn).await
    }

    async fn point(&self, pointer: &Pointer) -> Result<(), PublishError> {
        self.refuse(&pointer.region)?;
        self.pointed.lock().unwrap().push(pointer.clone());
        self.inner.point(pointer).await
    }

    fn keeps_pointers(&self) -> bool {
        true
    }

    async fn pointed(
        &self,
        region: &Region,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<String>, PublishError> {
        let pointed = self.pointed.lock().unwrap();
        let last = pointed.iter().rev().find(|pointer| {
            (&pointer.region, pointer.target, &pointer.package) == (region, target, package)
        });
        Ok(last.and_then(|pointer| Some(pointer.latest.as_ref()?.to_string())))
    }
}
