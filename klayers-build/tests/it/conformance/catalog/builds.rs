//! Builds.

use super::*;

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

pub(crate) async fn builds_that_differ_only_in_time_are_one(home: &impl Home) {
    let catalog = home.open();
    let first = build("p3.12", "requests", "2.32.5");
    let later = Build { created_at: Some(at("2026-12-06T02:00:00Z")), ..first.clone() };
    catalog.record_build(&first).await.unwrap();
    catalog.record_build(&later).await.unwrap();
    assert_eq!(catalog.latest_builds(None).await.unwrap(), std::slice::from_ref(&first));
    publish(&*catalog, &later, "eu-west-1", 1).await;
    assert_eq!(all(&*catalog).await[0].build, first);
}

pub(crate) async fn earlier_build_can_become_latest_again(home: &impl Home) {
    let catalog = home.open();
    let [old, new] = ["2.32.4", "2.32.5"].map(|version| build("p3.12", "requests", version));
    for build in [&old, &new, &old] {
        catalog.record_build(build).await.unwrap();
    }
    assert_eq!(catalog.latest_builds(None).await.unwrap(), [old]);
}

pub(crate) async fn builds_are_stored_exactly(home: &impl Home) {
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
            created_at: Some(created_at),
            dependencies: Vec::new(),
            ..build("p3.12", "Ruamel.Yaml", &format!("1!2022.06.15.{index}rc1+local"))
        };
        let exact = with_content(
            exact,
            Content {
                digest: Digest::of(b"exact"),
                size: u64::from(u32::MAX) + 1,
                unzipped_size: i64::MAX.unsigned_abs(),
            },
        );
        catalog.record_build(&exact).await.unwrap();
        let recorded = catalog.latest_builds(None).await.unwrap().remove(0);
        assert_eq!(recorded, exact);
        assert_eq!(recorded.version.to_string(), exact.version.to_string());
        assert_eq!(recorded.package.spelling(), "Ruamel.Yaml");
    }
}

pub(crate) async fn imported_layers_are_stored_like_built_ones(home: &impl Home) {
    let catalog = home.open();
    let locked = build("p3.8", "spacy_model_en_small", "2.2.5");
    let content = *locked.content().unwrap();
    let imported = Build { origin: Origin::Imported { content }, ..locked.clone() };
    for build in [&locked, &imported] {
        catalog.record_build(build).await.unwrap();
        // The two builds are not confused.
        assert_eq!(catalog.latest_builds(None).await.unwrap(), std::slice::from_ref(build));
    }
    catalog.begin(&intent(&imported, "eu-west-1")).await.unwrap();
    assert_eq!(catalog.under_way().await.unwrap(), [intent(&imported, "eu-west-1")]);
    publish(&*catalog, &imported, "eu-west-2", 1).await;
    assert_eq!(all(&*catalog).await, [published(&imported, "eu-west-2", 1)]);
}

pub(crate) async fn gate_reports_are_stored_by_content(home: &impl Home) {
    let catalog = home.open();
    let report = |reason: &str| GateReport {
        findings: vec![Finding::Empty],
        imports: ImportReport::NotRun { reason: reason.to_owned() },
    };
    let [one, other] = [b"one", b"two"].map(|content| Digest::of(content));
    assert_eq!(catalog.gate_report(one).await.unwrap(), None);
    // The gate report comes first, so that there is no build without one.
    catalog.record_gate_report(one, &report("first")).await.unwrap();
    assert_eq!(catalog.gate_report(one).await.unwrap(), Some(report("first")));
    catalog.record_gate_report(one, &report("again, with \"quotes\"")).await.unwrap();
    assert_eq!(home.open().gate_report(one).await.unwrap(), Some(report("again, with \"quotes\"")));
    assert_eq!(catalog.gate_report(other).await.unwrap(), None);
}

pub(crate) async fn builds_are_found_by_their_content(home: &impl Home) {
    let catalog = home.open();
    let requests = build("p3.12", "requests", "1");
    // The layers of two targets may have the same content.
    let twin = Build { target: target("p3.12-arm64"), ..requests.clone() };
    for build in [&twin, &requests, &build("p3.12", "numpy", "1")] {
        catalog.record_build(build).await.unwrap();
    }
    let content = digest(&requests);
    assert_eq!(catalog.builds_of(content).await.unwrap(), [requests, twin]);
    assert_eq!(catalog.builds_of(Digest::of(b"unknown")).await.unwrap(), []);
}
