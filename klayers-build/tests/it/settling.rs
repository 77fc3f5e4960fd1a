//! Settling: a run completes publications that an interrupted run left under way, before it
//! publishes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use klayers_build::Error;
use klayers_build::pipeline::{
    ExpiryPlan, ExpiryScope, ImportedLayer, Importer, LayerImport, Reconciler, Remedy, Repairs,
};
use klayers_build::plan::Selection;
use klayers_catalog::Intent;
use klayers_catalog::artifacts::FolderArtifacts;
use klayers_core::{Build, ExpiryPolicy, LayerVersionArn, Timestamp};
use klayers_publish::PublishError;

use crate::samples::{intent, layer, package, region, target};
use crate::support::faulty::Faulty;
use crate::support::staged::{Staged, days, now, short, sound};

const PLACES: [&str; 2] = ["eu-west-1", "us-east-1"];

/// Records a publication that was last under way at this time.
async fn interrupt(staged: &Staged, build: &Build, place: &str, at: Option<Timestamp>) {
    staged.catalog.record_build(build).await.unwrap();
    let intent = Intent { attempted_at: at, ..intent(build, place) };
    staged.catalog.begin(&intent).await.unwrap();
}

/// Imports a layer, which first settles all interrupted publications.
pub(crate) async fn import(staged: &Staged, publisher: &Arc<Faulty>) -> ImportedLayer {
    import_as(staged, publisher, "model").await
}

pub(crate) async fn import_as(
    staged: &Staged,
    publisher: &Arc<Faulty>,
    name: &str,
) -> ImportedLayer {
    import_within(staged, publisher, name, Duration::from_mins(5)).await
}

async fn import_within(
    staged: &Staged,
    publisher: &Arc<Faulty>,
    name: &str,
    deadline: Duration,
) -> ImportedLayer {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("python/model.py", zip::write::SimpleFileOptions::default()).unwrap();
    let zip = staged.home.write("model.zip", zip.finish().unwrap().into_inner());
    let importer = Importer {
        catalog: staged.catalog.clone(),
        artifacts: Arc::new(FolderArtifacts::open(staged.home.path("artifacts")).unwrap()),
        publisher: publisher.clone(),
        expiry: ExpiryPolicy::default(),
        public: true,
        deadline,
        listed: BTreeSet::from([layer(&sound("requests", "1"))]),
        new_collection: false,
        clock: now,
    };
    let import = LayerImport {
        target: target("p3.12"),
        package: package(name),
        version: "1.0".parse().unwrap(),
        layer: format!("Klayers-p312-{name}").parse().unwrap(),
        license: None,
    };
    importer.import(&zip, import, &PLACES.map(region), now()).await.unwrap()
}

#[tokio::test]
async fn next_run_waits_for_version_that_appears_late() {
    let staged = Staged::new("");
    let build = sound("requests", "1");
    for place in PLACES {
        interrupt(&staged, &build, place, Some(now())).await;
        staged.publish_unrecorded(&build, place, now()).await;
    }
    let publisher = Faulty::new(&staged.publisher, Duration::from_mins(10));
    publisher.faults().empty_lists = 3;
    let imported = import(&staged, &publisher).await;
    for place in PLACES {
        imported.published[&region(place)].as_ref().unwrap();
        let there = staged.there(place).await;
        assert_eq!(there, [format!("{place} model 1"), format!("{place} requests 1")]);
    }
    assert_eq!(publisher.faults().published, 2);
    let recorded = staged.recorded().await;
    assert!(recorded.contains(&"us-east-1 requests 1 latest".to_owned()), "{recorded:?}");
    assert_eq!(staged.catalog.under_way().await.unwrap(), []);
}

#[tokio::test]
async fn import_gives_up_silent_region_after_its_deadline() {
    let staged = Staged::new("");
    interrupt(&staged, &sound("requests", "1"), PLACES[0], Some(now())).await;
    let publisher = Faulty::new(&staged.publisher, Duration::ZERO);
    publisher.faults().silent = Some(region(PLACES[0]));
    let import = import_within(&staged, &publisher, "model", Duration::from_secs(1));
    let imported = tokio::time::timeout(Duration::from_mins(1), import).await.unwrap();
    let silent = imported.published[&region(PLACES[0])].as_ref().unwrap_err();
    assert!(silent.to_string().contains("eu-west-1 was not ready after 6 s"), "{silent}");
    imported.published[&region(PLACES[1])].as_ref().unwrap();
}

