use klayers_core::{PackageName, Target};

use super::*;
use crate::report::BuildReason;
use crate::report::Failure;

fn built(package: &str, code_size: u64, milliseconds: u64) -> BuiltLayer {
    BuiltLayer {
        target: target(),
        package: package.parse().unwrap(),
        version: "1.0".parse().unwrap(),
        reason: BuildReason::New,
        code_size,
        milliseconds,
    }
}

fn target() -> Target {
    "p3.12".parse().unwrap()
}

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn failure(package: Option<&str>, region: Option<&str>, reason: &str, layers: usize) -> Failure {
    Failure {
        target: package.map(|_| target()),
        package: package.map(|package| package.parse::<PackageName>().unwrap()),
        region: region.map(self::region),
        reason: reason.to_owned(),
        message: None,
        layers,
    }
}

fn report() -> RunReport {
    let mut report = RunReport {
        layers: 12,
        unchanged: 3,
        failed: 5,
        ..RunReport::begin("2026-11-01T02:00:00Z".parse().unwrap())
    };
    for (number, package) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
        let number = number as u64;
        report.built.push(built(package, 1_000_000 * (number + 1), 90_000 / (number + 1)));
    }
    for (code, number) in [("us-east-1", 6), ("eu-west-1", 6), ("eu-west-2", 2)] {
        report.published.insert(region(code), number);
    }
    let arn = "arn:aws:lambda:us-east-1:000000000000:layer:Klayers-p312-z:1";
    report.completed.push(arn.parse().unwrap());
    report.failures = vec![
        failure(Some("absent"), None, "no wheels", 1),
        failure(Some("huge"), Some("us-east-1"), "too large", 1),
        failure(Some("huge"), Some("eu-west-1"), "too large", 1),
        failure(Some("huge"), Some("eu-west-2"), "otherwise", 1),
        failure(None, Some("eu-west-2"), "it is full", 4),
        failure(None, None, "it was interrupted", 0),
    ];
    report
}

#[test]
fn summary_shows_results_and_failures() {
    insta::assert_snapshot!(report().summary());
}

#[test]
fn empty_summary_is_its_tally() {
    let report = RunReport::begin("2026-11-01T02:00:00Z".parse().unwrap());
    assert_eq!(report.summary().to_string(), report.tally());
}

#[test]
fn failures_beyond_limit_are_counted() {
    let text = report().summary().with_failures(2).to_string();
    let failed: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("  failed     ")).collect();
    assert_eq!(
        failed,
        ["p3.12 absent: no wheels", "p3.12 huge in us-east-1 and eu-west-1: too large", "3 more"]
    );
}

#[test]
fn times_are_shown_in_two_units_at_most() {
    let shown =
        [0, 99, 59_999, 60_000, 182_000, 3_600_000, 9_000_000].map(|ms| Took(ms).to_string());
    assert_eq!(
        shown,
        ["0.0 s", "0.0 s", "59.9 s", "1 min 0 s", "3 min 2 s", "1 h 0 min", "2 h 30 min"]
    );
}

#[test]
fn sizes_are_shown_in_decimal_units() {
    let shown = [999, 1_000, 28_123_456, 2_500_000_000].map(|bytes| Size(bytes).to_string());
    assert_eq!(shown, ["999 bytes", "1.0 kB", "28.1 MB", "2.5 GB"]);
}
