//! Layers that exist although the catalog has no records: distinguishes a lost catalog from a new
//! collection.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use klayers_core::{LayerName, Region};

use super::PARALLEL_REGIONS;
use super::publication::Publishing;
use crate::Error;
use crate::error::UnrecordedLayersError;
use klayers_catalog::{CatalogError, Include, Query};

impl Publishing<'_> {
    /// Asks the publisher whether these layers exist in regions for which the catalog has no
    /// records. Returns the regions where this could not be determined.
    ///
    /// # Errors
    ///
    /// [`UnrecordedLayersError`] if some exist. Also if the catalog cannot be read.
    pub(super) async fn refuse_unrecorded(
        &self,
        layers: &BTreeSet<LayerName>,
        regions: impl Iterator<Item = &Region>,
    ) -> Result<BTreeMap<Region, Error>, Error> {
        let mut recorded = self.completion.catalog.regions().await?;
        // Regions with publications under way are known, even if those could not be settled.
        let under_way = self.completion.catalog.under_way().await?;
        recorded.extend(under_way.into_iter().map(|intent| intent.region));
        let mut empty = Vec::new();
        for region in regions.filter(|region| !recorded.contains(region)) {
            if !self.has_records(region).await? {
                empty.push(region.clone());
            }
        }
        let answers: Vec<_> = stream::iter(empty)
            .map(|region| async move {
                let layers = self.completion.publisher.layers(&region).await;
                (region, layers)
            })
            .buffer_unordered(PARALLEL_REGIONS)
            .collect()
            .await;
        let mut found = BTreeMap::new();
        let mut failed = BTreeMap::new();
        for (region, answer) in answers {
            match answer {
                Ok(there) => {
                    let ours: BTreeSet<LayerName> =
                        there.into_iter().filter(|layer| layers.contains(layer)).collect();
                    if !ours.is_empty() {
                        found.insert(region, ours);
                    }
                }
                Err(error) => {
                    failed.insert(region, error.into());
                }
            }
        }
        if found.is_empty() { Ok(failed) } else { Err(UnrecordedLayersError { found }.into()) }
    }

    /// Whether there is any record of a region, including deleted versions.
    async fn has_records(&self, region: &Region) -> Result<bool, CatalogError> {
        let query =
            Query { region: Some(region.clone()), include: Include::All, ..Query::default() };
        Ok(!self.completion.catalog.layer_versions(&query).await?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_layers_regions_and_remedies() {
        let layers = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let mut found = BTreeMap::from([("eu-west-1".parse().unwrap(), layers(&["K-p312-a"]))]);
        let message = UnrecordedLayersError { found: found.clone() }.to_string();
        assert!(message.starts_with("K-p312-a exist in eu-west-1, but the catalog"), "{message}");
        assert!(message.lines().count() <= 5, "{message}");
        for region in ["us-east-1", "us-east-2"] {
            found.insert(region.parse().unwrap(), layers(&["K-p312-a", "K-p312-b", "K-p312-c"]));
        }
        found.insert("eu-west-1".parse().unwrap(), layers(&["K-p312-a", "K-p312-b", "K-p312-c"]));
        let message = UnrecordedLayersError { found }.to_string();
        let head = "K-p312-a and 2 others exist in eu-west-1 and 2 other regions, but";
        assert!(message.starts_with(head), "{message}");
    }
}
