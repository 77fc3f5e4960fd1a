//! Repeated runs with random faults and kills: in the end, the collection is the same as it would
//! be without them.
//!
//! `make chaos` runs more loops. `CHAOS_LOOPS` sets their number. `CHAOS_SEED` repeats the faults
//! and kills of an earlier run, which prints its seed; timing still differs between runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::time::{Duration, Instant};

use klayers_core::{LayerVersion, Status};
use serde_json::Value;
use url::Url;

use crate::publishing::{Collection, Served, ready};
use crate::samples::digest;
use crate::support::WheelFile;
use crate::support::aws::{Contents, Fault, Operation, Passed, Rule, boto_pointers};
use crate::support::command::environment;
use crate::support::random::Random;

const REGIONS: [&str; 3] = ["eu-west-1", "eu-west-2", "us-east-1"];
/// A short run for the test suite.
const LOOPS: u64 = 2;
/// One call in this many has a fault, on days of different quality.
const ONE_IN: [usize; 3] = [3, 6, 12];
/// A command has several phases, and each ends within its deadline.
const DEADLINE: u64 = 15;
const LONGEST_COMMAND: Duration = Duration::from_secs(7 * DEADLINE);

#[derive(Debug, Default)]
struct Tally {
    loops: u64,
    commands: usize,
    kills: usize,
    faults: usize,
    published: usize,
    doubled: usize,
    longest: Duration,
    violations: Vec<String>,
}

#[test]
fn collection_converges_under_random_faults_and_kills() {
    let Some(upstream) = ready() else { return };
    let loops = number("CHAOS_LOOPS").unwrap_or(LOOPS);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    say(&format!("CHAOS_SEED={seed} CHAOS_LOOPS={loops}"));
    let mut tally = Tally::default();
    for number in 0..loops {
        Chaos::new(&upstream, Random(seed.wrapping_add(number)).next()).run(&mut tally);
        tally.loops += 1;
        say(&format!("{tally:?}"));
    }
    assert!(tally.violations.is_empty(), "CHAOS_SEED={seed}: {:#?}", tally.violations);
    assert!(tally.faults > 0 && tally.published > 0, "{tally:?}");
}

/// One collection and a sequence of commands.
struct Chaos<'a> {
    upstream: &'a Url,
    served: Served,
    collection: Collection,
    random: Random,
    /// The newest release of each package on the index.
    releases: BTreeMap<&'static str, u32>,
    /// Releases of be.ta whose versions were all withdrawn.
    withdrawn: BTreeSet<u32>,
}

impl<'a> Chaos<'a> {
    fn new(upstream: &'a Url, seed: u64) -> Self {
        let mut random = Random(seed);
        let one_in = *random.pick(&ONE_IN);
        let served = Served::before(upstream, [Rule::random(seed, one_in)]);
        let collection = Collection::new(&REGIONS);
        collection.deadline(DEADLINE);
        collection.longest_publication(4);
        let settings = std::fs::read_to_string(collection.home.path("klayers.toml")).unwrap();
        let settings = format!("{settings}pointers = true\n[expiry]\ndays = 0\nkeep = 2\n");
        collection.home.write("klayers.toml", settings);
        let releases = BTreeMap::from([("gamma", 1), ("be.ta", 1)]);
        let withdrawn = BTreeSet::new();
        Self { upstream, served, collection, random, releases, withdrawn }
    }

    fn run(mut self, tally: &mut Tally) {
        for _ in 0..6 + self.random.below(6) {
            if self.random.below(2) == 0 {
                let package = *self.random.pick(&["gamma", "be.ta"]);
                self.release(package);
            }
            self.command(tally);
        }
        // From now on there are no faults.
        self.served.proxy.set_rules([]);
        self.served.proxy.speak();
        self.served.settle();
        self.converge(tally);
        self.check_made_once(tally);
        self.finish_deletions(tally);
        self.check_withdrawn(tally);
        self.release("gamma");
        self.release("be.ta");
        self.converge(tally);
        self.check_made_once(tally);
        self.check(tally);
        let log = self.served.proxy.log();
        tally.faults += log.iter().filter(|passed| passed.fault != Fault::Pass).count();
    }

