//! Connections that are accepted but never answered: every command ends, names the region, and
//! completes the others.

use crate::publishing::{Collection, Served, ready};
use crate::support::aws::{Answer, Contents, Fault, FaultProxy, Operation, Rule, localstack};
use crate::support::process::wait_until;
use crate::support::staged::Staged;

const SILENT: &str = "eu-west-1";

fn silent() -> Rule {
    Rule::new(Fault::Silent).in_region(SILENT)
}

#[test]
fn run_names_silent_region_and_publishes_in_the_others() {
    let Some(upstream) = ready() else { return };
    let served = Served::before(&upstream, [silent()]);
    let collection = Collection::new(&[SILENT, "eu-west-2", "us-east-1"]);
    collection.deadline(15);
    let first = collection.run(&["run"], &served.proxy.url()).ended_with(1);
    let told = "warning: eu-west-1 has not answered for 10 s\n";
    assert_eq!(first.stderr.matches(told).count(), 1, "{}", first.stderr);
    let failed = |line: &str| line.starts_with("error: ") && line.contains(SILENT);
    assert!(first.stderr.lines().any(failed), "{}", first.stderr);
    assert_eq!(collection.recorded().len(), 4);
    collection.agrees(&upstream, Contents::Listed);

    // The lock is free, and the missing versions are published.
    served.proxy.set_rules([]);
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    assert_eq!(collection.recorded().len(), 6);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn other_regions_do_not_wait_for_silent_region() {
    let Some(upstream) = ready() else { return };
    // The region has no records, or an unfinished publication that has to be settled.
    for is_unsettled in [false, true] {
        let served = Served::before(&upstream, []);
        let published = |region| served.proxy.count(Some(region), Operation::PublishLayerVersion);
        let collection = Collection::new(&[SILENT, "eu-west-2", "us-east-1"]);
        if is_unsettled {
            let lost = Rule::new(Fault::AnswerDropped).on(Operation::PublishLayerVersion);
            let unlisted = Rule::new(Fault::Refuse).on(Operation::ListLayerVersions);
            let rules = [lost.in_region(SILENT), unlisted.in_region(SILENT)];
            served.proxy.set_rules(rules);
            collection.run(&["run"], &served.proxy.url()).ended_with(1);
            served.settle();
            collection.change();
        }
        served.proxy.set_rules([silent()]);
        let (before, elsewhere) = (published(SILENT), published("eu-west-2"));
        let child = collection.command(&["run"], &served.proxy.url()).spawn().unwrap();
        let layers = if is_unsettled { 1 } else { 2 };
        let is_done = || {
            let regions = ["eu-west-2", "us-east-1"];
            regions.into_iter().all(|region| published(region) == elsewhere + layers)
        };
        wait_until(is_done, "the other regions wait");
        // The region answers only now. If the others had waited for it, it would have been given
        // up.
        served.proxy.speak();
        collection.home.finish(child).ended_with(0);
        assert!(published(SILENT) > before);
        assert_eq!(collection.recorded().len(), if is_unsettled { 9 } else { 6 });
        collection.agrees(&upstream, Contents::Listed);
    }
}

#[test]
fn silent_identity_region_delays_nothing() {
    let Some(upstream) = ready() else { return };
    let served = Served::before(&upstream, [silent().on(Operation::Sts)]);
    let collection = Collection::new(&[SILENT, "eu-west-2"]);
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn unanswered_identity_call_is_not_missing_credentials() {
    let Some(upstream) = ready() else { return };
    for fault in [Fault::Answered(Answer::service_error()), Fault::Silent] {
        let served = Served::before(&upstream, [Rule::new(fault).on(Operation::Sts)]);
        let collection = Collection::new(&[SILENT]);
        collection.deadline(4);
        let ended = collection.run(&["run"], &served.proxy.url()).ended_with(1);
        let told = "could not find out to which account the AWS credentials for the partition aws";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert!(ended.stderr.contains("GetCallerIdentity in eu-west-1"), "{}", ended.stderr);
        assert_eq!(served.proxy.count(None, Operation::PublishLayerVersion), 0);
    }
}

/// Three versions in each of two regions, one of which is silent afterwards.
async fn staged() -> Option<(Staged, FaultProxy)> {
    let proxy = FaultProxy::start(&localstack()?, []).await;
    let staged = Staged::in_aws("[publish]\ndeadline = 4", &proxy.url()).await;
    for region in [SILENT, "us-east-1"] {
        staged.three("requests", region).await;
    }
    proxy.set_rules([silent()]);
    Some((staged, proxy))
}

#[tokio::test(flavor = "multi_thread")]
async fn expire_names_silent_region_and_deletes_in_the_others() {
    let Some((staged, proxy)) = staged().await else { return };
    let ended = staged.home.run(&["expire"]).ended_with(1);
    assert!(ended.stderr.contains("error: arn:aws:lambda:eu-west-1:"), "{ended:?}");
    assert!(ended.stderr.contains("no answer in "), "{ended:?}");
    assert!(ended.stderr.contains("1 layer versions deleted, 0 left, 1 failed"), "{ended:?}");
    assert_eq!(proxy.count(Some(SILENT), Operation::DeleteLayerVersion), 0);
    proxy.set_rules([]);
    staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(staged.there(SILENT).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_names_silent_region_and_compares_the_others() {
    let Some((staged, proxy)) = staged().await else { return };
    for arguments in [&["reconcile"][..], &["reconcile", "--repair"]] {
        let ended = staged.home.run(arguments).ended_with(1);
        assert!(ended.stderr.contains("eu-west-1: "), "{ended:?}");
        assert!(ended.stderr.contains("no answer in "), "{ended:?}");
        assert!(!ended.stderr.contains("us-east-1: "), "{ended:?}");
    }
    proxy.set_rules([]);
    staged.home.run(&["reconcile"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn yank_withdraws_everywhere_and_names_silent_region() {
    let Some((staged, proxy)) = staged().await else { return };
    let command = ["yank", "requests==3", "requests==2", "--reason", "it leaks"];
    let pointers = || {
        let moved = proxy.count(Some(SILENT), Operation::PutParameter);
        moved + proxy.count(Some(SILENT), Operation::DeleteParameter)
    };
    let before = pointers();
    let ended = staged.home.run(&command).ended_with(1);
    assert!(ended.stderr.contains("error: arn:aws:lambda:eu-west-1:"), "{ended:?}");
    assert!(!ended.stderr.contains("error: arn:aws:lambda:us-east-1:"), "{ended:?}");
    // All its pointers would get no answer. Two attempts are made for the first one.
    assert!((1..=2).contains(&(pointers() - before)), "{} calls", pointers() - before);
    let withdrawn = staged.recorded().await;
    assert_eq!(withdrawn.iter().filter(|line| line.ends_with(" withdrawn")).count(), 4);
}