#[tokio::test]
async fn publication_without_version_is_abandoned_after_longest_publication() {
    let longest = Duration::from_hours(10);
    // Long enough ago that its version can no longer appear.
    let long_ago = now() - SignedDuration::from_hours(11);
    let staged = Staged::new("");
    interrupt(&staged, &sound("requests", "1"), PLACES[0], Some(long_ago)).await;
    let publisher = Faulty::new(&staged.publisher, longest);
    import(&staged, &publisher).await;
    // A single list may be outdated, so a second one has to agree.
    assert_eq!(publisher.faults().lists, 2);
    assert_eq!(staged.catalog.under_way().await.unwrap(), []);
    assert!(staged.recorded().await.iter().all(|line| line.contains(" model ")));
}

#[tokio::test]
async fn missing_or_future_attempt_time_waits_longest_publication() {
    for at in [None, Some(days(10))] {
        let staged = Staged::new("");
        let build = sound("requests", "1");
        interrupt(&staged, &build, PLACES[0], at).await;
        let version = staged.publish_unrecorded(&build, PLACES[0], now()).await;
        let publisher = Faulty::new(&staged.publisher, Duration::from_millis(10));
        publisher.faults().empty_lists = 2;
        import(&staged, &publisher).await;
        let recorded = staged.recorded().await;
        assert!(recorded.contains(&format!("{} latest", short(&version.arn))), "{recorded:?}");
        // A version that never appears does not block the next run for ten days.
        interrupt(&staged, &sound("requests", "2"), PLACES[0], at).await;
        import(&staged, &publisher).await;
        assert_eq!(staged.catalog.under_way().await.unwrap(), []);
    }
}

#[tokio::test]
async fn version_withdrawn_before_settling_is_recorded_as_withdrawn_and_expires() {
    for is_deleted in [false, true] {
        let staged = Staged::new("[publish]\npublic = true");
        let [old, new] = [sound("requests", "1"), sound("requests", "2")];
        staged.publish(&old, PLACES[0], days(-9), days(9)).await;
        let recorded = staged.publish(&new, PLACES[1], days(-1), days(9)).await;
        interrupt(&staged, &new, PLACES[0], Some(now())).await;
        let made = staged.publish_unrecorded(&new, PLACES[0], days(-1)).await.arn;
        staged.home.run(&["yank", "requests==2", "--reason", "it leaks"]).ended_with(0);
        if is_deleted {
            staged.catalog.begin_deletion(&recorded, now()).await.unwrap();
            staged.publisher.delete(&recorded).await.unwrap();
            staged.catalog.end_deletion(&recorded).await.unwrap();
        }
        let publisher = Faulty::new(&staged.publisher, Duration::ZERO);
        import(&staged, &publisher).await;

        let lines = staged.recorded().await;
        for line in ["eu-west-1 requests 1 latest", "eu-west-1 requests 2 withdrawn"] {
            assert!(lines.contains(&line.to_owned()), "{lines:?}");
        }
        let version = staged.catalog.layer_version(&made).await.unwrap().unwrap();
        let reason = if is_deleted { "withdrawn in another region" } else { "it leaks" };
        assert_eq!(version.yanked().unwrap().reason, reason);
        assert!(version.expires_at().unwrap() > days(364));
        assert!(!staged.publisher.inspect(&made).await.unwrap().unwrap().is_public);
        assert_eq!(staged.catalog.under_way().await.unwrap(), []);
        // Nothing needs to be repaired, because nobody should use it.
        let reconciled = staged.home.run(&["reconcile", "--package", "requests"]);
        assert!(!reconciled.stdout.contains(&made.to_string()), "{}", reconciled.stdout);
        let scope =
            ExpiryScope { selection: Selection::default(), keep: 1, limit: 9, trust_clock: true };
        let plan = ExpiryPlan::new(&*staged.catalog, &scope, days(370)).await.unwrap();
        assert!(plan.due.iter().any(|version| version.arn == made), "{plan:?}");
    }
}