    fn release(&mut self, package: &'static str) {
        let release = self.releases.get_mut(package).unwrap();
        *release += 1;
        let version = format!("{release}.0");
        let module = format!("{}.py", package.replace('.', ""));
        let content = format!("release = {release}\n");
        self.collection.home.wheels(&[WheelFile::new(package, &version).file(&module, &content)]);
    }

    /// Runs a command with faults, and sometimes kills it.
    fn command(&mut self, tally: &mut Tally) {
        let release = self.releases["be.ta"];
        let pin = format!("be.ta=={release}.0");
        let arguments: &[&str] = match self.random.below(12) {
            0 | 4 => &["yank", &pin, "--reason", "it leaks"],
            1 => &["expire"],
            2 => &["reconcile"],
            3 => &["reconcile", "--repair"],
            _ => &["run"],
        };
        let begun = Instant::now();
        let child = self.collection.command(arguments, &self.served.proxy.url()).spawn().unwrap();
        tally.commands += 1;
        if self.random.below(3) == 0 {
            let mut child = child;
            let time = 200 + self.random.below(5_000);
            std::thread::sleep(Duration::from_millis(u64::try_from(time).unwrap()));
            child.kill().unwrap();
            child.wait().unwrap();
            tally.kills += 1;
            return;
        }
        let ended = self.collection.home.finish(child);
        tally.longest = tally.longest.max(begun.elapsed());
        if begun.elapsed() > LONGEST_COMMAND {
            tally.violations.push(format!("{arguments:?} took {:?}", begun.elapsed()));
        }
        if !matches!(ended.code, Some(0..=2)) {
            tally.violations.push(format!("{arguments:?} ended badly: {ended:?}"));
        }
        if arguments[0] == "yank" && ended.code == Some(0) {
            self.withdrawn.insert(release);
        }
    }

    /// Runs until nothing is left to do.
    fn converge(&self, tally: &mut Tally) {
        let mut said = String::new();
        for _ in 0..3 {
            let ended = self.collection.run(&["run"], &self.served.proxy.url());
            if ended.code == Some(0) {
                return;
            }
            said = ended.stderr;
        }
        tally.violations.push(format!("without faults, a third run fails: {said}"));
    }

    /// Interrupted deletions are finished by the next expiry, not by a run.
    fn finish_deletions(&self, tally: &mut Tally) {
        let ended = self.collection.run(&["expire"], &self.served.proxy.url());
        if ended.code != Some(0) {
            tally.violations.push(format!("without faults, an expiry fails: {ended:?}"));
        }
    }

    /// Checks that no withdrawn version is the latest.
    fn check_withdrawn(&self, tally: &mut Tally) {
        for version in self.collection.recorded() {
            let release = version.build.version.to_string();
            let is_withdrawn = version.build.package.to_string() == "be.ta"
                && self.withdrawn.iter().any(|withdrawn| release == format!("{withdrawn}.0"));
            if version.status == Status::Latest && (is_withdrawn || version.yanked().is_some()) {
                tally.violations.push(format!("withdrawn but latest: {}", version.arn));
            }
        }
    }

    /// Compares the catalog with what boto3 sees.
    fn check(&self, tally: &mut Tally) {
        self.check_withdrawn(tally);
        let log = self.served.proxy.log();
        let doubled = made(&log).filter(|passed| passed.fault == Fault::Doubled).count();
        tally.published += made(&log).count() + doubled;
        tally.doubled += doubled;

        let recorded = self.collection.recorded();
        let there = self.there();
        let existing = |version: &&LayerVersion| !matches!(version.status, Status::Deleted { .. });
        for version in recorded.iter().filter(existing) {
            let Some(seen) = there.get(&version.arn.to_string()) else {
                tally.violations.push(format!("recorded but missing: {}", version.arn));
                continue;
            };
            let is_public = seen["statements"].as_array().is_some_and(|statements| {
                let [statement] = statements.as_slice() else { return false };
                statement["Principal"] == "*" && statement["Effect"] == "Allow"
            });
            if seen["code_sha256"] != digest(&version.build).to_base64() {
                tally.violations.push(format!("wrong hash: {}", version.arn));
            }
            // A version that was withdrawn before it was published needs no policy.
            if !is_public && version.status == Status::Latest {
                tally.violations.push(format!("not public: {}: {seen}", version.arn));
            }
        }
        self.check_latest(&recorded, tally);
    }

