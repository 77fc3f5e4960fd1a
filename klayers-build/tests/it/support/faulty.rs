//! A publisher with faults that a test chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use klayers_core::{Digest, LayerName, LayerVersionArn, PackageName, Region, Target, Timestamp};
use klayers_publish::{
    InspectedVersion, LayerUpload, ListedVersion, Pointer, PublishError, PublishedVersion,
    Publisher, Trouble,
};

/// Passes all calls on, except for its faults.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Publisher>,
    longest_publication: Duration,
    faults: Mutex<Faults>,
}

/// The faults, and what was called.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Number of lists that contain no version, as if none had been created yet.
    pub(crate) empty_lists: usize,
    /// Versions that cannot be made public.
    pub(crate) never_public: BTreeSet<LayerVersionArn>,
    /// How often existing versions are not found.
    pub(crate) not_found: BTreeMap<LayerVersionArn, usize>,
    /// How often the content of versions is reported wrong.
    pub(crate) other_content: BTreeMap<LayerVersionArn, usize>,
    /// Versions that no list contains.
    pub(crate) unlisted: BTreeSet<LayerVersionArn>,
    /// Whether pointers are kept.
    pub(crate) keeps_pointers: bool,
    /// Whether moving a pointer fails.
    pub(crate) pointers_stay: bool,
    /// The pointers, by names such as `eu-west-1 p3.12 requests`.
    pub(crate) pointers: BTreeMap<String, LayerVersionArn>,
    /// Number of published versions.
    pub(crate) published: usize,
    /// Number of lists.
    pub(crate) lists: usize,
    /// Whether deletions fail because the region is closed.
    pub(crate) refuses_deletions: bool,
    /// Number of deletions.
    pub(crate) deletions: usize,
    /// A region that never answers when versions or layers are listed.
    pub(crate) silent: Option<Region>,
    /// A region that refuses to list layers, to delete versions and to move pointers.
    pub(crate) closed: Option<Region>,
    /// The pointers that were moved, in order.
    pub(crate) moved: Vec<Pointer>,
}

impl Faults {
    fn refuse_closed(&self, region: &Region) -> Result<(), PublishError> {
        if self.closed.as_ref() != Some(region) {
            return Ok(());
        }
        Err(PublishError::Closed { region: region.clone(), reason: "it is closed".to_owned() })
    }

    fn is_silent(&self, region: &Region) -> bool {
        self.silent.as_ref() == Some(region)
    }
}

impl Faulty {
    pub(crate) fn new(inner: &Arc<dyn Publisher>, longest_publication: Duration) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), longest_publication, faults: Mutex::default() })
    }

    /// A publisher that keeps pointers, with a region that is closed.
    pub(crate) fn closed_in(inner: &Arc<dyn Publisher>, region: Region) -> Arc<Self> {
        let publisher = Self::new(inner, inner.longest_publication());
        let faults = Faults { keeps_pointers: true, closed: Some(region), ..Faults::default() };
        *publisher.faults() = faults;
        publisher
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
        if self.faults().is_silent(region) {
            std::future::pending::<()>().await;
        }
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
        if self.faults().is_silent(region) {
            std::future::pending::<()>().await;
        }
        self.faults().refuse_closed(region)?;
        self.inner.layers(region).await
    }

    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        {
            let mut faults = self.faults();
            faults.deletions += 1;
            faults.refuse_closed(arn.region())?;
            if faults.refuses_deletions {
                let reason = "deletions are refused".to_owned();
                return Err(PublishError::Closed { region: arn.region().clone(), reason });
            }
        }
        self.inner.delete(arn).await
    }

    async fn point(&self, pointer: &Pointer) -> Result<(), PublishError> {
        let Pointer { region, target, package, latest } = pointer;
        let mut faults = self.faults();
        faults.refuse_closed(region)?;
        if faults.pointers_stay {
            let reason = "parameters cannot be written".to_owned();
            return Err(PublishError::Closed { region: region.clone(), reason });
        }
        faults.moved.push(pointer.clone());
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
