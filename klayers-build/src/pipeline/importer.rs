use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use klayers_core::{
    Build, Content, ExpiryPolicy, LayerName, LayerVersionArn, Origin, PackageName, PackageVersion,
    Pin, Region, Target, requirements_hash,
};

use super::completion::Completion;
use super::lane::Lanes;
use super::pointers::pointer_of;
use super::preparation::{Preparation, Preparer};
use super::publication::Publishing;
use super::settling::SettledPublications;
use super::stop::Stop;
use super::{PARALLEL_REGIONS, split};
use crate::Error;
use crate::plan::Wanted;
use klayers_catalog::artifacts::Artifacts;
use klayers_catalog::{Catalog, OwedPointer, Query};
use klayers_layer::import::{HandMadeZip, ImportError};
use klayers_publish::Publisher;

/// Imports layers that were made by hand: stores, records and publishes them like built layers,
/// outside the monthly run.
///
/// A run works only on the layers that the collection lists. So a listed layer cannot be imported:
/// the next run would replace it.
#[derive(Clone, Debug)]
pub struct Importer {
    /// Keeps the records.
    pub catalog: Arc<dyn Catalog>,
    /// Stores the zips.
    pub artifacts: Arc<dyn Artifacts>,
    /// Publishes layers.
    pub publisher: Arc<dyn Publisher>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
    /// Whether published layer versions are made public.
    pub public: bool,
    /// Time limit for publishing one layer in one region.
    pub deadline: Duration,
    /// Names of the layers that the collection lists.
    pub listed: BTreeSet<LayerName>,
    /// Whether to publish even if this layer or a listed one exists in regions for which the
    /// catalog has no records.
    pub new_collection: bool,
    /// Returns the current time, like [`Pipeline::clock`].
    ///
    /// [`Pipeline::clock`]: super::Pipeline::clock
    pub clock: fn() -> Timestamp,
}

/// The identity of a layer that was made by hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayerImport {
    /// Target for which it was made.
    pub target: Target,
    /// Name under which it is listed, in place of a package name.
    pub package: PackageName,
    /// Version of the layer's content.
    pub version: PackageVersion,
    /// Name of the layer.
    pub layer: LayerName,
    /// Licence, if known.
    pub license: Option<String>,
}

impl LayerImport {
    /// Checks that the collection does not build the layer itself.
    ///
    /// # Errors
    ///
    /// [`ImportError::Listed`] if it does.
    pub fn refuse_listed(&self, wanted: &[Wanted]) -> Result<(), ImportError> {
        let same = |wanted: &Wanted| {
            let listed_as = (wanted.target, wanted.contents.name());
            wanted.layer == self.layer || listed_as == (self.target, &self.package)
        };
        if wanted.iter().any(same) {
            return Err(ImportError::Listed(self.layer.clone()));
        }
        Ok(())
    }
}

/// What was done for an imported layer.
#[derive(Debug)]
pub struct ImportedLayer {
    /// The latest build.
    pub build: Build,
    /// For each region, the published version or the error. Regions that already had the layer are
    /// left out.
    pub published: BTreeMap<Region, Result<LayerVersionArn, Error>>,
    /// Pointers to the layer, and pointers that an earlier run owed, that could not be moved. The
    /// next run moves them.
    pub unmoved: BTreeMap<OwedPointer, Error>,
}

impl Importer {
    /// Imports a zip and publishes it in all regions where it is not already the latest.
    ///
    /// # Errors
    ///
    /// If the zip is refused, cannot be stored or cannot be recorded. Also
    /// [`UnrecordedLayersError`](super::UnrecordedLayersError) if the catalog may have been lost.
    /// Nothing is published in these cases.
    pub async fn import(
        &self,
        zip: &Path,
        import: LayerImport,
        regions: &[Region],
        now: Timestamp,
    ) -> Result<ImportedLayer, Error> {
        let stop = Stop::default();
        let publishing = Publishing {
            completion: Completion {
                catalog: &*self.catalog,
                publisher: &*self.publisher,
                expiry: &self.expiry,
                public: self.public,
            },
            artifacts: &*self.artifacts,
            clock: self.clock,
            stop: &stop,
        };
        let (zip, staging) = (zip.to_owned(), self.artifacts.staging().to_owned());
        let taking = tokio::task::spawn_blocking(move || HandMadeZip::take(&zip, &staging));
        let zip = match taking.await {
            Ok(outcome) => outcome?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let mut layers = self.listed.clone();
        layers.insert(import.layer.clone());
        let preparer = Preparer {
            publishing,
            layers: &layers,
            new_collection: self.new_collection,
            deadline: self.deadline,
            now,
        };
        let mut preparation = Preparation::begin(preparer, regions).await?;
        let SettledPublications { failed, stuck, mut unmoved, .. } = preparation.all().await?;
        let lanes = Lanes::new(regions, self.deadline, stop.clone());
        lanes.block(&stuck);
        for (region, error) in failed {
            lanes.close(&region, &error);
        }
        let build = build(&import, &zip, now);
        self.artifacts.put(zip.file, zip.digest).await?;
        self.catalog.record_build(&build).await?;
        let query = Query {
            target: Some(build.target),
            package: Some(build.package.clone()),
            ..Query::default()
        };
        let latest = self.catalog.layer_versions(&query).await?;
        let missing = regions.iter().filter(|region| {
            !latest.iter().any(|version| {
                version.region() == *region
                    && version.build.content_digest() == build.content_digest()
            })
        });
        let outcomes = stream::iter(missing)
            .map(|region| async {
                let publication = publishing.publish(region, &import.layer, &build, now);
                let publisher = &*self.publisher;
                let lane = lanes.publish(publisher, region, &import.layer, publication);
                let outcome = lane.await;
                outcome.map(|outcome| (region.clone(), outcome))
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .filter_map(std::future::ready)
            .collect()
            .await;
        let (published, failed) = split(outcomes);
        let pointers =
            failed.into_iter().map(|(region, error)| (pointer_of(&build, &region), error));
        unmoved.extend(pointers);
        Ok(ImportedLayer { build, published, unmoved })
    }
}

fn build(import: &LayerImport, zip: &HandMadeZip, now: Timestamp) -> Build {
    let LayerImport { target, package, version, license, .. } = import.clone();
    let itself = Pin { name: package.to_normalized(), version: version.clone() };
    Build {
        target,
        package,
        version,
        requirements_hash: requirements_hash([&itself]),
        dependencies: vec![itself],
        origin: Origin::Imported {
            content: Content {
                digest: zip.digest,
                size: zip.size,
                unzipped_size: zip.unzipped_size,
            },
        },
        license,
        created_at: Some(now),
    }
}
