//! What every catalog promises.

use std::sync::Arc;

use klayers_build::catalog::{Catalog, CatalogError, Include, Intent, Query};
use klayers_build::gate::{Finding, GateReport, ImportReport};
use klayers_core::{Build, Digest, LayerVersion, Origin, Status, Timestamp};

use crate::samples::{arn, at, build, intent, package, published, region, target};

/// Where a catalog lives. Whatever is opened there is the same catalog.
pub(crate) trait Home {
    fn open(&self) -> Arc<dyn Catalog>;
}

/// The tests of a catalog, each in the home that an expression makes.
macro_rules! catalog_promises {
    ($home:expr) => {
        $crate::conformance::promises! {
            $home; catalog:
            a_new_one_is_empty,
            each_package_has_one_latest_build,
            builds_that_differ_in_time_alone_are_one,
            an_earlier_build_becomes_the_latest_again,
            builds_are_kept_to_the_last_digit,
            layers_made_by_hand_are_kept_like_others,
            what_the_gate_said_is_kept_with_the_content,
            beginning_needs_a_recorded_build,
            one_publication_is_under_way_at_a_time,
            what_is_under_way_says_what_it_publishes,
            abandoning_ends_exactly_that_publication,
            completing_makes_the_latest_and_deprecates_the_one_before,
            a_layer_named_otherwise_is_superseded_too,
            completing_twice_is_completing_once,
            completing_leaves_other_publications_under_way,
            an_arn_belongs_to_one_content,
            completing_needs_a_recorded_build,
            the_latest_is_never_deleted,
            deleting_keeps_the_record_and_the_first_time,
            queries_restrict_what_they_say,
            versions_are_sorted,
            the_latest_comes_first_when_the_clock_was_set_back,
            targets_and_regions_are_those_of_layer_versions,
            of_many_that_begin_at_once_one_does,
            of_many_completed_at_once_one_is_the_latest,
            opened_again_it_says_the_same,
        }
    };
}

pub(crate) use catalog_promises;

pub(crate) async fn a_new_one_is_empty(home: &impl Home) {
    let catalog = home.open();
    assert_eq!(catalog.latest_builds(None).await.unwrap(), []);
    assert_eq!(all(&*catalog).await, []);
    assert_eq!(catalog.under_way().await.unwrap(), []);
    assert_eq!(catalog.targets().await.unwrap(), []);
    assert_eq!(catalog.regions().await.unwrap(), []);
}

pub(crate) async fn what_the_gate_said_is_kept_with_the_content(home: &impl Home) {
    let catalog = home.open();
    let report = |reason: &str| GateReport {
        findings: vec![Finding::Empty],
        imports: ImportReport::NotRun { reason: reason.to_owned() },
    };
    let [one, other] = [b"one", b"two"].map(|content| Digest::of(content));
    assert_eq!(catalog.gate(one).await.unwrap(), None);
    // Before the build itself is recorded, so that there is no build without it.
    catalog.record_gate(one, &report("first")).await.unwrap();
    assert_eq!(catalog.gate(one).await.unwrap(), Some(report("first")));
    catalog.record_gate(one, &report("again, with \"quotes\"")).await.unwrap();
    assert_eq!(home.open().gate(one).await.unwrap(), Some(report("again, with \"quotes\"")));
    assert_eq!(catalog.gate(other).await.unwrap(), None);
}

pub(crate) async fn each_package_has_one_latest_build(home: &impl Home) {
    let catalog = home.open();
    let expected = [
        build("p3.9", "Zope.Interface", "8.0"),
        build("p3.10", "requests", "2.32.5"),
        build("p3.12", "numpy", "2.3.4"),
        build("p3.12", "Pillow", "12.0.0"),
        build("p3.12-arm64", "numpy", "2.3.4"),
    ];
    catalog.record_build(&build("p3.12", "pillow", "11.0.0")).await.unwrap();
    for build in expected.iter().rev() {
        catalog.record_build(build).await.unwrap();
    }
    assert_eq!(catalog.latest_builds(None).await.unwrap(), expected);
    let of_one = catalog.latest_builds(Some(target("p3.12"))).await.unwrap();
    assert_eq!(of_one, expected[2..4]);
    assert_eq!(of_one[1].package.spelling(), "Pillow");
    assert_eq!(catalog.latest_builds(Some(target("p3.14"))).await.unwrap(), []);
}

pub(crate) async fn builds_that_differ_in_time_alone_are_one(home: &impl Home) {
    let catalog = home.open();
    let first = build("p3.12", "requests", "2.32.5");
    let later = Build { created_at: at("2026-12-06T02:00:00Z"), ..first.clone() };
    catalog.record_build(&first).await.unwrap();
    catalog.record_build(&later).await.unwrap();
    assert_eq!(catalog.latest_builds(None).await.unwrap(), std::slice::from_ref(&first));
    publish(&*catalog, &later, "eu-west-1", 1).await;
    assert_eq!(all(&*catalog).await[0].build, first);
}

