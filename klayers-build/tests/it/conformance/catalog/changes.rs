use klayers_catalog::{Changes, Listed};

use super::*;

fn change(name: &str, in_region: Option<&str>) -> Listed {
    Listed { target: target("p3.12"), package: package(name), region: in_region.map(region) }
}

pub(crate) async fn changes_are_reported_once_since_a_given_number(home: &impl Home) {
    let catalog = home.open();
    let new = catalog.changes(None).await.unwrap();
    assert_eq!(new.layers, None);
    let nothing = Changes { until: new.until, layers: Some(vec![]) };
    assert_eq!(catalog.changes(Some(new.until)).await.unwrap(), nothing);

    publish(&*catalog, &build("p3.12", "requests", "1"), "eu-west-1", 1).await;
    publish(&*catalog, &build("p3.12", "Pillow", "1"), "eu-west-2", 1).await;
    publish(&*catalog, &build("p3.12", "requests", "2"), "eu-west-1", 2).await;
    let changes = home.open().changes(Some(new.until)).await.unwrap();
    assert!(changes.until > new.until);
    let all = [
        change("pillow", None),
        change("pillow", Some("eu-west-2")),
        change("requests", None),
        change("requests", Some("eu-west-1")),
    ];
    assert_eq!(changes.layers.as_deref(), Some(&all[..]));

    publish(&*catalog, &build("p3.12", "Pillow", "2"), "eu-west-2", 2).await;
    let later = catalog.changes(Some(changes.until)).await.unwrap();
    assert_eq!(later.layers.as_deref(), Some(&all[..2]));
    // A number from another catalog is unknown here.
    let of_another = catalog.changes(Some(later.until + 1)).await.unwrap();
    assert_eq!(of_another, Changes { until: later.until, layers: None });
    assert_eq!(catalog.changes(None).await.unwrap(), of_another);
}

pub(crate) async fn every_change_of_the_listing_is_reported(home: &impl Home) {
    let catalog = home.open();
    let arns = three(&*catalog, "requests").await;
    let passed = GateReport::without_imports(vec![]);
    let latest = build("p3.12", "requests", "3");
    catalog.record_gate_report(digest(&latest), &passed).await.unwrap();
    let mut until = catalog.changes(None).await.unwrap().until;
    let here = change("requests", Some("eu-west-1"));
    let mut told = async |what: &str, expected: &[Listed]| {
        let changes = catalog.changes(Some(until)).await.unwrap();
        assert_eq!(changes.layers.as_deref(), Some(expected), "{what}");
        until = changes.until;
    };
    let yank = Yank { reason: "it is broken".to_owned(), at: at("2026-11-20T10:00:00Z") };

    catalog.begin(&intent(&latest, "eu-west-1")).await.unwrap();
    told("an intent is not listed", &[]).await;
    catalog.abandon(&intent(&latest, "eu-west-1")).await.unwrap();
    catalog.record_gate_report(digest(&latest), &passed).await.unwrap();
    told("the same report", &[]).await;
    let empty = GateReport::without_imports(vec![Finding::Empty]);
    catalog.record_gate_report(digest(&latest), &empty).await.unwrap();
    told("another report of the gate", std::slice::from_ref(&here)).await;
    catalog.yank(&arns[1], &yank, expiry()).await.unwrap();
    told("a yank of a deprecated one", std::slice::from_ref(&here)).await;
    catalog.yank(&arns[2], &yank, expiry()).await.unwrap();
    told("a yank of the latest", std::slice::from_ref(&here)).await;
    catalog.begin_deletion(&arns[1], expiry()).await.unwrap();
    told("a deletion", std::slice::from_ref(&here)).await;
    catalog.end_deletion(&arns[1]).await.unwrap();
    told("the end of a deletion", &[]).await;
    catalog.record_loss(&arns[0], expiry()).await.unwrap();
    told("a loss", std::slice::from_ref(&here)).await;
    catalog.record_build(&build("p3.12", "requests", "2")).await.unwrap();
    told("a build", &[change("requests", None)]).await;
}
