//! Pointers to the latest versions: a pointer that could not be moved is owed, and moved by the
//! next run.

use std::sync::Arc;
use std::time::Duration;

use klayers_build::Error;
use klayers_build::pipeline::{
    Expirer, ExpiryError, ExpiryPlan, ExpiryScope, ReconciledDifference, Reconciler, Repairs,
    Yanker, find_versions_to_yank,
};
use klayers_build::plan::Selection;
use klayers_catalog::OwedPointer;
use klayers_core::{ExpiryPolicy, LayerVersionArn};
use klayers_publish::PublishError;

use crate::publishing::{Collection, ready};
use crate::samples::{package, region, target};
use crate::settling::{import, import_as};
use crate::support::aws::{Answer, Fault, Operation, Rule, boto_pointers};
use crate::support::faulty::Faulty;
use crate::support::staged::{Staged, days, now, sound};

const HERE: &str = "eu-west-1";

fn keeping(staged: &Staged) -> Arc<Faulty> {
    let publisher = Faulty::new(&staged.publisher, Duration::ZERO);
    publisher.faults().keeps_pointers = true;
    publisher
}

fn owed(name: &str) -> OwedPointer {
    OwedPointer { region: region(HERE), target: target("p3.12"), package: package(name) }
}

#[tokio::test]
async fn unmoved_pointer_is_a_failure_and_next_run_moves_it() {
    let staged = Staged::new("");
    let publisher = keeping(&staged);
    publisher.faults().pointers_stay = true;
    let imported = import(&staged, &publisher).await;
    let made = imported.published[&region(HERE)].as_ref().unwrap().clone();
    assert_eq!(imported.unmoved.len(), 2);
    let error = &imported.unmoved[&owed("model")];
    assert!(matches!(error, Error::Publish(PublishError::Pointer(_))), "{error:?}");
    let pointers = staged.catalog.owed_pointers().await.unwrap();
    assert_eq!(pointers.len(), 2);
    assert_eq!(pointers[0], owed("model"));

    // It is reported until it is moved.
    let again = import_as(&staged, &publisher, "other").await;
    assert_eq!(again.unmoved.len(), 4, "{again:?}");
    publisher.faults().pointers_stay = false;
    assert!(import(&staged, &publisher).await.unmoved.is_empty());
    assert_eq!(staged.catalog.owed_pointers().await.unwrap(), []);
    assert_eq!(publisher.faults().pointers["eu-west-1 p3.12 model"], made);
    assert_eq!(publisher.faults().pointers.len(), 4);
}

#[tokio::test]
async fn pointer_to_withdrawn_version_is_owed_until_moved() {
    let staged = Staged::new("");
    let [_, before, latest] = staged.three("requests", HERE).await;
    let publisher = keeping(&staged);
    publisher.faults().pointers.insert("eu-west-1 p3.12 requests".to_owned(), latest.clone());
    publisher.faults().pointers_stay = true;
    let yanker = Yanker {
        catalog: staged.catalog.clone(),
        publisher: publisher.clone(),
        expiry: ExpiryPolicy::default(),
    };
    let what = ["requests==3".parse().unwrap()];
    let versions =
        find_versions_to_yank(&*staged.catalog, &what, &Selection::default()).await.unwrap();
    let outcomes = yanker.yank(&versions, "x", now()).await;
    let error = outcomes[&latest].as_ref().unwrap().pointed.as_ref().unwrap_err();
    assert!(error.to_string().contains("the next run tries again"), "{error}");
    assert_eq!(staged.catalog.owed_pointers().await.unwrap(), [owed("requests")]);
    publisher.faults().pointers_stay = false;
    import(&staged, &publisher).await;
    assert_eq!(publisher.faults().pointers["eu-west-1 p3.12 requests"], before);
    assert_eq!(staged.catalog.owed_pointers().await.unwrap(), []);
}

