//! The places at which a process can be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

/// The places that stand in some of the sources, which a test that kills at all of them must have
/// come by.
pub(crate) fn places_in(files: &[&str]) -> BTreeSet<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut places = BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(sources.join(file)).unwrap();
        let calls = source.split("failpoint::reach(\"").skip(1);
        let before = places.len();
        places.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        assert!(places.len() > before, "there are none in {file}");
    }
    places
}

/// The places of visits such as `published:3`.
pub(crate) fn visited(visits: &[String]) -> BTreeSet<String> {
    visits.iter().map(|visit| visit.rsplit_once(':').unwrap().0.to_owned()).collect()
}

/// Of each place the first visit and the last.
pub(crate) fn ends(visits: &[String]) -> Vec<String> {
    let mut by_place: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for visit in visits {
        let (place, number) = visit.rsplit_once(':').unwrap();
        by_place.entry(place).or_default().push(number.parse().unwrap());
    }
    let mut chosen = Vec::new();
    for (place, numbers) in by_place {
        let (first, last) = (numbers.iter().min().unwrap(), numbers.iter().max().unwrap());
        chosen.push(format!("{place}:{first}"));
        if last != first {
            chosen.push(format!("{place}:{last}"));
        }
    }
    chosen
}

/// Says at how many places something was killed, where it is shown although the test passes.
pub(crate) fn say_killed(what: &str, points: usize) {
    let _ = writeln!(std::io::stderr(), "\nkilled {what} at {points} points");
}
