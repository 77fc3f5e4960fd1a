//! `klayers-pipeline reconcile`: compares the records with the existing layer versions.

use klayers_build::pipeline::{Reconciler, Remedy, Repairs};
use klayers_build::plan::Selection;
use klayers_catalog::SqliteCatalog;
use klayers_core::{Content, Digest, ExpiryPolicy, LayerVersionArn, Yank};
use klayers_publish::{FolderPublisher, Publisher as _};

use crate::samples::{arn, build, intent, published, region, target, with_content};
use crate::support::WheelFile;
use crate::support::aws::localstack;
use crate::support::command::{Home, Outcome, uv_is_there};
use crate::support::places::{ends, for_each_visit, places_in, say_killed, visited};
use crate::support::staged::{Staged, days, now, short, sound, sound_for};

mod faults;

const PUBLIC: &str = "[publish]\npublic = true";

/// A collection with a difference of every kind in one region.
async fn disturbed() -> Staged {
    disturb(Staged::new(PUBLIC)).await
}

async fn disturb(staged: Staged) -> Staged {
    let publish = async |name: &str, version: &str, when: i64| {
        let arn = staged.publish(&sound(name, version), "eu-west-1", days(when), days(10)).await;
        staged.publisher.make_public(&arn).await.unwrap();
        arn
    };
    publish("sound", "1", -9).await;
    publish("missing", "1", -9).await;
    let missing = publish("missing", "2", -8).await;
    staged.publisher.delete(&missing).await.unwrap();
    let private = sound("private", "1");
    staged.publish(&private, "eu-west-1", days(-9), days(10)).await;
    publish("doubled", "1", -9).await;
    staged.publish_unrecorded(&sound("doubled", "1"), "eu-west-1", days(-8)).await;
    // Built and published, but its record was lost.
    publish("orphan", "1", -9).await;
    staged.catalog.record_build(&sound("orphan", "2")).await.unwrap();
    staged.publish_unrecorded(&sound("orphan", "2"), "eu-west-1", days(-8)).await;
    // Only its name is known.
    publish("foreign", "1", -9).await;
    staged.publish_unrecorded(&sound("foreign", "2"), "eu-west-1", days(-9)).await;
    let undeleted = publish("undeleted", "1", -9).await;
    publish("undeleted", "2", -8).await;
    staged.catalog.begin_deletion(&undeleted, now()).await.unwrap();
    staged.catalog.end_deletion(&undeleted).await.unwrap();
    publish("wrong", "1", -9).await;
    let mut other = staged.publish_unrecorded(&sound("wrong", "2"), "eu-west-1", days(-8)).await;
    let recorded =
        Content { digest: Digest::of(b"something else"), ..*other.build.content().unwrap() };
    other.build = with_content(other.build, recorded);
    staged.record(&other, days(10)).await;
    let elsewhere = staged.publish(&sound("sound", "1"), "us-east-1", days(-9), days(10)).await;
    staged.publisher.make_public(&elsewhere).await.unwrap();
    staged
}

#[tokio::test]
async fn differences_are_reported_and_repaired_only_on_request() {
    told_and_repaired(disturbed().await).await;
}

#[tokio::test]
async fn in_aws_differences_are_reported_and_repaired_only_on_request() {
    let Some(endpoint) = localstack() else { return };
    told_and_repaired(disturb(Staged::in_aws(PUBLIC, &endpoint).await).await).await;
}

async fn told_and_repaired(staged: Staged) {
    let said =
        |outcome: Outcome| staged.anonymous(&format!("{}\n{}", outcome.stdout, outcome.stderr));
    let before = staged.home.contents();
    for arguments in [&["reconcile"][..], &["reconcile", "--repair", "--dry-run"]] {
        insta::assert_snapshot!("told", said(staged.home.run(arguments).ended_with(1)));
        let after = staged.home.contents();
        assert!(
            after
                .iter()
                .filter(|(path, _)| !path.starts_with("klayers.db"))
                .eq(before.iter().filter(|(path, _)| !path.starts_with("klayers.db")))
        );
    }
    let json = staged.home.run(&["reconcile", "--json"]).ended_with(1);
    let json: serde_json::Value = serde_json::from_str(&staged.anonymous(&json.stdout)).unwrap();
    insta::assert_snapshot!("as_json", format!("{:#}", json["differences"][4]));
    assert_eq!(json["differences"].as_array().unwrap().len(), 7);

    let repaired = staged.home.run(&["reconcile", "--repair"]).ended_with(1);
    insta::assert_snapshot!("repaired", said(repaired));
    insta::assert_snapshot!("recorded", staged.recorded().await.join("\n"));
    let deleted = staged.home.run(&["reconcile", "--repair", "--delete-orphans"]).ended_with(0);
    insta::assert_snapshot!("deleted", said(deleted));
    let left = staged.home.run(&["reconcile"]).ended_with(0);
    assert_eq!(left.stdout, "");
    staged.agrees_with_boto3().await;
    assert_eq!(staged.catalog.lease().await.unwrap(), None);
}