#[tokio::test]
async fn version_named_by_pointer_is_not_deleted() {
    let staged = Staged::new("");
    let [oldest, _, latest] = staged.three("requests", HERE).await;
    let publisher = keeping(&staged);
    let point = |arn: &LayerVersionArn| {
        publisher.faults().pointers.insert("eu-west-1 p3.12 requests".to_owned(), arn.clone());
    };
    let expirer = Expirer { catalog: staged.catalog.clone(), publisher: publisher.clone() };
    let scope =
        ExpiryScope { selection: Selection::default(), keep: 1, limit: 9, trust_clock: false };
    let expire = async || {
        let plan = ExpiryPlan::new(&*staged.catalog, &scope, now()).await.unwrap();
        expirer.expire(plan, now()).await.remove(&region(HERE)).unwrap()
    };
    point(&oldest);
    for is_begun in [false, true] {
        if is_begun {
            staged.catalog.begin_deletion(&oldest, now()).await.unwrap();
        }
        let refused = expire().await;
        assert!(
            matches!(&refused.failed[0].1, Error::Expiry(ExpiryError::Pointed(arn)) if **arn == oldest),
            "{refused:?}"
        );
        assert_eq!(staged.there(HERE).await.len(), 3);
    }
    point(&latest);
    assert_eq!(expire().await.deleted, [oldest]);
}

#[tokio::test]
async fn orphan_is_deleted_only_after_pointer_moves() {
    let staged = Staged::new("");
    let latest = staged.publish(&sound("requests", "1"), HERE, days(-1), days(1)).await;
    let orphan = staged.publish_unrecorded(&sound("requests", "2"), HERE, days(-2)).await.arn;
    let publisher = keeping(&staged);
    publisher.faults().pointers.insert("eu-west-1 p3.12 requests".to_owned(), orphan.clone());
    let reconciler = Reconciler {
        catalog: staged.catalog.clone(),
        publisher: publisher.clone(),
        expiry: ExpiryPolicy::default(),
        layer_prefix: "Klayers".to_owned(),
        public: false,
        selection: Selection::default(),
        targets: [target("p3.12")].into(),
        run_regions: [region(HERE)].into(),
        sure: false,
    };
    publisher.faults().pointers_stay = true;
    let repair = async || {
        let regions = [region(HERE)];
        let found = reconciler.reconcile(&regions, Repairs::DeletingOrphans, now()).await.unwrap();
        found.into_values().next().unwrap().unwrap()
    };
    let found = repair().await;
    assert!(found.differences.iter().all(|it| !it.is_repaired()), "{found:?}");
    assert_eq!(staged.there(HERE).await.len(), 2);
    publisher.faults().pointers_stay = false;
    let found = repair().await;
    assert!(found.differences.iter().all(ReconciledDifference::is_repaired), "{found:?}");
    assert_eq!(publisher.faults().pointers["eu-west-1 p3.12 requests"], latest);
    assert_eq!(staged.there(HERE).await, ["eu-west-1 requests 1"]);
}

#[test]
fn in_aws_unmoved_pointer_fails_run_and_next_run_moves_it() {
    let Some(upstream) = ready() else { return };
    let denied = Rule::new(Fault::Answered(Answer::not_opted_in())).on(Operation::PutParameter);
    let served = crate::publishing::Served::before(&upstream, [denied.in_region(HERE)]);
    let regions = [HERE, "us-east-1"];
    let collection = Collection::new(&regions);
    let settings = std::fs::read_to_string(collection.home.path("klayers.toml")).unwrap();
    collection.home.write("klayers.toml", format!("{settings}pointers = true\n"));
    let failed = collection.run(&["run"], &served.proxy.url()).ended_with(1);
    assert!(failed.tally().contains("4 layer versions published"), "{}", failed.stderr);
    let told = "in eu-west-1: could not move the pointer to the latest version";
    assert!(failed.stderr.contains(told), "{}", failed.stderr);
    let report = collection.home.run(&["report", "--json"]).ended_with(0);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    let failures = report["failures"].as_array().unwrap();
    assert_eq!((failures.len(), &report["complete"]), (2, &false.into()), "{report:#}");
    assert_eq!((&failures[0]["region"], &failures[0]["package"]), (&HERE.into(), &"Alpha".into()));
    let pointers = || boto_pointers(&upstream, &collection.account, &regions);
    assert_eq!(pointers().len(), 2);

    served.proxy.set_rules([]);
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    let recorded = collection.recorded();
    let expected = recorded.iter().map(|version| {
        let build = &version.build;
        let name =
            format!("{} /klayers/{}/{}/latest", version.region(), build.target, build.package);
        (name, version.arn.to_string())
    });
    assert_eq!(pointers(), expected.collect());
    collection.run(&["reconcile"], &served.proxy.url()).ended_with(0);
}
