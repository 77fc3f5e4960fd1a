//! `klayers-pipeline yank`: a withdrawn version is deprecated at once and does not come back.

use klayers_build::Error;
use klayers_build::pipeline::{YankError, Yanker, find_versions_to_yank};
use klayers_build::plan::Selection;
use klayers_catalog::{Catalog as _, Query, SqliteCatalog};
use klayers_core::{ExpiryPolicy, LayerVersionArn};

use crate::samples::region;
use crate::support::WheelFile;
use crate::support::aws::localstack;
use crate::support::command::{Home, uv_is_there};
use crate::support::faulty::Faulty;
use crate::support::places::{for_each_visit, places_in, say_killed, visited};
use crate::support::staged::{Staged, days, now, short, sound};

#[tokio::test]
async fn release_is_withdrawn_in_all_regions_and_previous_version_is_latest() {
    let staged = Staged::new("");
    let europe = staged.three("requests", "eu-west-1").await;
    let america = staged.three("requests", "us-east-1").await;
    staged.three("numpy", "eu-west-1").await;
    let before = staged.recorded().await;
    let withdraw = ["yank", "requests==3", "--reason", "it leaks"];
    let planned = staged.home.run(&[&withdraw[..], &["--dry-run"]].concat()).ended_with(0);
    assert_eq!(
        planned.stdout,
        format!("{}: withdraw requests 3\n{}: withdraw requests 3\n", europe[2], america[2])
    );
    assert_eq!(planned.stderr, "2 layer versions to withdraw\n");
    assert_eq!(staged.recorded().await, before);

    let expected = [
        "eu-west-1 numpy 3 latest",
        "eu-west-1 numpy 2 deprecated",
        "eu-west-1 numpy 1 deprecated",
        "eu-west-1 requests 2 latest",
        "eu-west-1 requests 3 withdrawn",
        "eu-west-1 requests 1 deprecated",
        "us-east-1 requests 2 latest",
        "us-east-1 requests 3 withdrawn",
        "us-east-1 requests 1 deprecated",
    ];
    let said = format!(
        "withdrawn {}\n  the latest is {}\nwithdrawn {}\n  the latest is {}\n",
        europe[2], europe[1], america[2], america[1]
    );
    // Withdrawing again changes nothing.
    for _ in 0..2 {
        let done = staged.home.run(&withdraw).ended_with(0);
        assert_eq!(done.stdout, said);
        assert_eq!(done.stderr, "2 layer versions withdrawn, 0 failed\n");
        assert_eq!(staged.recorded().await, expected);
    }
    let planned = staged.home.run(&[&withdraw[..], &["--dry-run"]].concat()).ended_with(0);
    assert!(planned.stdout.contains(": requests 3 was withdrawn "), "{}", planned.stdout);
    assert!(planned.stdout.contains(": it leaks\n"), "{}", planned.stdout);
    // Functions continue to use it: it still exists, and expires like others.
    assert_eq!(staged.there("us-east-1").await.len(), 3);
    let withdrawn = staged.catalog.layer_version(&europe[2]).await.unwrap().unwrap();
    assert_eq!(withdrawn.yanked().unwrap().reason, "it leaks");
    let expires_at = withdrawn.expires_at().unwrap();
    assert!(days(364) < expires_at && expires_at < days(366));
}