    /// Checks that no content was published twice in a region, except by the proxy.
    fn check_made_once(&self, tally: &mut Tally) {
        let log = self.served.proxy.log();
        let doubled = made(&log).filter(|passed| passed.fault == Fault::Doubled).count();
        let mut contents: BTreeMap<String, usize> = BTreeMap::new();
        for (arn, seen) in &self.there() {
            let layer = arn.rsplit_once(':').unwrap().0;
            *contents.entry(format!("{layer} {}", seen["code_sha256"])).or_default() += 1;
        }
        let again: usize = contents.values().map(|count| count - 1).sum();
        if again > doubled {
            let twice = contents.iter().filter(|(_, count)| **count > 1);
            let mut text = format!("{again} published again, {doubled} by the proxy:");
            twice.for_each(|(content, count)| write!(text, "\n{count} {content}").unwrap());
            for passed in log.iter().filter(|passed| {
                let operation = passed.call.operation;
                matches!(operation, Operation::PublishLayerVersion | Operation::ListLayerVersions)
            }) {
                let Passed { call, fault, applied, applied_at, .. } = passed;
                write!(text, "\n{applied_at:?} {call:?} {fault:?} {applied:?}").unwrap();
            }
            tally.violations.push(text);
        }
    }

    /// Checks that each layer has one latest version in each region, of the newest release, and a
    /// pointer to it.
    fn check_latest(&self, recorded: &[LayerVersion], tally: &mut Tally) {
        let latest = recorded.iter().filter(|version| version.status == Status::Latest);
        let mut pointers = BTreeMap::new();
        for version in latest {
            let (target, package) = (version.build.target, &version.build.package);
            let name = format!("{} /klayers/{target}/{package}/latest", version.region());
            if let Some(other) = pointers.insert(name, version.arn.to_string()) {
                tally.violations.push(format!("two latest versions: {other}, {}", version.arn));
            }
            let (release, last) = if package.to_string() == "be.ta" {
                (version.build.version.to_string(), self.releases["be.ta"])
            } else {
                let pins = version.build.dependencies.iter().map(ToString::to_string);
                (pins.collect(), self.releases["gamma"])
            };
            if !release.contains(&format!("{last}.0")) {
                tally.violations.push(format!("not the newest release: {} {release}", version.arn));
            }
        }
        if pointers.len() != 2 * REGIONS.len() {
            tally.violations.push(format!("not one latest version everywhere: {pointers:?}"));
        }
        let seen = boto_pointers(self.upstream, &self.collection.account, &REGIONS);
        if seen != pointers {
            tally.violations.push(format!("pointers {seen:?} instead of {pointers:?}"));
        }
    }

    /// Returns what boto3 sees, by ARN.
    fn there(&self) -> BTreeMap<String, Value> {
        let seen = self.collection.seen(self.upstream, Contents::Listed);
        let layers = seen.as_object().unwrap().values();
        let versions = layers.flat_map(|layers| layers.as_object().unwrap().values());
        versions
            .flat_map(|versions| versions.as_array().unwrap())
            .map(|version| (version["arn"].as_str().unwrap().to_owned(), version.clone()))
            .collect()
    }
}

/// The calls that created versions.
fn made(log: &[Passed]) -> impl Iterator<Item = &Passed> {
    log.iter().filter(|passed| {
        passed.call.operation == Operation::PublishLayerVersion
            && passed.applied.is_some_and(|status| status.is_success())
    })
}

fn number(variable: &str) -> Option<u64> {
    let text = environment(variable)?;
    let number = text.to_str().and_then(|text| text.parse().ok());
    Some(number.unwrap_or_else(|| panic!("{variable} is not a number: {}", text.display())))
}

/// Not with a macro, because the test harness hides that output if a test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
