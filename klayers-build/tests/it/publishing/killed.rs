//! Runs that are killed between an effect and its record, at every failpoint.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use klayers_core::LayerVersion;
use rustix::process::{Pid, Signal, kill_process};
use url::Url;

use super::faults::Served;
use super::{Collection, ready};
use crate::samples::digest;
use crate::support::aws::{Contents, Fault, Operation, Rule};
use crate::support::places::{ends, places_in, say_killed, visited};

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// The records of a catalog without the account and the times, which differ between tests.
fn state(collection: &Collection) -> Vec<String> {
    let mut lines: Vec<String> =
        collection.recorded().iter().map(|version| line(collection, version)).collect();
    lines.sort();
    lines
}

fn line(collection: &Collection, version: &LayerVersion) -> String {
    let arn = version.arn.to_string().replace(collection.account.id(), "ACCOUNT");
    let status = format!("{:?}", version.status);
    let status = status.split([' ', '{']).next().unwrap_or_default().to_owned();
    format!("{arn} {} {status}", digest(&version.build))
}

fn end_at(collection: &Collection, arguments: &[&str], endpoint: &Url, place: &str) -> ExitStatus {
    let mut command = collection.command(arguments, endpoint);
    command.env("KLAYERS_FAILPOINT", place);
    command.output().unwrap().status
}

/// Returns the visits of failpoints by a command, in order.
fn visits(collection: &Collection, arguments: &[&str], endpoint: &Url) -> Vec<String> {
    let seen = collection.home.path("seen");
    let mut command = collection.command(arguments, endpoint);
    command.env("KLAYERS_FAILPOINTS_SEEN", &seen);
    collection.home.finish(command.spawn().unwrap()).ended_with(0);
    let visits = std::fs::read_to_string(&seen).unwrap();
    std::fs::remove_file(&seen).unwrap();
    visits.lines().map(str::to_owned).collect()
}

#[test]
fn killed_run_is_completed_by_the_next() {
    let Some(upstream) = ready() else { return };
    // Behind a proxy, which tells when AWS has finished all requests of the killed run.
    let served = Served::before(&upstream, []);
    let endpoint = served.proxy.url();
    let undisturbed = Collection::new(&REGIONS);
    let first_visits = visits(&undisturbed, &["run"], &endpoint);
    undisturbed.change();
    let second_visits = visits(&undisturbed, &["run"], &endpoint);
    undisturbed.agrees(&endpoint, Contents::Listed);
    let expected = state(&undisturbed);
    let mut places =
        places_in(&["pipeline/completion.rs", "pipeline/publication.rs", "pipeline/store.rs"]);
    assert!(places.remove("publication unclear"), "another test comes by that");
    assert_eq!(visited(&first_visits), places);
    assert_eq!(visited(&second_visits), places);
    let mut killed = 0;
    for (change, visits) in [(false, &first_visits), (true, &second_visits)] {
        // Further visits of a failpoint concern another region or layer; the first and the last
        // visit are enough.
        for visit in ends(visits) {
            let collection = Collection::new(&REGIONS);
            if change {
                collection.run(&["run"], &endpoint).ended_with(0);
                collection.change();
            }
            let status = end_at(&collection, &["run"], &endpoint, &visit);
            assert_eq!(status.signal(), Some(9), "{visit}: {status}");
            served.settle();
            collection.run(&["run"], &endpoint).ended_with(0);
            if !change {
                collection.change();
                collection.run(&["run"], &endpoint).ended_with(0);
            }
            collection.agrees(&endpoint, Contents::Listed);
            assert_eq!(state(&collection), expected, "killed at {visit}");
            killed += 1;
        }
    }
    say_killed("a run", killed);
}

/// Starts a run whose publications are slow in AWS, and waits until all of them are under way.
fn publishing(collection: &Collection, served: &Served) -> Child {
    let before = served.published();
    let child = collection.command(&["run"], &served.proxy.url()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    while served.published() < before + 4 {
        assert!(Instant::now() < deadline, "{} publications", served.published());
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn slow() -> Rule {
    Rule::new(Fault::Delayed(Duration::from_secs(4))).on(Operation::PublishLayerVersion)
}

#[test]
fn run_killed_while_aws_works_publishes_nothing_twice() {
    let Some(upstream) = ready() else { return };
    let served = Served::before(&upstream, [slow()]);
    let collection = Collection::new(&REGIONS);
    collection.longest_publication(60);
    let mut child = publishing(&collection, &served);
    child.kill().unwrap();
    child.wait().unwrap();
    let next = collection.run(&["run"], &served.proxy.url()).ended_with(0);
    for region in REGIONS {
        let said = format!("{region}: waiting up to 6");
        assert_eq!(next.stderr.matches(&said).count(), 1, "{}", next.stderr);
    }
    assert_eq!(served.published(), 4);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn interrupted_run_finishes_publications_under_way_and_begins_no_more() {
    let Some(upstream) = ready() else { return };
    let served = Served::before(&upstream, [slow()]);
    let collection = Collection::new(&REGIONS);
    collection.longest_publication(60);
    let child = publishing(&collection, &served);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = collection.home.finish(child).ended_with(130);
    let said = "note: waiting up to 60 s for 4 publications in progress; interrupt again";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    // Nothing is left to settle, and all new versions are recorded.
    collection.agrees(&upstream, Contents::Listed);
    assert_eq!(collection.recorded().len(), 4);
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    assert_eq!(served.published(), 4);
}

#[test]
fn run_interrupted_twice_ends_at_once_and_next_run_settles() {
    let Some(upstream) = ready() else { return };
    let served = Served::before(&upstream, [slow()]);
    let collection = Collection::new(&REGIONS);
    collection.longest_publication(60);
    let child = publishing(&collection, &served);
    let process = Pid::from_child(&child);
    kill_process(process, Signal::INT).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    kill_process(process, Signal::INT).unwrap();
    collection.home.finish(child).ended_with(130);
    collection.run(&["run"], &served.proxy.url()).ended_with(0);
    assert_eq!(served.published(), 4);
    collection.agrees(&upstream, Contents::Listed);
}

#[test]
fn next_run_settles_publication_of_unknown_outcome() {
    let Some(upstream) = ready() else { return };
    let lost = || Rule::new(Fault::AnswerDropped).on(Operation::PublishLayerVersion);
    let served = Served::before(&upstream, [lost()]);
    let undisturbed = Collection::new(&REGIONS);
    let visits = visits(&undisturbed, &["run"], &served.proxy.url());
    let expected = state(&undisturbed);
    let unclear: Vec<&String> =
        visits.iter().filter(|visit| visit.starts_with("publication unclear:")).collect();
    assert_eq!(unclear.len(), 4, "{visits:?}");
    for visit in &unclear {
        let collection = Collection::new(&REGIONS);
        let status = end_at(&collection, &["run"], &served.proxy.url(), visit);
        assert_eq!(status.signal(), Some(9), "{visit}: {status}");
        served.settle();
        collection.run(&["run"], &upstream).ended_with(0);
        collection.agrees(&upstream, Contents::Listed);
        assert_eq!(state(&collection), expected, "killed at {visit}");
    }
    say_killed("a run that did not know", unclear.len());
}
