//! Queries.

use klayers_catalog::Listed;

use super::*;

pub(crate) async fn queries_filter_by_each_field(home: &impl Home) {
    let catalog = home.open();
    let (pillow, arm) = (build("p3.12", "Pillow", "11"), build("p3.12-arm64", "Pillow", "11"));
    let requests = ["1", "2", "3"].map(|version| build("p3.12", "requests", version));
    for place in ["eu-west-1", "us-east-1"] {
        publish(&*catalog, &pillow, place, 1).await;
        publish(&*catalog, &arm, place, 1).await;
        for (build, number) in requests.iter().zip(1..) {
            publish(&*catalog, build, place, number).await;
        }
        let deleted = arn(&requests[0], place, 1);
        catalog.begin_deletion(&deleted, expiry()).await.unwrap();
    }
    let everything = all(&*catalog).await;
    assert_eq!(everything.len(), 10);
    for of_target in [None, Some(target("p3.12")), Some(target("p3.13"))] {
        for of_region in [None, Some(region("us-east-1")), Some(region("us-east-2"))] {
            for of_package in [None, Some(package("PILLOW")), Some(package("numpy"))] {
                for include in [Include::Latest, Include::Existing, Include::All] {
                    let query = Query {
                        target: of_target,
                        region: of_region.clone(),
                        package: of_package.clone(),
                        include,
                    };
                    let expected: Vec<LayerVersion> = everything
                        .iter()
                        .filter(|version| {
                            let build = &version.build;
                            of_target.is_none_or(|target| target == build.target)
                                && of_region
                                    .as_ref()
                                    .is_none_or(|region| region == version.region())
                                && of_package.as_ref().is_none_or(|name| *name == build.package)
                                && match (include, &version.status) {
                                    (Include::All, _)
                                    | (_, Status::Latest)
                                    | (Include::Existing, Status::Deprecated { .. }) => true,
                                    (Include::Latest | Include::Existing, _) => false,
                                }
                        })
                        .cloned()
                        .collect();
                    assert_eq!(
                        catalog.layer_versions(&query).await.unwrap(),
                        expected,
                        "{query:?}"
                    );
                }
            }
        }
    }
}

pub(crate) async fn versions_are_sorted(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["1", "2"].map(|version| build("p3.12", "zope-interface", version));
    let expected = [
        arn(&build("p3.9", "requests", "1"), "eu-west-1", 1),
        arn(&build("p3.10", "requests", "1"), "eu-west-1", 1),
        arn(&build("p3.12", "Zope", "1"), "eu-west-1", 1),
        arn(&new, "eu-west-1", 10),
        arn(&old, "eu-west-1", 9),
        arn(&old, "us-east-1", 1),
        arn(&build("p3.12-arm64", "a", "1"), "eu-west-1", 1),
    ];
    publish(&*catalog, &old, "us-east-1", 1).await;
    publish(&*catalog, &old, "eu-west-1", 9).await;
    publish(&*catalog, &new, "eu-west-1", 10).await;
    for (for_target, name) in
        [("p3.12-arm64", "a"), ("p3.12", "Zope"), ("p3.10", "requests"), ("p3.9", "requests")]
    {
        publish(&*catalog, &build(for_target, name, "1"), "eu-west-1", 1).await;
    }
    let arns: Vec<_> = all(&*catalog).await.into_iter().map(|version| version.arn).collect();
    assert_eq!(arns, expected);
}

pub(crate) async fn latest_comes_first_even_if_clock_was_set_back(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["1", "2"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    catalog.record_build(&new).await.unwrap();
    let version = LayerVersion {
        created_at: Some(at("2001-01-01T00:00:00Z")),
        ..published(&new, "eu-west-1", 2)
    };
    catalog.complete(&version, expiry()).await.unwrap();
    assert_eq!(all(&*catalog).await[0], version);
}

pub(crate) async fn targets_and_regions_come_from_layer_versions(home: &impl Home) {
    let catalog = home.open();
    catalog.record_build(&build("p3.14", "requests", "1")).await.unwrap();
    for for_target in ["p3.12-arm64", "p3.12", "p3.9"] {
        for place in ["us-east-1", "eu-west-1", "cn-north-1"] {
            publish(&*catalog, &build(for_target, "requests", "1"), place, 1).await;
        }
    }
    let targets = ["p3.9", "p3.12", "p3.12-arm64"].map(target);
    assert_eq!(catalog.targets().await.unwrap(), targets);
    let regions = ["cn-north-1", "eu-west-1", "us-east-1"].map(region);
    assert_eq!(catalog.regions().await.unwrap(), regions);
}

pub(crate) async fn listing_contains_existing_versions_and_latest_builds(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["1", "2"].map(|version| build("p3.12", "Pillow", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    publish(&*catalog, &new, "us-east-1", 1).await;
    let lost = arn(&new, "us-east-1", 1);
    catalog.record_loss(&lost, expiry()).await.unwrap();
    let mut listed: Vec<String> = (catalog.listing().await.unwrap().into_iter())
        .map(|Listed { target, package, region }| {
            format!("{target} {} {region:?}", package.normalized())
        })
        .collect();
    listed.sort();
    assert_eq!(listed, ["p3.12 pillow None", r#"p3.12 pillow Some(Region("eu-west-1"))"#]);
}

pub(crate) async fn new_catalog_is_empty(home: &impl Home) {
    let catalog = home.open();
    assert_eq!(catalog.latest_builds(None).await.unwrap(), []);
    assert_eq!(all(&*catalog).await, []);
    assert_eq!(catalog.under_way().await.unwrap(), []);
    assert_eq!(catalog.targets().await.unwrap(), []);
    assert_eq!(catalog.regions().await.unwrap(), []);
    assert_eq!(catalog.deletions_under_way().await.unwrap(), []);
    assert_eq!(catalog.newest_time().await.unwrap(), None);
    assert_eq!(catalog.runs(1).await.unwrap(), []);
    assert_eq!(catalog.lease().await.unwrap(), None);
}

pub(crate) async fn reopened_catalog_has_same_records(home: &impl Home) {
    let [old, new] = ["1", "2"].map(|version| build("p3.12", "requests", version));
    let catalog = home.open();
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    catalog.begin_deletion(&arn(&old, "eu-west-1", 1), expiry()).await.unwrap();
    catalog.begin(&intent(&new, "us-east-1")).await.unwrap();
    let yank = Yank { reason: "it is broken".to_owned(), at: expiry() };
    catalog.yank(&arn(&new, "eu-west-1", 2), &yank, expiry()).await.unwrap();
    let lease = Lease { host: "one".to_owned(), process: 7, until: expiry() };
    assert!(catalog.replace_lease(None, Some(&lease)).await.unwrap());
    let said = everything(&*catalog).await;
    drop(catalog);
    assert_eq!(everything(&*home.open()).await, said);
}

pub(crate) async fn newest_time_includes_deleted_versions(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["1", "2"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 9).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    let newest = published(&old, "eu-west-1", 9).created_at;
    assert_eq!(catalog.newest_time().await.unwrap(), newest);
    catalog.begin_deletion(&arn(&old, "eu-west-1", 9), expiry()).await.unwrap();
    assert_eq!(catalog.newest_time().await.unwrap(), newest);
}
