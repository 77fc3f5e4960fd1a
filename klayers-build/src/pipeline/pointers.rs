//! Pointers to the latest versions. A pointer is recorded as owed before the latest version
//! changes, so that the next run moves any pointer that could not be moved.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use klayers_core::{Build, LayerVersion, LayerVersionArn, Region};
use tracing::warn;

use super::PARALLEL_REGIONS;
use crate::Error;
use klayers_catalog::{Catalog, CatalogError, OwedPointer, Query};
use klayers_core::terminal::error_chain;
use klayers_publish::{Pointer, PublishError, Publisher};

/// What moving pointers requires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pointers<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) publisher: &'a dyn Publisher,
}

/// Returns why a pointer could not be moved, if the reason applies to all pointers of its region.
pub(super) fn region_failure(error: &Error) -> Option<String> {
    match error {
        Error::Publish(PublishError::Pointer(source)) if source.concerns_region() => {
            Some(error_chain(source))
        }
        _ => None,
    }
}

/// The error of a pointer that was not tried because its region moves no pointers, for this reason.
pub(super) fn not_tried(region: &Region, reason: &str) -> Error {
    let (region, reason) = (region.clone(), reason.to_owned());
    PublishError::Pointer(Box::new(PublishError::Closed { region, reason })).into()
}

/// The pointer of a layer in a region.
pub(super) fn pointer_of(build: &Build, region: &Region) -> OwedPointer {
    OwedPointer { region: region.clone(), target: build.target, package: build.package.clone() }
}

impl Pointers<'_> {
    /// Records that a pointer must be moved. Call this before the catalog records another latest
    /// version. Does nothing if the publisher keeps no pointers.
    pub(super) async fn owe(&self, pointer: &OwedPointer) -> Result<(), Error> {
        if self.publisher.keeps_pointers() {
            self.catalog.owe_pointer(pointer).await?;
        }
        Ok(())
    }

    /// Moves a pointer to the recorded latest version. It stays owed if that fails.
    ///
    /// # Errors
    ///
    /// [`PublishError::Pointer`] if the pointer could not be moved. Also if the catalog cannot be
    /// read or written.
    pub(super) async fn move_to_latest(&self, owed: &OwedPointer) -> Result<(), Error> {
        if !self.publisher.keeps_pointers() {
            return Ok(());
        }
        let OwedPointer { region, target, package } = owed;
        let query = Query {
            region: Some(region.clone()),
            target: Some(*target),
            package: Some(package.clone()),
            ..Query::default()
        };
        let latest = self.catalog.layer_versions(&query).await?.pop();
        let pointer = Pointer {
            region: region.clone(),
            target: *target,
            package: package.clone(),
            latest: latest.map(|latest| latest.arn),
        };
        if let Err(source) = self.publisher.point(&pointer).await {
            return Err(PublishError::Pointer(Box::new(source)).into());
        }
        Ok(self.catalog.pointer_moved(owed).await?)
    }

    /// Moves the owed pointers of these regions, the regions concurrently. Returns those that could
    /// not be moved, with the reason.
    pub(super) async fn move_all_owed(
        &self,
        regions: &[Region],
    ) -> Result<BTreeMap<OwedPointer, Error>, CatalogError> {
        if !self.publisher.keeps_pointers() {
            return Ok(BTreeMap::new());
        }
        let mut by_region: BTreeMap<Region, Vec<OwedPointer>> = BTreeMap::new();
        for owed in self.catalog.owed_pointers().await? {
            if regions.contains(&owed.region) {
                by_region.entry(owed.region.clone()).or_default().push(owed);
            }
        }
        let failed: Vec<Vec<_>> = stream::iter(by_region.into_values())
            .map(|owed| async move {
                let mut failed = Vec::new();
                let mut closed: Option<String> = None;
                for pointer in owed {
                    // After a region has failed to move one pointer, do not try its others.
                    let moved = match &closed {
                        None => self.move_to_latest(&pointer).await,
                        Some(reason) => Err(not_tried(&pointer.region, reason)),
                    };
                    if let Err(error) = moved {
                        closed = closed.or_else(|| region_failure(&error));
                        warn!(target = %pointer.target, package = %pointer.package,
                            region = %pointer.region, error = error_chain(&error),
                            "pointer not moved");
                        failed.push((pointer, error));
                    }
                }
                failed
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        Ok(failed.into_iter().flatten().collect())
    }

    /// Returns whether the pointer of a layer version's layer still names it.
    pub(super) async fn names(&self, version: &LayerVersion) -> Result<bool, Error> {
        if !self.publisher.keeps_pointers() {
            return Ok(false);
        }
        let Build { target, package, .. } = &version.build;
        let names = self.publisher.pointed(version.region(), *target, package).await?;
        Ok(names.is_some_and(|names| names == version.arn.to_string()))
    }

    /// Moves all pointers that still name a version which is about to be deleted, even if the
    /// version is not recorded.
    pub(super) async fn release(&self, arn: &LayerVersionArn) -> Result<(), Error> {
        if !self.publisher.keeps_pointers() {
            return Ok(());
        }
        let region = arn.region();
        let query = Query { region: Some(region.clone()), ..Query::default() };
        let recorded = self.catalog.layer_versions(&query).await?;
        let recorded = recorded.iter().map(|version| pointer_of(&version.build, region));
        let mut pointers: Vec<OwedPointer> = recorded
            .filter(|pointer| arn.name().is_for(pointer.target, &pointer.package))
            .collect();
        // The catalog may have no records of the layer any more.
        pointers.extend(arn.name().candidates().into_iter().map(|(target, package)| OwedPointer {
            region: region.clone(),
            target,
            package,
        }));
        for pointer in pointers {
            let OwedPointer { target, package, .. } = &pointer;
            let names = self.publisher.pointed(region, *target, package).await?;
            if names.is_some_and(|names| names == arn.to_string()) {
                self.move_to_latest(&pointer).await?;
            }
        }
        Ok(())
    }
}