#[tokio::test]
async fn single_version_is_withdrawn_by_arn_and_region_filter_applies() {
    let staged = Staged::new("");
    let europe = staged.three("requests", "eu-west-1").await;
    staged.three("requests", "us-east-1").await;
    let arn = europe[2].to_string();
    // A version that is given twice is withdrawn once, and no version that is also withdrawn
    // becomes the latest in between.
    let all = ["yank", &arn, "requests==3", "requests==2", "--reason", "x", "--json"];
    let done = staged.home.run(&[&all[..], &["--region", "eu-west-1"]].concat()).ended_with(0);
    let json: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let oldest = europe[0].to_string();
    let withdrawn = json["withdrawn"].as_array().unwrap();
    assert_eq!(withdrawn.len(), 2);
    assert_eq!(withdrawn[1], serde_json::json!({ "arn": arn, "latest": oldest }));
    let last = staged.home.run(&["yank", &oldest, "--reason", "x"]).ended_with(0);
    assert_eq!(last.stdout, format!("withdrawn {oldest}\n  there is no latest any more\n"));
    let america = staged.recorded().await.split_off(3);
    assert_eq!(america[0], "us-east-1 requests 3 latest");
}

#[tokio::test]
async fn withdrawing_missing_version_withdraws_nothing() {
    let staged = Staged::new("");
    let arns = staged.three("requests", "eu-west-1").await;
    staged.catalog.begin_deletion(&arns[0], now()).await.unwrap();
    let before = staged.recorded().await;
    let unknown = arns[0].to_string().replace(":1", ":7");
    for what in ["requests==9", "numpy==1", "requests==1", &arns[0].to_string(), &unknown] {
        let refused =
            staged.home.run(&["yank", "requests==3", what, "--reason", "x"]).ended_with(2);
        let said = format!("error: no existing layer version among those selected matches {what};");
        assert!(refused.stderr.starts_with(&said), "{}", refused.stderr);
    }
    for arguments in [
        &["requests==3", "--reason", ""][..],
        &["requests==3"],
        &["requests", "--reason", "x"],
        &["--reason", "x"],
        &["requests==3", "--reason", "x", "--target", "p3.13"],
    ] {
        staged.home.run(&[&["yank"], arguments].concat()).ended_with(2);
    }
    assert_eq!(staged.recorded().await, before);
}

#[tokio::test]
async fn killed_withdrawal_is_completed_by_the_next() {
    let killed = kill_everywhere(async || Staged::new("")).await;
    say_killed("a withdrawal", killed);
}

#[tokio::test]
async fn in_aws_killed_withdrawal_is_completed_by_the_next() {
    let Some(endpoint) = localstack() else { return };
    let killed = kill_everywhere(async || Staged::in_aws("", &endpoint).await).await;
    say_killed("a withdrawal in AWS", killed);
}

/// Kills withdrawals in a collection that starts empty, at every visit of every failpoint.
async fn kill_everywhere(empty: impl AsyncFn() -> Staged + Sync) -> usize {
    let stage = async || {
        let staged = empty().await;
        staged.three("requests", "eu-west-1").await;
        staged.three("requests", "us-east-1").await;
        staged
    };
    let withdraw = ["yank", "requests==3", "requests==2", "--reason", "x"];
    let undisturbed = stage().await;
    let visits = undisturbed.visits(&withdraw, 0);
    assert_eq!(visited(&visits), places_in(&["pipeline/yank.rs"]));
    assert!(visits.contains(&"pointer moved:4".to_owned()), "{visits:?}");
    let expected = undisturbed.recorded().await;
    undisturbed.agrees_with_boto3().await;
    for_each_visit(&visits, async |visit| {
        let staged = stage().await;
        staged.kill_at(&withdraw, visit);
        staged.home.run(&withdraw).ended_with(0);
        assert_eq!(staged.recorded().await, expected, "killed at {visit}");
        staged.agrees_with_boto3().await;
    });
    visits.len()
}

#[tokio::test]
async fn in_aws_withdrawal_restores_previous_version_and_pointer() {
    let Some(endpoint) = localstack() else { return };
    let staged = Staged::in_aws("", &endpoint).await;
    let [oldest, before, latest] = staged.three("requests", "eu-west-1").await;
    staged.agrees_with_boto3().await;
    let withdraw = |what: &LayerVersionArn| {
        staged.home.run(&["yank", &what.to_string(), "--reason", "it leaks"]).ended_with(0).stdout
    };
    let said = format!("withdrawn {latest}\n  the latest is {before}\n");
    for _ in 0..2 {
        assert_eq!(withdraw(&latest), said);
        staged.agrees_with_boto3().await;
    }
    // There is no latest version to point to, and all versions still exist.
    for arn in [&oldest, &before] {
        withdraw(arn);
    }
    assert_eq!(staged.there("eu-west-1").await.len(), 3);
    staged.agrees_with_boto3().await;
    staged.home.run(&["reconcile"]).ended_with(0);
}

