//! The pointers to the latest versions: which are to be moved is written down before, so that one that
//! could not be moved is moved by the next run.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use klayers_core::{Build, LayerVersion, LayerVersionArn, Region};
use tracing::warn;

use super::PARALLEL_REGIONS;
use crate::Error;
use crate::catalog::{Catalog, CatalogError, OwedPointer, Query};
use crate::error::in_one_line;
use crate::publish::{Pointer, PublishError, Publisher};

/// What moving pointers works with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pointers<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) publisher: &'a dyn Publisher,
}

/// Why a pointer could not be moved, if that holds for all pointers of its region.
pub(super) fn moves_none(error: &Error) -> Option<String> {
    match error {
        Error::Publish(PublishError::Pointer(source)) if source.concerns_region() => {
            Some(in_one_line(source))
        }
        _ => None,
    }
}

/// That a pointer was not moved since its region moves none, for this reason.
pub(super) fn not_asked(region: &Region, reason: &str) -> Error {
    let (region, reason) = (region.clone(), reason.to_owned());
    PublishError::Pointer(Box::new(PublishError::Closed { region, reason })).into()
}

/// The pointer of a layer in a region.
pub(super) fn pointer_of(build: &Build, region: &Region) -> OwedPointer {
    OwedPointer { region: region.clone(), target: build.target, package: build.package.clone() }
}

impl Pointers<'_> {
    /// Writes down that a pointer is to be moved, before the catalog says so that another version is
    /// the latest. Publishers that keep no pointers are owed none.
    pub(super) async fn owe(&self, pointer: &OwedPointer) -> Result<(), Error> {
        if self.publisher.keeps_pointers() {
            self.catalog.owe_pointer(pointer).await?;
        }
        Ok(())
    }

    /// Moves a pointer to what is recorded as the latest. It stays owed if that fails.
    ///
    /// # Errors
    ///
    /// [`PublishError::Pointer`] if the pointer could not be moved; or if the catalog cannot be read
    /// or written.
    pub(super) async fn pay(&self, owed: &OwedPointer) -> Result<(), Error> {
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

    /// Moves the pointers that are owed in these regions, the regions side by side. Returns those
    /// that could not be moved, and why.
    pub(super) async fn pay_all(
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
                    // A region that moves no pointer is asked once.
                    let paid = match &closed {
                        None => self.pay(&pointer).await,
                        Some(reason) => Err(not_asked(&pointer.region, reason)),
                    };
                    if let Err(error) = paid {
                        closed = closed.or_else(|| moves_none(&error));
                        warn!(target = %pointer.target, package = %pointer.package,
                            region = %pointer.region, error = in_one_line(&error),
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

    /// Whether the pointer of a layer version's layer still names it.
    pub(super) async fn names(&self, version: &LayerVersion) -> Result<bool, Error> {
        if !self.publisher.keeps_pointers() {
            return Ok(false);
        }
        let Build { target, package, .. } = &version.build;
        let names = self.publisher.pointed(version.region(), *target, package).await?;
        Ok(names.is_some_and(|names| names == version.arn.to_string()))
    }

    /// Moves the pointers away that still name a version which is about to be deleted, recorded or
    /// not.
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
        // Nothing may be recorded of its layer any more.
        pointers.extend(arn.name().readings().into_iter().map(|(target, package)| OwedPointer {
            region: region.clone(),
            target,
            package,
        }));
        for pointer in pointers {
            let OwedPointer { target, package, .. } = &pointer;
            let names = self.publisher.pointed(region, *target, package).await?;
            if names.is_some_and(|names| names == arn.to_string()) {
                self.pay(&pointer).await?;
            }
        }
        Ok(())
    }
}
