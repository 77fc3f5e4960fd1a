//! A publisher that answers wrongly, or refuses, as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use klayers_build::publish::{
    InspectedVersion, LayerUpload, ListedVersion, Pointer, PublishError, PublishedVersion,
    Publisher, Trouble,
};
use klayers_core::{Digest, LayerName, LayerVersionArn, PackageName, Region, Target, Timestamp};

/// Passes everything on, but for its faults.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Publisher>,
    longest_publication: Duration,
    faults: Mutex<Faults>,
}

/// What goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// So many lists show no version, as if none had been made yet.
    pub(crate) empty_lists: usize,
    /// Versions that cannot be made public.
    pub(crate) never_public: BTreeSet<LayerVersionArn>,
    /// How often versions are not found, though they are there.
    pub(crate) not_found: BTreeMap<LayerVersionArn, usize>,
    /// How often versions are said to hold something else.
    pub(crate) other_content: BTreeMap<LayerVersionArn, usize>,
    /// Versions that no list shows.
    pub(crate) unlisted: BTreeSet<LayerVersionArn>,
    /// Whether pointers are kept.
    pub(crate) keeps_pointers: bool,
    /// Whether they cannot be moved.
    pub(crate) pointers_stay: bool,
    /// What the pointers say, as `eu-west-1 p3.12 requests`.
    pub(crate) pointers: BTreeMap<String, LayerVersionArn>,
    /// How many versions were published.
    pub(crate) published: usize,
    /// How many lists were asked for.
    pub(crate) lists: usize,
}

impl Faulty {
    pub(crate) fn new(inner: &Arc<dyn Publisher>, longest_publication: Duration) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), longest_publication, faults: Mutex::default() })
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }
}

#[async_trait]
impl Publisher for Faulty {
    async fn publish(
        &self,
        region: &Region,
        layer: &LayerUpload,
        now: Timestamp,
    ) -> Result<PublishedVersion, PublishError> {
        self.faults().published += 1;
        self.inner.publish(region, layer, now).await
    }

    fn trouble(&self, region: &Region) -> Option<Trouble> {
        self.inner.trouble(region)
    }

    fn longest_publication(&self) -> Duration {
        self.longest_publication
    }

    async fn make_public(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        if self.faults().never_public.contains(arn) {
            let reason = "is for somebody else".to_owned();
            return Err(PublishError::Policy { arn: Box::new(arn.clone()), reason });
        }
        self.inner.make_public(arn).await
    }

    async fn list(
        &self,
        region: &Region,
        layer: &LayerName,
    ) -> Result<Vec<ListedVersion>, PublishError> {
        {
            let mut faults = self.faults();
            faults.lists += 1;
            if faults.empty_lists > 0 {
                faults.empty_lists -= 1;
                return Ok(Vec::new());
            }
        }
        let mut listed = self.inner.list(region, layer).await?;
        listed.retain(|version| !self.faults().unlisted.contains(&version.arn));
        Ok(listed)
    }

    async fn inspect(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<InspectedVersion>, PublishError> {
        {
            let mut faults = self.faults();
            let times = |faults: Option<&mut usize>| {
                faults.is_some_and(|times| std::mem::replace(times, times.saturating_sub(1)) > 0)
            };
            if times(faults.not_found.get_mut(arn)) {
                return Ok(None);
            }
            if times(faults.other_content.get_mut(arn)) {
                let digest = Digest::of(b"something else");
                return Ok(Some(InspectedVersion { digest, size: 1, is_public: false }));
            }
        }
        self.inner.inspect(arn).await
    }

    async fn layers(&self, region: &Region) -> Result<Vec<LayerName>, PublishError> {
        self.inner.layers(region).await
    }

    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        self.inner.delete(arn).await
    }

    async fn point(&self, pointer: &Pointer) -> Result<(), PublishError> {
        let Pointer { region, target, package, latest } = pointer;
        let mut faults = self.faults();
        if faults.pointers_stay {
            let reason = "parameters cannot be written".to_owned();
            return Err(PublishError::Closed { region: region.clone(), reason });
        }
        let name = format!("{region} {target} {package}");
        match latest {
            Some(latest) => faults.pointers.insert(name, latest.clone()),
            None => faults.pointers.remove(&name),
        };
        Ok(())
    }

    fn keeps_pointers(&self) -> bool {
        self.faults().keeps_pointers
    }

    async fn pointed(
        &self,
        region: &Region,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<String>, PublishError> {
        let name = format!("{region} {target} {package}");
        Ok(self.faults().pointers.get(&name).map(ToString::to_string))
    }
}