#[tokio::test]
async fn withdrawal_stands_even_if_pointer_cannot_be_moved() {
    let staged = Staged::new("");
    let europe = staged.three("requests", "eu-west-1").await;
    let america = staged.publish(&sound("requests", "3"), "us-east-1", days(-1), days(1)).await;
    let publisher = Faulty::closed_in(&staged.publisher, region("us-east-1"));
    let yanker = Yanker {
        catalog: staged.catalog.clone(),
        publisher: publisher.clone(),
        expiry: ExpiryPolicy::default(),
    };
    let what = ["requests==3".parse().unwrap()];
    let versions =
        find_versions_to_yank(&*staged.catalog, &what, &Selection::default()).await.unwrap();
    let outcomes = yanker.yank(&versions, "x", now()).await;
    let done = outcomes[&europe[2]].as_ref().unwrap();
    assert_eq!(done.latest.as_ref(), Some(&europe[1]));
    done.pointed.as_ref().unwrap();
    let closed = outcomes[&america].as_ref().unwrap();
    assert_eq!(closed.latest, None);
    closed.pointed.as_ref().unwrap_err();
    assert!(staged.recorded().await.contains(&format!("{} withdrawn", short(&america))));
    let moved = publisher.faults().moved.clone();
    let [pointer] = &moved[..] else { panic!("{moved:?}") };
    assert_eq!(
        (&pointer.region, &pointer.latest),
        (&region("eu-west-1"), &Some(europe[1].clone()))
    );

    let unknown = ["requests==9".parse().unwrap()];
    let error =
        find_versions_to_yank(&*staged.catalog, &unknown, &Selection::default()).await.unwrap_err();
    assert!(matches!(error, Error::Yank(YankError::NotFound(_))), "{error:?}");
}

#[test]
fn run_does_not_publish_withdrawn_content_until_it_changes() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let beta = |version: &str| {
        home.wheels(&[WheelFile::new("beta", version).file("beta.py", version)]);
    };
    home.collection(&[("p3.12", &["beta"])], &["us-east-1", "eu-west-1"]);
    beta("1.0");
    home.run(&["run"]).ended_with(0);
    beta("1.1");
    home.run(&["run"]).ended_with(0);
    home.run(&["yank", "beta==1.1", "--reason", "it is broken"]).ended_with(0);
    let latest = || {
        let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let versions = runtime.block_on(catalog.layer_versions(&Query::default()));
        versions.unwrap().iter().map(|version| short(&version.arn)).collect::<Vec<_>>()
    };
    assert_eq!(latest(), ["eu-west-1 beta 1", "us-east-1 beta 1"]);

    // Neither in a new region nor after a forced build.
    home.regions(&["us-east-1", "eu-west-1", "eu-west-2"]);
    let before = home.files("published");
    for arguments in [&["plan"][..], &["run"], &["run", "--force-build"]] {
        let withheld = home.run(arguments).ended_with(0);
        assert_eq!(withheld.stdout, "p3.12 beta 1.1: withheld (yanked)\n");
        assert_eq!(home.files("published"), before);
    }
    assert_eq!(latest(), ["eu-west-1 beta 1", "us-east-1 beta 1"]);

    beta("1.2");
    home.run(&["run"]).ended_with(0);
    assert_eq!(latest(), ["eu-west-1 beta 3", "eu-west-2 beta 1", "us-east-1 beta 3"]);
}
