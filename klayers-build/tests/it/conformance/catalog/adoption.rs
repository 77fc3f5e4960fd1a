//! Records adopted from another collection.

use klayers_catalog::{Adoption, AdoptionError, Listed};

use super::*;

pub(crate) fn adopted(name: &str, version: &str) -> Build {
    let at = at("2026-11-20T02:00:00Z");
    let origin = Origin::Adopted { at };
    Build { origin, license: None, created_at: None, ..build("p3.12", name, version) }
}

/// A version whose time of publication is known only if its number is even.
fn version(build: &Build, place: &str, number: u64, status: Status) -> LayerVersion {
    let created_at =
        number.is_multiple_of(2).then(|| at(&format!("2025-11-{number:02}T02:00:00Z")));
    LayerVersion { arn: arn(build, place, number), build: build.clone(), created_at, status }
}

fn deprecated(expires: &str) -> Status {
    Status::Deprecated { expires_at: at(expires), yanked: None }
}

fn adoption(versions: Vec<LayerVersion>, latest_build: Option<Build>) -> Adoption {
    Adoption { target: target("p3.12"), package: package("requests"), versions, latest_build }
}

/// Version 1 is deleted, 2 is deprecated, and 3 is the latest.
fn three() -> Adoption {
    let [old, new] = ["2.32.4", "2.32.5"].map(|number| adopted("requests", number));
    let new = Build { created_at: Some(at("2026-01-01T02:00:00Z")), ..new };
    let gone = Status::Deleted { at: at("2025-01-01T02:00:00Z") };
    adoption(
        vec![
            version(&old, "eu-west-1", 1, gone),
            version(&old, "eu-west-1", 2, deprecated("2027-01-01T02:00:00Z")),
            version(&new, "eu-west-1", 3, Status::Latest),
            version(&new, "us-east-1", 1, Status::Latest),
        ],
        Some(new),
    )
}

