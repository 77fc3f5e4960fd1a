use std::collections::{BTreeMap, BTreeSet, HashMap};

use klayers_core::api::Route;
use klayers_core::{PackageName, Region, Target};

use super::Address;
use klayers_catalog::Listed;

/// What a catalog lists, without its rows: enough to tell in a lookup whether an address has any.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Where each package has layers, by its normalised name.
    layers: HashMap<String, BTreeSet<(Target, Region)>>,
    /// How many packages have a layer for a target in a region.
    lists: BTreeMap<(Target, Region), usize>,
    /// The targets that have builds.
    builds: BTreeSet<Target>,
}

impl Places {
    /// The places of what a catalog lists.
    pub fn new(listed: &[Listed]) -> Self {
        let mut places = Self::default();
        for one in listed {
            places.set(one, true);
        }
        places
    }

    /// Says whether something is listed from now on. A build that was listed stays.
    pub fn set(&mut self, one: &Listed, is_listed: bool) {
        let Listed { target, package, region } = one;
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

    /// Whether the catalog may have something to show at an address.
    pub fn has(&self, address: &Address) -> bool {
        match address {
            Address::Api(route) => self.has_route(route),
            Address::List(target) => self.lists.keys().any(|(listed, _)| listed == target),
            Address::Package(package) => self.layers.contains_key(package.normalized()),
            _ => true,
        }
    }

    fn has_route(&self, route: &Route) -> bool {
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
    fn what_is_listed_has_a_place_until_it_is_not() {
        let here = Some("eu-west-1");
        let mut places = Places::new(&[
            listed("Zope.Interface", here),
            listed("requests", here),
            listed("requests", None),
        ]);
        let shown = |places: &Places| -> Vec<&str> {
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
            .filter(|path| places.has(&path.parse().unwrap()))
            .collect()
        };
        assert_eq!(shown(&places).len(), 9);
        places.set(&listed("zope-interface", here), false);
        places.set(&listed("zope-interface", here), false);
        assert_eq!(shown(&places).len(), 6);
        places.set(&listed("requests", here), false);
        assert_eq!(shown(&places), ["/api/v2/p3.12/builds/latest", "/feed.atom"]);
    }
}
