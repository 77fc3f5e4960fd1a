//! Publications: begun, completed, abandoned.

use super::*;

pub(crate) async fn publication_requires_recorded_build(home: &impl Home) {
    let catalog = home.open();
    let build = build("p3.12", "requests", "2.32.5");
    let error = catalog.begin(&intent(&build, "eu-west-1")).await.unwrap_err();
    assert!(
        matches!(error, CatalogError::UnknownBuild(unknown) if unknown == digest(&build)),
        "{error:?}"
    );
    assert_eq!(catalog.under_way().await.unwrap(), []);
}

pub(crate) async fn layer_has_one_publication_under_way_at_a_time(home: &impl Home) {
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

pub(crate) async fn publication_under_way_keeps_its_build(home: &impl Home) {
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

pub(crate) async fn abandoning_ends_only_that_publication(home: &impl Home) {
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

pub(crate) async fn attempt_time_and_stuck_reason_are_stored(home: &impl Home) {
    let catalog = home.open();
    let build = build("p3.12", "requests", "2.32.5");
    catalog.record_build(&build).await.unwrap();
    let [here, elsewhere] = ["eu-west-1", "us-east-1"].map(|place| intent(&build, place));
    for begun in [&here, &elsewhere] {
        catalog.begin(begun).await.unwrap();
    }
    let later = at("2026-11-01T02:31:00.000000007Z");
    catalog.record_attempt(&here, later).await.unwrap();
    let attempted = Intent { attempted_at: Some(later), ..here.clone() };
    assert_eq!(catalog.under_way().await.unwrap(), [attempted, elsewhere.clone()]);
    // Neither field identifies a publication.
    catalog.mark_stuck(&elsewhere, "its policy is somebody else's").await.unwrap();
    let under_way = catalog.under_way().await.unwrap();
    assert_eq!(under_way[1].stuck.as_deref(), Some("its policy is somebody else's"));
    assert_eq!((under_way[0].stuck.as_ref(), &under_way[1].layer), (None, &elsewhere.layer));
    catalog.abandon(&here).await.unwrap();
    catalog.record_attempt(&here, later).await.unwrap();
    catalog.mark_stuck(&here, "x").await.unwrap();
    assert_eq!(catalog.under_way().await.unwrap(), under_way[1..]);
}

pub(crate) async fn completing_makes_version_latest_and_deprecates_previous(home: &impl Home) {
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

pub(crate) async fn layer_with_other_name_is_superseded_too(home: &impl Home) {
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

pub(crate) async fn completing_twice_equals_completing_once(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    publish(&*catalog, &new, "eu-west-1", 2).await;
    let before = all(&*catalog).await;
    for (build, number) in [(&new, 2), (&old, 1)] {
        let version = LayerVersion {
            created_at: Some(at("2030-01-01T00:00:00Z")),
            ..published(build, "eu-west-1", number)
        };
        catalog.complete(&version, at("2031-01-01T00:00:00Z")).await.unwrap();
        assert_eq!(all(&*catalog).await, before);
    }

    // A publication is also settled by a version that is already recorded.
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

pub(crate) async fn completing_retired_version_keeps_latest(home: &impl Home) {
    let catalog = home.open();
    let [old, new, newest] =
        ["2.32.4", "2.32.5", "2.32.6"].map(|version| build("p3.12", "requests", version));
    publish(&*catalog, &old, "eu-west-1", 1).await;
    let mut expected = vec![published(&old, "eu-west-1", 1)];
    let yank = Yank { reason: "it leaks".to_owned(), at: at("2026-11-20T10:00:00.5Z") };
    for (number, build, yanked) in [(2, &new, Some(yank)), (3, &newest, None)] {
        catalog.record_build(build).await.unwrap();
        catalog.begin(&intent(build, "eu-west-1")).await.unwrap();
        let status = Status::Deprecated { expires_at: expiry(), yanked };
        let retired = LayerVersion { status, ..published(build, "eu-west-1", number) };
        for _ in 0..2 {
            catalog.complete_retired(&retired).await.unwrap();
        }
        assert_eq!(catalog.under_way().await.unwrap(), []);
        expected.insert(1, retired);
        assert_eq!(all(&*catalog).await, expected);
    }
    assert_eq!(catalog.yanked_builds(target("p3.12")).await.unwrap(), [new]);
    let latest = published(&newest, "eu-west-1", 4);
    let error = catalog.complete_retired(&latest).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotRetired(arn) if arn == latest.arn));
    assert_eq!(all(&*catalog).await, expected);
}

pub(crate) async fn arn_cannot_be_recorded_with_other_content(home: &impl Home) {
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

pub(crate) async fn completing_requires_recorded_build(home: &impl Home) {
    let catalog = home.open();
    let version = published(&build("p3.12", "requests", "2.32.5"), "eu-west-1", 1);
    let error = catalog.complete(&version, expiry()).await.unwrap_err();
    assert!(
        matches!(error, CatalogError::UnknownBuild(unknown) if unknown == digest(&version.build))
    );
    assert_eq!(all(&*catalog).await, []);
}

pub(crate) async fn only_one_of_concurrent_publications_begins(home: &impl Home) {
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

pub(crate) async fn only_one_of_concurrent_completions_is_latest(home: &impl Home) {
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
