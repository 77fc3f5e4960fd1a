use std::collections::HashSet;

use klayers_core::api::{Format, Route};

use super::Address;
use klayers_catalog::Listed;

/// The addresses whose documents a change may have made stale.
pub fn stale_addresses(changes: &[Listed]) -> HashSet<Address> {
    let mut addresses = HashSet::new();
    for Listed { target, package, region } in changes {
        let (target, package) = (*target, package.clone());
        addresses.insert(Address::Feed);
        let Some(region) = region.clone() else {
            addresses.insert(Address::Api(Route::LatestBuilds { target }));
            continue;
        };
        for format in [Format::Json, Format::Csv, Format::Html] {
            let region = region.clone();
            addresses.insert(Address::Api(Route::Latest { target, region, format }));
        }
        // A package named like a format (`csv`) has no address of its own here.
        if package.normalized().parse::<Format>().is_err() {
            addresses.insert(Address::Api(Route::LatestPackage {
                target,
                region: region.clone(),
                package: package.clone(),
            }));
        }
        let (of_region, of_package) = (region.clone(), package.clone());
        addresses.insert(Address::Api(Route::Releases {
            target,
            region: of_region,
            package: of_package,
        }));
        addresses.insert(Address::Api(Route::Package { package: package.clone() }));
        addresses.insert(Address::Package(package.clone()));
        addresses.insert(Address::Api(Route::Versions { target, region, package }));
        addresses.insert(Address::List(target));
        addresses.insert(Address::Api(Route::Targets));
        addresses.insert(Address::Api(Route::Regions));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_makes_all_documents_of_a_layer_stale() {
        let change = Listed {
            target: "p3.12".parse().unwrap(),
            package: "Pillow".parse().unwrap(),
            region: Some("eu-west-1".parse().unwrap()),
        };
        let mut paths: Vec<String> =
            stale_addresses(&[change.clone(), change]).iter().map(ToString::to_string).collect();
        paths.sort();
        let expected = [
            "/api/v2/p3.12/layers/eu-west-1/pillow",
            "/api/v2/p3.12/layers/latest/eu-west-1",
            "/api/v2/p3.12/layers/latest/eu-west-1/csv",
            "/api/v2/p3.12/layers/latest/eu-west-1/html",
            "/api/v2/p3.12/layers/latest/eu-west-1/pillow",
            "/api/v2/p3.12/renovate/eu-west-1/pillow",
            "/api/v2/packages/pillow",
            "/api/v2/regions",
            "/api/v2/targets",
            "/feed.atom",
            "/lists/p3.12.md",
            "/packages/pillow",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn package_named_like_a_format_does_not_make_the_list_of_that_format_stale() {
        let change = Listed {
            target: "p3.12".parse().unwrap(),
            package: "CSV".parse().unwrap(),
            region: Some("eu-west-1".parse().unwrap()),
        };
        let is_list =
            |address: &Address| matches!(address, Address::Api(Route::LatestPackage { .. }));
        assert!(!stale_addresses(&[change]).iter().any(is_list));
    }
}