pub(crate) async fn adopted_records_are_stored_without_content(home: &impl Home) {
    let catalog = home.open();
    let adoption = three();
    let plan = catalog.adopt(&adoption).await.unwrap();
    assert_eq!((plan.add.len(), plan.change.len(), plan.unchanged), (4, 0, 0));
    assert_eq!(plan.refused, [].into());
    let recorded = all(&*home.open()).await;
    let mut expected = adoption.versions.clone();
    // The latest of a region comes first, then the others from newest to oldest.
    expected.swap(0, 2);
    assert_eq!(recorded, expected);
    assert!(recorded.iter().all(|version| version.build.content().is_none()));
    let latest = catalog.latest_build(target("p3.12"), &package("Requests")).await.unwrap();
    assert_eq!(latest.unwrap().requirements_hash, recorded[0].build.requirements_hash);
    assert_eq!(catalog.newest_time().await.unwrap(), Some(at("2026-11-20T02:00:00Z")));
    let expired = catalog.expired(at("2028-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(expired, expected[1..2]);
}

pub(crate) async fn build_time_of_adopted_build_can_be_added_later(home: &impl Home) {
    let catalog = home.open();
    let mut adoption = three();
    let undated = |build: &mut Build| build.created_at = None;
    adoption.versions.iter_mut().for_each(|version| undated(&mut version.build));
    adoption.latest_build.iter_mut().for_each(undated);
    catalog.adopt(&adoption).await.unwrap();
    assert_eq!(all(&*catalog).await[0].build.created_at, None);
    catalog.adopt(&three()).await.unwrap();
    assert_eq!(catalog.latest_builds(None).await.unwrap(), [three().latest_build.unwrap()]);
    assert_eq!(all(&*catalog).await[0].build, three().latest_build.unwrap());
    catalog.adopt(&adoption).await.unwrap();
    assert_eq!(catalog.latest_builds(None).await.unwrap(), [three().latest_build.unwrap()]);
}

pub(crate) async fn adopting_twice_equals_adopting_once(home: &impl Home) {
    let catalog = home.open();
    catalog.adopt(&three()).await.unwrap();
    let before = everything(&*catalog).await;
    let mut later = three();
    // The same records, read on another day.
    for version in &mut later.versions {
        version.build.origin = Origin::Adopted { at: at("2026-12-01T02:00:00Z") };
    }
    let plan = catalog.adopt(&later).await.unwrap();
    assert_eq!((plan.is_empty(), plan.unchanged), (true, 4));
    assert_eq!(everything(&*catalog).await, before);
}

pub(crate) async fn repeated_adoption_follows_the_other_collection(home: &impl Home) {
    let catalog = home.open();
    catalog.adopt(&three()).await.unwrap();
    let mut later = three();
    let newest = adopted("requests", "2.33.0");
    later.versions[1].status = Status::Deleted { at: at("2027-01-01T02:00:00Z") };
    later.versions[2].status = deprecated("2027-12-01T02:00:00Z");
    later.versions.push(version(&newest, "eu-west-1", 4, Status::Latest));
    later.latest_build = Some(newest);
    let plan = catalog.adopt(&later).await.unwrap();
    assert_eq!((plan.add.len(), plan.change.len(), plan.unchanged), (1, 2, 2));
    let mut recorded = all(&*catalog).await;
    recorded.sort_by(|one, other| one.arn.cmp(&other.arn));
    later.versions.sort_by(|one, other| one.arn.cmp(&other.arn));
    assert_eq!(recorded, later.versions);
    assert_eq!(catalog.latest_builds(None).await.unwrap(), [later.latest_build.unwrap()]);
    // A deleted version does not come back.
    let plan = catalog.adopt(&three()).await.unwrap();
    assert!(plan.change.iter().all(|version| version.arn.version() != 2), "{plan:?}");
}

pub(crate) async fn adopted_layers_are_reported_as_changes(home: &impl Home) {
    let catalog = home.open();
    let mut until = catalog.changes(None).await.unwrap().until;
    let mut told = async |expected: &[Option<&str>]| {
        let changes = catalog.changes(Some(until)).await.unwrap();
        until = changes.until;
        let layer = |place: Option<&str>| Listed {
            target: target("p3.12"),
            package: package("requests"),
            region: place.map(region),
        };
        let expected: Vec<Listed> = expected.iter().copied().map(layer).collect();
        let mut layers = changes.layers.unwrap();
        layers.sort_by(|one, other| one.region.cmp(&other.region));
        assert_eq!(layers, expected);
    };
    let mut adoption = three();
    let latest_build = adoption.latest_build.take();
    catalog.adopt(&adoption).await.unwrap();
    told(&[Some("eu-west-1"), Some("us-east-1")]).await;
    catalog.adopt(&adoption).await.unwrap();
    told(&[]).await;
    adoption.latest_build = latest_build;
    adoption.versions[1].status = deprecated("2027-02-01T02:00:00Z");
    catalog.adopt(&adoption).await.unwrap();
    told(&[None, Some("eu-west-1")]).await;
}

pub(crate) async fn adoption_leaves_own_publications_unchanged(home: &impl Home) {
    let catalog = home.open();
    let own = build("p3.12", "requests", "2.33.0");
    catalog.adopt(&three()).await.unwrap();
    publish(&*catalog, &own, "eu-west-1", 4).await;
    let before = everything(&*catalog).await;
    // Everything is already recorded, whatever has happened to it here.
    let plan = catalog.adopt(&three()).await.unwrap();
    assert_eq!((plan.is_empty(), plan.unchanged, plan.refused.len()), (true, 4, 0));
    let mut later = three();
    let newest = adopted("requests", "2.34.0");
    later.versions.push(version(&newest, "eu-west-1", 5, Status::Latest));
    later.latest_build = Some(newest);
    let plan = catalog.adopt(&later).await.unwrap();
    let clash = AdoptionError::Own(arn(&own, "eu-west-1", 4));
    assert_eq!(plan.refused, [(region("eu-west-1"), clash)].into());
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(everything(&*catalog).await, before);
}

pub(crate) async fn adopted_builds_cannot_be_published(home: &impl Home) {
    let catalog = home.open();
    catalog.adopt(&three()).await.unwrap();
    let build = catalog.latest_builds(None).await.unwrap().remove(0);
    let begun = catalog.begin(&intent(&build, "sa-east-1")).await.unwrap_err();
    let completed =
        catalog.complete(&published(&build, "sa-east-1", 1), expiry()).await.unwrap_err();
    for error in [begun, completed] {
        assert!(matches!(error, CatalogError::Adopted { .. }), "{error:?}");
    }
    // It can be withdrawn, deleted and superseded like any other version.
    let yank = Yank { reason: "it is broken".to_owned(), at: expiry() };
    let three = arn(&build, "eu-west-1", 3);
    let latest = catalog.yank(&three, &yank, expiry()).await.unwrap().unwrap();
    assert_eq!(latest.arn.version(), 2);
    let yanked = catalog.yanked_builds(build.target).await.unwrap();
    assert_eq!(yanked[0].requirements_hash, build.requirements_hash);
    catalog.begin_deletion(&three, expiry()).await.unwrap();
    catalog.end_deletion(&three).await.unwrap();
    publish(&*catalog, &self::build("p3.12", "requests", "3"), "eu-west-1", 9).await;
    let recorded = all(&*catalog).await;
    assert_eq!(recorded[0].arn.version(), 9);
    assert!(!recorded.iter().any(|version| {
        version.region().as_str() == "eu-west-1"
            && version.arn.version() < 9
            && version.status == Status::Latest
    }));
}