#[tokio::test]
async fn selection_limits_comparison() {
    let staged = disturbed().await;
    let told = |arguments: &[&str]| {
        let told = staged.home.run(&[&["reconcile"], arguments].concat());
        let lines = told.stdout.lines().map(|line| line.split(' ').next().unwrap().to_owned());
        (told.code.unwrap(), lines.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(told(&["--package", "Private"]), (1, "private".to_owned()));
    assert_eq!(told(&["--package", "foreign"]), (1, "orphan".to_owned()));
    assert_eq!(told(&["--package", "sound", "--package", "absent"]), (0, String::new()));
    assert_eq!(told(&["--region", "us-east-1"]), (0, String::new()));
    assert_eq!(told(&["--target", "p3.12", "--package", "doubled"]), (1, "doubled".to_owned()));
    for unknown in [&["--region", "sa-east-1"][..], &["--target", "p3.9"], &["--delete-orphans"]] {
        assert_eq!(told(unknown), (2, String::new()));
    }
    // Selecting a target must not select a target whose key starts with the same characters.
    let arm = build("p3.12-arm64", "arm", "1");
    staged.catalog.record_build(&arm).await.unwrap();
    let version = published(&arm, "us-east-1", 1);
    staged.catalog.complete(&version, days(1)).await.unwrap();
    let orphan = sound_for("p3.12-arm64", "lonely", "1");
    staged.publish_unrecorded(&orphan, "us-east-1", days(-9)).await;
    assert_eq!(told(&["--region", "us-east-1", "--target", "p3.12"]), (0, String::new()));
    // A version in another account cannot be seen, and is no difference.
    let (code, kinds) = told(&["--region", "us-east-1", "--target", "p3.12-arm64"]);
    assert_eq!((code, kinds.as_str()), (1, "orphan"));
    assert_eq!(version.arn, arn(&arm, "us-east-1", 1));
}

#[tokio::test]
async fn orphan_is_adopted_only_if_it_can_be_latest() {
    let staged = Staged::new("");
    let remedies = async || {
        let reconciler = reconciler(&staged);
        let regions = [region("eu-west-1")];
        let mut found = reconciler.reconcile(&regions, Repairs::None, now()).await.unwrap();
        let found = found.remove(&regions[0]).unwrap().unwrap();
        let remedy = |remedy: &Option<Remedy>| match remedy {
            Some(Remedy::Adopt(_)) => "adopt",
            Some(Remedy::Delete) => "delete",
            other => panic!("{other:?}"),
        };
        let lines = found.differences.iter().map(|reconciled| {
            format!("{} {}", short(&reconciled.difference.arn), remedy(&reconciled.remedy))
        });
        lines.collect::<Vec<_>>().join(", ")
    };
    let orphan = async |name: &str, version: &str, when| {
        staged.catalog.record_build(&sound(name, version)).await.unwrap();
        staged.publish_unrecorded(&sound(name, version), "eu-west-1", days(when)).await
    };
    orphan("requests", "1", -9).await;
    assert_eq!(remedies().await, "eu-west-1 requests 1 adopt");
    // It is older than a recorded version.
    staged.publish(&sound("requests", "2"), "eu-west-1", days(-8), days(1)).await;
    assert_eq!(remedies().await, "eu-west-1 requests 1 delete");
    // Its content was withdrawn.
    let three = staged.three("numpy", "eu-west-1").await;
    let yank = Yank { reason: "x".to_owned(), at: now() };
    staged.catalog.yank(&three[2], &yank, days(9)).await.unwrap();
    staged.publisher.delete(&three[2]).await.unwrap();
    staged.catalog.record_loss(&three[2], now()).await.unwrap();
    orphan("numpy", "3", 0).await;
    assert_eq!(remedies().await, "eu-west-1 numpy 4 delete, eu-west-1 requests 1 delete");
    orphan("numpy", "4", 0).await;
    assert!(remedies().await.contains("eu-west-1 numpy 5 adopt"));
}

#[tokio::test]
async fn interrupted_publication_and_deletion_are_left_to_next_run() {
    let staged = Staged::new("");
    let build = sound("requests", "1");
    staged.catalog.record_build(&build).await.unwrap();
    staged.catalog.begin(&intent(&build, "eu-west-1")).await.unwrap();
    staged.publish_unrecorded(&build, "eu-west-1", days(0)).await;
    // An interrupted deletion is left to the next expiry.
    let [old, ..] = staged.three("numpy", "us-east-1").await;
    staged.catalog.begin_deletion(&old, now()).await.unwrap();
    let done = staged.home.run(&["reconcile", "--repair", "--delete-orphans"]).ended_with(0);
    assert_eq!(done.stdout, "");
    assert_eq!(staged.there("eu-west-1").await.len(), 1);
}

#[tokio::test]
async fn deleting_former_latest_version_is_reported() {
    let staged = Staged::new("");
    let [.., latest] = staged.three("requests", "eu-west-1").await;
    // As if all answers had once been wrong.
    staged.catalog.record_loss(&latest, now()).await.unwrap();
    for (arguments, end) in [
        (&["reconcile"][..], "--repair --delete-orphans deletes it"),
        (&["reconcile", "--repair", "--delete-orphans"], "deleted"),
    ] {
        let said = staged.home.run(arguments).stdout;
        let line = format!("undeleted {latest}: once the latest, and recorded as deleted; {end}\n");
        assert_eq!(said, line);
    }
}

#[tokio::test]
async fn killed_repair_is_completed_by_the_next() {
    let killed = kill_everywhere(async || Staged::new(PUBLIC)).await;
    say_killed("a repair", killed);
}

#[tokio::test]
async fn in_aws_killed_repair_is_completed_by_the_next() {
    let Some(endpoint) = localstack() else { return };
    let killed = kill_everywhere(async || Staged::in_aws(PUBLIC, &endpoint).await).await;
    say_killed("a repair in AWS", killed);
}

/// Kills repairs of a collection that starts empty, at the first and last visit of every failpoint.
async fn kill_everywhere(empty: impl AsyncFn() -> Staged + Sync) -> usize {
    let stage = async || disturb(empty().await).await;
    let repair = ["reconcile", "--repair", "--delete-orphans"];
    // A version that the first run records as deleted is deleted by the second.
    let undisturbed = stage().await;
    let visits = undisturbed.visits(&repair, 0);
    assert_eq!(visited(&visits), places_in(&["pipeline/reconcile/repair.rs"]));
    undisturbed.home.run(&repair).ended_with(0);
    let visits = ends(&visits);
    let recorded = undisturbed.recorded().await;
    let there = undisturbed.there("eu-west-1").await;
    for_each_visit(&visits, async |visit| {
        let staged = stage().await;
        staged.kill_at(&repair, visit);
        for _ in 0..2 {
            staged.home.run(&repair).ended_with(0);
        }
        assert_eq!(staged.recorded().await, recorded, "killed at {visit}");
        assert_eq!(staged.there("eu-west-1").await, there, "killed at {visit}");
        staged.agrees_with_boto3().await;
    });
    visits.len()
}

#[tokio::test]
async fn version_of_other_account_is_not_missing() {
    let staged = Staged::new("");
    let foreign = build("p3.12", "old", "1");
    staged.catalog.record_build(&foreign).await.unwrap();
    let version = published(&foreign, "eu-west-1", 1);
    staged.catalog.complete(&version, days(1)).await.unwrap();
    let done = staged.home.run(&["reconcile", "--repair"]).ended_with(0);
    assert_eq!(
        done.stderr,
        "note: 1 layer versions are in other accounts, and were not compared\n\
         0 layer versions in 2 regions: 0 differences, 0 repaired, 0 failed\n"
    );
}

#[tokio::test]
async fn repair_refuses_catalog_of_other_collection() {
    let staged = Staged::new("");
    staged.three("requests", "eu-west-1").await;
    let there = staged.there("eu-west-1").await;
    let recorded = staged.recorded().await;
    // As if the configuration named another catalog, or another place of publication.
    let path = staged.home.path("klayers.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    for (section, said) in [
        (
            "[catalog]\nurl = \"sqlite:other.db\"",
            "3 layer versions might be deleted, but only 0 are",
        ),
        ("[publish]\nroot = \"other\"", "3 of 3 recorded layer versions do not exist as"),
    ] {
        drop(SqliteCatalog::open(staged.home.path("other.db")).unwrap());
        staged.home.write("klayers.toml", format!("{settings}{section}\n"));
        staged.home.run(&["reconcile"]).ended_with(1);
        let repair = ["reconcile", "--repair", "--delete-orphans"];
        let refused = staged.home.run(&repair).ended_with(2);
        assert!(refused.stderr.starts_with(&format!("error: {said}")), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    assert_eq!(staged.there("eu-west-1").await, there);
    assert_eq!(staged.recorded().await, recorded);
    staged.home.run(&["reconcile", "--repair", "--sure"]).ended_with(0);
    assert!(staged.recorded().await.iter().all(|line| line.ends_with(" deleted")));
}

#[test]
fn lost_latest_is_published_again_by_next_run() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.wheels(&[WheelFile::new("beta", "1.0").file("beta.py", "y = 1\n")]);
    home.collection(&[("p3.12", &["beta"])], &["eu-west-1", "us-east-1"]);
    home.run(&["run"]).ended_with(0);
    let lost: LayerVersionArn =
        "arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p312-beta:1".parse().unwrap();
    let publisher = FolderPublisher::open(home.path("published")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(publisher.delete(&lost)).unwrap();
    // A run trusts its records.
    let before = home.run(&["run"]).ended_with(0);
    assert!(before.stderr.contains("1 unchanged"), "{}", before.stderr);
    let repaired = home.run(&["reconcile", "--repair"]).ended_with(0);
    let line = format!("missing {lost}: recorded as the latest; recorded as deleted\n");
    assert_eq!(repaired.stdout, line);
    let again = home.run(&["run"]).ended_with(0);
    let published = lost.to_string().replace("beta:1", "beta:2");
    assert_eq!(again.stdout, format!("p3.12 beta 1.0: build kept\n  {published}\n"));
    home.run(&["reconcile"]).ended_with(0);
}

#[test]
fn interrupted_publication_in_removed_region_is_reported_and_ended_on_request() {
    if !uv_is_there() {
        return;
    }
    for (place, is_made) in [("published:1", true), ("publication begun:1", false)] {
        let home = Home::new();
        home.wheels(&[WheelFile::new("beta", "1.0").file("beta.py", "y = 1\n")]);
        home.collection(&[("p3.12", &["beta"])], &["eu-west-1"]);
        home.run(&["run"]).ended_with(0);
        home.regions(&["eu-west-1", "sa-east-1"]);
        let mut command = home.command(&["run"]);
        command.env("KLAYERS_FAILPOINT", place);
        assert_eq!(home.finish(command.spawn().unwrap()).code, None, "killed at {place}");
        home.regions(&["eu-west-1"]);

        let warned = home.run(&["run"]).ended_with(0);
        let warning = "warning: publishing Klayers-p312-beta in sa-east-1 was interrupted, and \
                       sa-east-1 is no longer in regions.csv, so no run finds out whether it \
                       succeeded: run `klayers-pipeline reconcile --region sa-east-1`\n";
        assert!(warned.stderr.starts_with(warning), "{}", warned.stderr);
        let reconcile = ["reconcile", "--region", "sa-east-1"];
        let told = home.run(&reconcile).ended_with(1).stdout;
        let interrupted = "interrupted sa-east-1 Klayers-p312-beta: was being published";
        assert_eq!(told.lines().filter(|line| line.starts_with(interrupted)).count(), 1, "{told}");
        let orphan = "orphan arn:aws:lambda:sa-east-1:000000000000:layer:Klayers-p312-beta:1: ";
        assert_eq!(told.starts_with(orphan), is_made, "{told}");
        home.run(&["reconcile", "--region", "sa-east-1", "--repair"]).ended_with(0);
        assert_eq!(home.run(&["reconcile"]).ended_with(0).stdout, "");
        let after = home.run(&["run"]).ended_with(0);
        assert!(!after.stderr.contains("sa-east-1"), "{}", after.stderr);
    }
}

fn reconciler(staged: &Staged) -> Reconciler {
    Reconciler {
        catalog: staged.catalog.clone(),
        publisher: staged.publisher.clone(),
        expiry: ExpiryPolicy::default(),
        layer_prefix: "Klayers".to_owned(),
        public: false,
        selection: Selection::default(),
        targets: [target("p3.12")].into(),
        run_regions: ["eu-west-1", "us-east-1"].map(region).into(),
        sure: false,
    }
}
