//! Runs that are killed between an effect and its record, at every place where that can be.

use std::io::Write as _;
use std::process::ExitStatus;

use klayers_core::LayerVersion;
use url::Url;

use super::{Collection, ready};
use crate::samples::digest;
use crate::support::aws::Contents;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// What a catalog says but for the account and the times, which no two tests share.
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

/// The places that a command comes by, each visit once, in order.
fn places(collection: &Collection, arguments: &[&str], endpoint: &Url) -> Vec<String> {
    let seen = collection.home.path("seen");
    let mut command = collection.command(arguments, endpoint);
    command.env("KLAYERS_FAILPOINTS_SEEN", &seen);
    collection.home.finish(command.spawn().unwrap()).ended_with(0);
    let places = std::fs::read_to_string(&seen).unwrap();
    std::fs::remove_file(&seen).unwrap();
    places.lines().map(str::to_owned).collect()
}

#[test]
fn a_run_that_is_killed_anywhere_is_completed_by_the_next() {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(endpoint) = ready() else { return };
    let undisturbed = Collection::new(&REGIONS);
    let first_places = places(&undisturbed, &["run"], &endpoint);
    undisturbed.change();
    let second_places = places(&undisturbed, &["run"], &endpoint);
    undisturbed.agrees(&endpoint, Contents::Listed);
    let expected = state(&undisturbed);
    for place in [
        "built:1",
        "lock stored:1",
        "zip stored:1",
        "gate recorded:1",
        "build recorded:1",
        "publication intended:1",
        "publication begun:1",
        "published:1",
        "made public:1",
        "publication recorded:1",
    ] {
        assert!(first_places.iter().any(|seen| seen == place), "{first_places:?}");
    }
    let mut killed = 0;
    for (change, places) in [(false, &first_places), (true, &second_places)] {
        // Visits that differ in number alone are the same place in another region; the first and
        // the last of them are enough.
        for place in ends(places) {
            let collection = Collection::new(&REGIONS);
            if change {
                collection.run(&["run"], &endpoint).ended_with(0);
                collection.change();
            }
            let status = end_at(&collection, &["run"], &endpoint, &place);
            assert_eq!(status.signal(), Some(9), "{place}: {status}");
            collection.run(&["run"], &endpoint).ended_with(0);
            if !change {
                collection.change();
                collection.run(&["run"], &endpoint).ended_with(0);
            }
            collection.agrees(&endpoint, Contents::Listed);
            assert_eq!(state(&collection), expected, "killed at {place}");
            killed += 1;
        }
    }
    let _ = writeln!(std::io::stderr(), "\nkilled a run at {killed} points");
}

/// Of each place the first visit and the last.
fn ends(places: &[String]) -> Vec<String> {
    let mut visits: std::collections::BTreeMap<&str, Vec<u64>> = std::collections::BTreeMap::new();
    for place in places {
        let (name, number) = place.rsplit_once(':').unwrap();
        visits.entry(name).or_default().push(number.parse().unwrap());
    }
    let mut chosen = Vec::new();
    for (name, numbers) in visits {
        let (first, last) = (numbers.iter().min().unwrap(), numbers.iter().max().unwrap());
        chosen.push(format!("{name}:{first}"));
        if last != first {
            chosen.push(format!("{name}:{last}"));
        }
    }
    chosen
}
