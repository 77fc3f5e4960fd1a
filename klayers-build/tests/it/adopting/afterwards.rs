//! What the other commands make of what was adopted.

use klayers_core::{LayerVersionArn, Status};
use tokio::runtime::Runtime;

use super::*;
use crate::support::WheelFile;
use crate::support::command::uv_is_there;
use crate::support::staged::{Staged, days, sound};

const HERE: &str = "000000000000";

/// A collection whose layers are there, and whose records are another's: requests 1, which expired,
/// and 2, the latest, in eu-west-1; and one of another account in us-east-1.
fn adopted() -> (Staged, PublicApi, [LayerVersionArn; 2]) {
    let staged = Staged::new("");
    let runtime = Runtime::new().unwrap();
    let arns = [("1", -400), ("2", -30)].map(|(version, published)| {
        let build = sound("requests", version);
        let made = staged.publish_unrecorded(&build, "eu-west-1", days(published));
        runtime.block_on(made).arn
    });
    let expired = Row {
        target: "p3.12",
        region: "eu-west-1",
        package: "requests",
        layer: "Klayers-p312-requests",
        account: HERE,
        number: 1,
        version: "1",
        dependencies: &["requests==1"],
        expires: Some(days(-5).as_second()),
        deleted: false,
    };
    let latest = Row {
        number: 2,
        version: "2",
        dependencies: &["requests==2"],
        expires: None,
        ..expired.clone()
    };
    let elsewhere = Row { region: "us-east-1", account: OLD_ACCOUNT, ..expired.clone() };
    let other_latest = Row { region: "us-east-1", account: OLD_ACCOUNT, ..latest.clone() };
    let api = PublicApi::new(vec![expired, latest, elsewhere, other_latest], Vec::new());
    staged.home.run(&["adopt", "--api", &api.url(), "--target", "p3.12"]).ended_with(0);
    assert_eq!(recorded(&staged.home).len(), 4);
    (staged, api, arns)
}

#[test]
fn what_expired_is_deleted_where_it_is_ours() {
    let (staged, api, [expired, _]) = adopted();
    let done = staged.home.run(&["expire"]).ended_with(1);
    assert_eq!(done.stdout, format!("deleted {expired}\n"));
    let foreign = format!("us-east-1:{OLD_ACCOUNT}:layer:Klayers-p312-requests:1");
    assert!(done.stderr.contains(&foreign), "{}", done.stderr);
    assert!(done.stderr.contains("belongs to an account that this publisher does not use"));
    let status = |of: &LayerVersionArn| {
        recorded(&staged.home).into_iter().find(|version| version.arn == *of).unwrap().status
    };
    let deleted = status(&expired);
    assert!(matches!(deleted, Status::Deleted { .. }), "{deleted:?}");
    // What is deleted here stays deleted, whatever the source says.
    staged.home.run(&["adopt", "--api", &api.url(), "--target", "p3.12"]).ended_with(0);
    assert_eq!(status(&expired), deleted);
}

#[test]
fn what_is_there_and_who_may_use_it_is_compared() {
    let (staged, _api, [expired, _]) = adopted();
    let told = staged.home.run(&["reconcile", "--region", "eu-west-1"]).ended_with(0);
    assert_eq!(told.stdout, "");
    let runtime = Runtime::new().unwrap();
    runtime.block_on(staged.publisher.delete(&expired)).unwrap();
    let told = staged.home.run(&["reconcile", "--region", "eu-west-1", "--repair"]).ended_with(0);
    assert_eq!(
        told.stdout,
        format!("missing {expired}: recorded as deprecated; recorded as deleted\n")
    );
    let all = staged.home.run(&["reconcile"]).ended_with(0);
    assert!(all.stderr.contains("2 layer versions are in other accounts"), "{}", all.stderr);
}

#[test]
fn nothing_is_published_again_until_it_changes() {
    if !uv_is_there() {
        return;
    }
    let (staged, _api, [_, latest]) = adopted();
    let home = &staged.home;
    home.wheels(&[WheelFile::new("requests", "2").file("requests.py", "")]);
    let before = recorded(home);
    let planned = home.run(&["plan"]).ended_with(0);
    assert!(
        planned.stderr.ends_with("1 layers: 0 to build, 0 layer versions to publish, 0 failed\n")
    );
    let run = home.run(&["run"]).ended_with(0);
    assert!(run.tally().contains("0 built, 0 layer versions published"), "{}", run.tally());
    assert_eq!(recorded(home), before);
    // A region that has none gets one that is built here; the adopted ones stay.
    home.regions(&["eu-west-1", "us-east-1", "sa-east-1"]);
    let run = home.run(&["run"]).ended_with(0);
    assert!(run.tally().contains("1 built, 1 layer versions published"), "{}", run.tally());
    assert_eq!(recorded(home).len(), before.len() + 1);
    let run = home.run(&["run"]).ended_with(0);
    assert!(run.tally().contains("0 built, 0 layer versions published"), "{}", run.tally());
    // What changed takes the place of the adopted one.
    home.wheels(&[WheelFile::new("requests", "3").file("requests.py", "")]);
    home.run(&["run", "--region", "eu-west-1"]).ended_with(0);
    let adopted = recorded(home).into_iter().find(|version| version.arn == latest).unwrap();
    assert!(matches!(adopted.status, Status::Deprecated { .. }), "{adopted:?}");
}

#[test]
fn a_layer_of_the_public_collection_holds_no_lock_to_make_it_again_from() {
    let home = Home::new();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("python/requests/__init__.py", options).unwrap();
    home.write("Klayers-p312-requests.zip", zip.finish().unwrap().into_inner());
    let refused = home.run(&["verify", "Klayers-p312-requests.zip"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("it does not contain exactly one klayers/LAYER/pylock.toml"));
}