pub(crate) async fn an_earlier_build_becomes_the_latest_again(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    for build in [&old, &new, &old] {
        catalog.record_build(build).await.unwrap();
    }
    assert_eq!(catalog.latest_builds(None).await.unwrap(), [old]);
}

pub(crate) async fn builds_are_kept_to_the_last_digit(home: &impl Home) {
    let catalog = home.open();
    let licenses = [
        None,
        Some(String::new()),
        Some("a 'quoted'; DROP TABLE builds; -- <b>\r\n\t\0 \u{202e}é\u{1f40d}".repeat(400)),
    ];
    let times = [
        at("2026-11-01T02:00:00.000000001Z"),
        Timestamp::MAX,
        at("1969-12-31T23:59:59.999999999Z"),
    ];
    for (index, (license, created_at)) in licenses.into_iter().zip(times).enumerate() {
        let exact = Build {
            license,
            created_at,
            code_size: u64::from(u32::MAX) + 1,
            unzipped_size: i64::MAX.unsigned_abs(),
            dependencies: Vec::new(),
            ..build("p3.12", "Ruamel.Yaml", &format!("1!2022.06.15.{index}rc1+local"))
        };
        catalog.record_build(&exact).await.unwrap();
        let recorded = catalog.latest_builds(None).await.unwrap().remove(0);
        assert_eq!(recorded, exact);
        assert_eq!(recorded.version.to_string(), exact.version.to_string());
        assert_eq!(recorded.package.spelling(), "Ruamel.Yaml");
    }
}

pub(crate) async fn layers_made_by_hand_are_kept_like_others(home: &impl Home) {
    let catalog = home.open();
    let locked = build("p3.8", "spacy_model_en_small", "2.2.5");
    let imported = Build { origin: Origin::Imported, ..locked.clone() };
    for build in [&locked, &imported] {
        catalog.record_build(build).await.unwrap();
        // The one is not taken for the other.
        assert_eq!(catalog.latest_builds(None).await.unwrap(), std::slice::from_ref(build));
    }
    catalog.begin(&intent(&imported, "eu-west-1")).await.unwrap();
    assert_eq!(catalog.under_way().await.unwrap(), [intent(&imported, "eu-west-1")]);
    publish(&*catalog, &imported, "eu-west-2", 1).await;
    assert_eq!(all(&*catalog).await, [published(&imported, "eu-west-2", 1)]);
}

pub(crate) async fn beginning_needs_a_recorded_build(home: &impl Home) {
    let catalog = home.open();
    let build = build("p3.12", "requests", "2.32.5");
    let error = catalog.begin(&intent(&build, "eu-west-1")).await.unwrap_err();
    assert!(
        matches!(error, CatalogError::UnknownBuild(digest) if digest == build.content_digest),
        "{error:?}"
    );
    assert_eq!(catalog.under_way().await.unwrap(), []);
}

