use std::collections::{BTreeMap, BTreeSet, HashMap};

use klayers_core::api::Route;
use klayers_core::{PackageName, Region, Target};

use super::Address;
use klayers_catalog::Listed;

/// An index of the layers that a catalog lists. It tells without a query whether an address has rows.
#[derive(Clone, Debug, Default)]
pub struct ListedLayers {
    /// The targets and regions in which a package has layers, by its normalised name.
    layers: HashMap<String, BTreeSet<(Target, Region)>>,
    /// The number of packages with a layer for a target in a region; never 0.
    lists: BTreeMap<(Target, Region), usize>,
    /// The targets with builds.
    builds: BTreeSet<Target>,
}

impl ListedLayers {
    /// Builds the index of all listed layers.
    pub fn new(listed: &[Listed]) -> Self {
        let mut layers = Self::default();
        for layer in listed {
            layers.set(layer, true);
        }
        layers
    }

    /// Records whether a layer is listed. The targets of builds are never removed.
    pub fn set(&mut self, layer: &Listed, is_listed: bool) {
        let Listed { target, package, region } = layer;
        let Some(region) = region else {
            self.builds.insert(*target);
            return;
        };
        let (name, place) = (package.normalized(), (*target, region.clone()));
        if is_listed {
            let of_package = self.layers.entry(name.to_owned()).or_default();
            if of_package.insert(place.clone()) {
                *self.lists.entry(place).or_default() += 1;
            }
        } else if let Some(of_package) = self.layers.get_mut(name)
            && of_package.remove(&place)
        {
            if of_package.is_empty() {
                self.layers.remove(name);
            }
            if let Some(count) = self.lists.get_mut(&place) {
                *count -= 1;
                if *count == 0 {
                    self.lists.remove(&place);
                }
            }
        }
    }

    /// Whether the document at an address may have content. True for documents that always exist.
    pub fn may_have_content(&self, address: &Address) -> bool {
        match address {
            Address::Api(route) => self.route_has_content(route),
            Address::List(target) => self.lists.keys().any(|(listed, _)| listed == target),
            Address::Package(package) => self.layers.contains_key(package.normalized()),
            _ => true,
        }
    }

    fn route_has_content(&self, route: &Route) -> bool {
        match route {
            Route::Latest { target, region, .. } => {
                self.lists.contains_key(&(*target, region.clone()))
            }
            Route::LatestPackage { target, region, package }
            | Route::Versions { target, region, package }
            | Route::Releases { target, region, package } => {
                self.has_layer(package, *target, region)
            }
            Route::LatestBuilds { target } => self.builds.contains(target),
            Route::Package { package } => self.layers.contains_key(package.normalized()),
            _ => true,
        }
    }

    fn has_layer(&self, package: &PackageName, target: Target, region: &Region) -> bool {
        let of_package = self.layers.get(package.normalized());
        of_package.is_some_and(|places| places.contains(&(target, region.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(package: &str, region: Option<&str>) -> Listed {
        Listed {
            target: "p3.12".parse().unwrap(),
            package: package.parse().unwrap(),
            region: region.map(|region| region.parse().unwrap()),
        }
    }

    #[test]
    fn addresses_of_a_layer_have_content_while_it_is_listed() {
        let here = Some("eu-west-1");
        let mut layers = ListedLayers::new(&[
            listed("Zope.Interface", here),
            listed("requests", here),
            listed("requests", None),
        ]);
        let shown = |layers: &ListedLayers| -> Vec<&str> {
            [
                "/packages/zope-interface",
                "/api/v2/packages/zope-interface",
                "/api/v2/p3.12/layers/latest/eu-west-1/zope_interface",
                "/api/v2/p3.12/layers/eu-west-1/requests",
                "/api/v2/p3.12/renovate/eu-west-1/requests",
                "/api/v2/p3.12/layers/latest/eu-west-1/csv",
                "/lists/p3.12.md",
                "/api/v2/p3.12/builds/latest",
                "/api/v2/p3.12/layers/eu-west-2/requests",
                "/api/v2/p3.13/layers/eu-west-1/requests",
                "/api/v2/p3.13/builds/latest",
                "/lists/p3.13.md",
                "/packages/numpy",
                "/feed.atom",
            ]
            .into_iter()
            .filter(|path| layers.may_have_content(&path.parse().unwrap()))
            .collect()
        };
        assert_eq!(shown(&layers).len(), 9);
        layers.set(&listed("zope-interface", here), false);
        layers.set(&listed("zope-interface", here), false);
        assert_eq!(shown(&layers).len(), 6);
        layers.set(&listed("requests", here), false);
        assert_eq!(shown(&layers), ["/api/v2/p3.12/builds/latest", "/feed.atom"]);
    }
}
