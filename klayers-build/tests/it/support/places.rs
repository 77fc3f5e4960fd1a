//! The failpoints at which a process can be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::Runtime;

/// Returns the failpoints in some source files. A test that kills at every failpoint must have
/// visited all of them.
pub(crate) fn places_in(files: &[&str]) -> BTreeSet<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut places = BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(sources.join(file)).unwrap();
        let calls = source.split("failpoint::reach(\"").skip(1);
        let before = places.len();
        places.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        assert!(places.len() > before, "no failpoints in {file}");
    }
    places
}

/// Returns the failpoints of visits such as `published:3`.
pub(crate) fn visited(visits: &[String]) -> BTreeSet<String> {
    visits.iter().map(|visit| visit.rsplit_once(':').unwrap().0.to_owned()).collect()
}

/// Returns the first and the last visit of each failpoint.
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

/// Runs a test for each visit, several at once: most of its time is spent on waiting for processes
/// and rate limits. Each test has a runtime of its own.
pub(crate) fn for_each_visit(visits: &[String], test: impl AsyncFn(&str) + Sync) {
    const PARALLEL_TESTS: usize = 8;
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..PARALLEL_TESTS.min(visits.len()) {
            scope.spawn(|| {
                let runtime = Runtime::new().unwrap();
                while let Some(visit) = visits.get(next.fetch_add(1, Ordering::Relaxed)) {
                    runtime.block_on(test(visit));
                }
            });
        }
    });
}

/// Prints at how many visits something was killed. Written so that it is shown even if the test
/// passes.
pub(crate) fn say_killed(what: &str, points: usize) {
    let _ = writeln!(std::io::stderr(), "\nkilled {what} at {points} points");
}