#[tokio::test]
async fn version_withdrawn_in_one_region_does_not_become_latest_in_another() {
    let staged = Staged::new("");
    let europe = staged.three("requests", PLACES[0]).await;
    let america = staged.three("requests", PLACES[1]).await;
    let withdraw = |arn: &LayerVersionArn| {
        staged.home.run(&["yank", &arn.to_string(), "--reason", "x"]).ended_with(0)
    };
    withdraw(&europe[1]);
    // The previous version has content that was withdrawn in the other region.
    let done = withdraw(&america[2]);
    assert!(done.stdout.ends_with(&format!("the latest is {}\n", america[0])), "{}", done.stdout);
}

#[tokio::test]
async fn version_that_cannot_be_made_public_blocks_only_its_layer() {
    let staged = Staged::new("[publish]\npublic = true");
    let build = sound("requests", "1");
    interrupt(&staged, &build, PLACES[0], Some(now())).await;
    let made = staged.publish_unrecorded(&build, PLACES[0], days(-1)).await.arn;
    let publisher = Faulty::new(&staged.publisher, Duration::ZERO);
    publisher.faults().never_public.insert(made.clone());
    // Other layers are not blocked, even if nothing else is recorded.
    for _ in 0..2 {
        let imported = import(&staged, &publisher).await;
        assert!(imported.published.values().all(Result::is_ok), "{imported:?}");
    }
    // In the region where it is stuck, nothing else of its layer is published.
    let imported = import_as(&staged, &publisher, "requests").await;
    let stuck = imported.published[&region(PLACES[0])].as_ref().unwrap_err();
    assert!(matches!(stuck, Error::Publish(PublishError::Stuck { .. })), "{stuck:?}");
    assert!(stuck.to_string().contains("is for somebody else"), "{stuck}");
    imported.published[&region(PLACES[1])].as_ref().unwrap();

    let reconciler = Reconciler {
        catalog: staged.catalog.clone(),
        publisher: publisher.clone(),
        expiry: ExpiryPolicy::default(),
        layer_prefix: "Klayers".to_owned(),
        public: true,
        selection: Selection::default(),
        targets: [target("p3.12")].into(),
        run_regions: PLACES.map(region).into(),
        sure: false,
    };
    let told = async |repairs| {
        let found = reconciler.reconcile(&[region(PLACES[0])], repairs, now()).await.unwrap();
        let found = found.into_values().next().unwrap().unwrap();
        let stuck = found.differences.into_iter().find(|it| it.difference.arn == made);
        stuck.map(|it| {
            let outcome = it.outcome.map(|outcome| outcome.is_ok());
            (serde_json::to_value(it.difference).unwrap(), it.remedy, outcome)
        })
    };
    for (repairs, outcome) in [(Repairs::None, None), (Repairs::Careful, Some(false))] {
        let (difference, remedy, done) = told(repairs).await.unwrap();
        let expected = serde_json::json!({
            "arn": made,
            "difference": "stuck",
            "region": PLACES[0],
            "layer": "Klayers-p312-requests",
            "reason": format!(
                "the policy of {made} is for somebody else; check it with `aws lambda \
                 get-layer-version-policy`"
            ),
        });
        assert_eq!((difference, remedy, done), (expected, Some(Remedy::Complete), outcome));
    }
    publisher.faults().never_public.clear();
    assert_eq!(told(Repairs::Careful).await.unwrap().2, Some(true));
    assert_eq!(told(Repairs::None).await, None);
    assert!(staged.publisher.inspect(&made).await.unwrap().unwrap().is_public);
    let recorded = staged.recorded().await;
    assert!(recorded.contains(&"eu-west-1 requests 1 latest".to_owned()), "{recorded:?}");
    assert_eq!(staged.catalog.under_way().await.unwrap(), []);
}