pub(crate) async fn one_publication_is_under_way_at_a_time(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    let elsewhere = build("p3.12", "numpy", "2.3.4");
    for build in [&old, &new, &elsewhere] {
        catalog.record_build(build).await.unwrap();
    }
    let first = intent(&old, "eu-west-1");
    catalog.begin(&first).await.unwrap();
    for again in [&first, &intent(&new, "eu-west-1")] {
        match catalog.begin(again).await.unwrap_err() {
            CatalogError::UnderWay { region, layer } => {
                assert_eq!((region, layer), (first.region.clone(), first.layer.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(catalog.under_way().await.unwrap(), std::slice::from_ref(&first));
    catalog.begin(&intent(&old, "eu-west-2")).await.unwrap();
    catalog.begin(&intent(&elsewhere, "eu-west-1")).await.unwrap();
    catalog.abandon(&first).await.unwrap();
    catalog.begin(&intent(&new, "eu-west-1")).await.unwrap();
}

pub(crate) async fn what_is_under_way_says_what_it_publishes(home: &impl Home) {
    let catalog = home.open();
    let old = build("p3.12", "requests", "2.32.4");
    let other = build("p3.12", "Pillow", "12.0.0");
    for build in [&old, &other] {
        catalog.record_build(build).await.unwrap();
    }
    let expected =
        [intent(&other, "af-south-1"), intent(&old, "af-south-1"), intent(&other, "us-east-1")];
    for index in [2, 0, 1] {
        catalog.begin(&expected[index]).await.unwrap();
    }
    catalog.record_build(&build("p3.12", "requests", "2.32.5")).await.unwrap();
    assert_eq!(catalog.under_way().await.unwrap(), expected);
}

pub(crate) async fn abandoning_ends_exactly_that_publication(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    for build in [&old, &new] {
        catalog.record_build(build).await.unwrap();
    }
    let begun = intent(&old, "eu-west-1");
    catalog.begin(&begun).await.unwrap();
    for another in [
        intent(&new, "eu-west-1"),
        intent(&old, "eu-west-2"),
        Intent { begun_at: at("2026-11-01T02:10:00.000000001Z"), ..begun.clone() },
        intent(&build("p3.12", "requests", "0.1"), "eu-west-1"),
    ] {
        catalog.abandon(&another).await.unwrap();
    }
    assert_eq!(catalog.under_way().await.unwrap(), std::slice::from_ref(&begun));
    for _ in 0..2 {
        catalog.abandon(&begun).await.unwrap();
        assert_eq!(catalog.under_way().await.unwrap(), []);
    }
}

pub(crate) async fn completing_makes_the_latest_and_deprecates_the_one_before(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    let neighbour = build("p3.12-arm64", "requests", "2.32.4");
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &old, "eu-west-2", 1).await;
    publish(&*catalog, &neighbour, "eu-west-1", 1).await;

    catalog.record_build(&new).await.unwrap();
    catalog.begin(&intent(&new, "eu-west-1")).await.unwrap();
    let expires_at = at("2027-11-01T02:00:00.123456789Z");
    let version = LayerVersion {
        status: Status::Deleted { at: Timestamp::UNIX_EPOCH },
        ..published(&new, "eu-west-1", 2)
    };
    catalog.complete(&version, expires_at).await.unwrap();

    assert_eq!(catalog.under_way().await.unwrap(), []);
    assert_eq!(
        all(&*catalog).await,
        [
            published(&new, "eu-west-1", 2),
            LayerVersion {
                status: Status::Deprecated { expires_at, yanked: None },
                ..published(&old, "eu-west-1", 1)
            },
            published(&old, "eu-west-2", 1),
            published(&neighbour, "eu-west-1", 1),
        ]
    );
}

pub(crate) async fn a_layer_named_otherwise_is_superseded_too(home: &impl Home) {
    let catalog = home.open();
    let old = build("p3.12", "pillow", "11.0.0");
    let new = build("p3.12", "Pillow", "12.0.0");
    publish(&*catalog, &old, "eu-west-1", 41).await;
    publish(&*catalog, &new, "eu-west-1", 1).await;
    let versions = all(&*catalog).await;
    assert_eq!(versions[0], published(&new, "eu-west-1", 1));
    assert_eq!(versions[1].arn, arn(&old, "eu-west-1", 41));
    assert_eq!(versions[1].expires_at(), Some(expiry()));
}

pub(crate) async fn completing_twice_is_completing_once(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    let before = all(&*catalog).await;
    for (build, number) in [(&new, 2), (&old, 1)] {
        let version = LayerVersion {
            created_at: at("2030-01-01T00:00:00Z"),
            ..published(build, "eu-west-1", number)
        };
        catalog.complete(&version, at("2031-01-01T00:00:00Z")).await.unwrap();
        assert_eq!(all(&*catalog).await, before);
    }

    // A publication that is settled by a version that was recorded before is settled, too.
    catalog.begin(&intent(&new, "eu-west-1")).await.unwrap();
    catalog.complete(&published(&new, "eu-west-1", 2), expiry()).await.unwrap();
    assert_eq!(catalog.under_way().await.unwrap(), []);
    assert_eq!(all(&*catalog).await, before);
}

pub(crate) async fn completing_leaves_other_publications_under_way(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    for build in [&old, &new] {
        catalog.record_build(build).await.unwrap();
    }
    let others = [intent(&new, "eu-west-1"), intent(&old, "eu-west-2")];
    for other in &others {
        catalog.begin(other).await.unwrap();
    }
    catalog.complete(&published(&old, "eu-west-1", 1), expiry()).await.unwrap();
    assert_eq!(catalog.under_way().await.unwrap(), others);
}

pub(crate) async fn an_arn_belongs_to_one_content(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    catalog.record_build(&new).await.unwrap();
    catalog.begin(&intent(&new, "eu-west-1")).await.unwrap();
    let taken = published(&new, "eu-west-1", 1);
    let error = catalog.complete(&taken, expiry()).await.unwrap_err();
    assert!(matches!(error, CatalogError::Conflict(arn) if arn == taken.arn));
    assert_eq!(all(&*catalog).await, [published(&old, "eu-west-1", 1)]);
    assert_eq!(catalog.under_way().await.unwrap(), [intent(&new, "eu-west-1")]);
}

pub(crate) async fn completing_needs_a_recorded_build(home: &impl Home) {
    let catalog = home.open();
    let version = published(&build("p3.12", "requests", "2.32.5"), "eu-west-1", 1);
    let error = catalog.complete(&version, expiry()).await.unwrap_err();
    assert!(
        matches!(error, CatalogError::UnknownBuild(digest) if digest == version.build.content_digest)
    );
    assert_eq!(all(&*catalog).await, []);
}

pub(crate) async fn the_latest_is_never_deleted(home: &impl Home) {
    let catalog = home.open();
    let build = build("p3.12", "requests", "2.32.5");
    publish(&*catalog, &build, "eu-west-1", 1).await;
    for number in [1, 2] {
        let arn = arn(&build, "eu-west-1", number);
        let error = catalog.begin_deletion(&arn, expiry()).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotDeletable(which) if which == arn));
    }
    assert_eq!(all(&*catalog).await, [published(&build, "eu-west-1", 1)]);
}

pub(crate) async fn deleting_keeps_the_record_and_the_first_time(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    let first = at("2027-11-07T02:00:00.5Z");
    for time in [first, at("2027-12-05T02:00:00Z")] {
        catalog.begin_deletion(&arn(&old, "eu-west-1", 1), time).await.unwrap();
    }
    let versions = all(&*catalog).await;
    assert_eq!(versions[0], published(&new, "eu-west-1", 2));
    assert_eq!(versions[1].arn, arn(&old, "eu-west-1", 1));
    assert_eq!(versions[1].status, Status::Deleted { at: first });
    // Its number is not free again: what was published once stays recorded.
    catalog.complete(&published(&old, "eu-west-1", 1), expiry()).await.unwrap();
    assert_eq!(all(&*catalog).await, versions);
}

pub(crate) async fn queries_restrict_what_they_say(home: &impl Home) {
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

pub(crate) async fn the_latest_comes_first_when_the_clock_was_set_back(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["1", "2"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    catalog.record_build(&new).await.unwrap();
    let version =
        LayerVersion { created_at: at("2001-01-01T00:00:00Z"), ..published(&new, "eu-west-1", 2) };
    catalog.complete(&version, expiry()).await.unwrap();
    assert_eq!(all(&*catalog).await[0], version);
}

pub(crate) async fn targets_and_regions_are_those_of_layer_versions(home: &impl Home) {
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

pub(crate) async fn of_many_that_begin_at_once_one_does(home: &impl Home) {
    let build = build("p3.12", "requests", "2.32.5");
    home.open().record_build(&build).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (catalog, intent) = (home.open(), intent(&build, "eu-west-1"));
            tokio::spawn(async move { catalog.begin(&intent).await })
        })
        .collect();
    let mut begun = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => begun += 1,
            Err(CatalogError::UnderWay { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(begun, 1);
}

pub(crate) async fn of_many_completed_at_once_one_is_the_latest(home: &impl Home) {
    let build = build("p3.12", "requests", "2.32.5");
    home.open().record_build(&build).await.unwrap();
    let tasks: Vec<_> = (1..=16)
        .map(|number| {
            let (catalog, version) = (home.open(), published(&build, "eu-west-1", number));
            tokio::spawn(async move { catalog.complete(&version, expiry()).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let versions = all(&*home.open()).await;
    assert_eq!(versions.len(), 16);
    assert_eq!(versions[0].status, Status::Latest);
    let deprecated = Status::Deprecated { expires_at: expiry(), yanked: None };
    assert!(versions[1..].iter().all(|version| version.status == deprecated));
}

pub(crate) async fn opened_again_it_says_the_same(home: &impl Home) {
    let [old, new] = ["1", "2"].map(|version| build("p3.12", "requests", version));
    let catalog = home.open();
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    catalog.begin_deletion(&arn(&old, "eu-west-1", 1), expiry()).await.unwrap();
    catalog.begin(&intent(&new, "us-east-1")).await.unwrap();
    let said = everything(&*catalog).await;
    drop(catalog);
    assert_eq!(everything(&*home.open()).await, said);
}

fn expiry() -> Timestamp {
    at("2027-11-01T02:00:00Z")
}

async fn publish(catalog: &dyn Catalog, build: &Build, region: &str, number: u64) {
    catalog.record_build(build).await.unwrap();
    catalog.begin(&intent(build, region)).await.unwrap();
    catalog.complete(&published(build, region, number), expiry()).await.unwrap();
}

async fn all(catalog: &dyn Catalog) -> Vec<LayerVersion> {
    let query = Query { include: Include::All, ..Query::default() };
    catalog.layer_versions(&query).await.unwrap()
}

async fn everything(catalog: &dyn Catalog) -> (Vec<Build>, Vec<LayerVersion>, Vec<Intent>) {
    (
        catalog.latest_builds(None).await.unwrap(),
        all(catalog).await,
        catalog.under_way().await.unwrap(),
    )
}
