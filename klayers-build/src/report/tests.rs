use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use klayers_core::{Build, Content, Digest, LayerName, LayerVersionArn, Origin, Target};

use super::*;
use crate::pipeline::CompletedLayer;
use crate::plan::Contents;
use klayers_catalog::report::BuildReason;

fn target() -> Target {
    "p3.12".parse().unwrap()
}

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn build(package: &str) -> Build {
    Build {
        target: target(),
        package: package.parse().unwrap(),
        version: "1.0".parse().unwrap(),
        dependencies: Vec::new(),
        requirements_hash: Digest::of(b""),
        origin: Origin::Imported {
            content: Content {
                digest: Digest::of(package.as_bytes()),
                size: 10,
                unzipped_size: 20,
            },
        },
        license: None,
        created_at: Some(Timestamp::UNIX_EPOCH),
    }
}

fn arn(region: &str, package: &str) -> LayerVersionArn {
    let arn = format!("arn:aws:lambda:{region}:000000000000:layer:Klayers-p312-{package}:1");
    arn.parse().unwrap()
}

fn closed(code: &str) -> Error {
    PublishError::Closed { region: region(code), reason: "it is full: really".to_owned() }.into()
}

fn overdue(code: &str) -> Error {
    let layer = LayerName::new("Klayers", target(), "a").unwrap();
    let deadline = Duration::from_mins(5);
    PublishError::Overdue { region: region(code), layer, deadline, trouble: None }.into()
}

/// What became of a layer that was built, and published or not.
fn outcome<const N: usize>(
    package: &str,
    built: Option<BuildReason>,
    published: [(&str, Result<LayerVersionArn, Error>); N],
) -> LayerOutcome {
    LayerOutcome {
        wanted: Wanted {
            target: target(),
            contents: Contents::Package(package.parse().unwrap()),
            layer: LayerName::new("Klayers", target(), package).unwrap(),
        },
        build_time: Duration::from_millis(1_500),
        result: Ok(CompletedLayer {
            build: build(package),
            built,
            report: None,
            published: published.into_iter().map(|(code, what)| (region(code), what)).collect(),
            unmoved: BTreeMap::new(),
            withheld: false,
            cautions: Vec::new(),
        }),
    }
}

#[test]
fn what_was_done_is_counted() {
    let mut report = RunReport::begin(Timestamp::UNIX_EPOCH);
    let [here, there] = ["us-east-1", "eu-west-1"];
    report.add(&outcome("a", Some(BuildReason::New), [(here, Ok(arn(here, "a")))]));
    report.add(&outcome("b", None, [(here, Ok(arn(here, "b"))), (there, Ok(arn(there, "b")))]));
    report.add(&outcome("c", None, []));
    report.end(Duration::from_secs(3));
    assert_eq!(
        report.tally(),
        "3 layers: 1 built, 3 layer versions published, 1 unchanged, 0 failed"
    );
    assert_eq!(report.published, BTreeMap::from([(region(here), 2), (region(there), 1)]));
    assert_eq!((report.built[0].milliseconds, report.built[0].code_size), (1_500, 10));
    assert_eq!(report.milliseconds, 3_000);
    assert!(report.is_complete());
}

#[test]
fn a_region_that_was_closed_is_one_failure_with_its_reason() {
    let mut report = RunReport::begin(Timestamp::UNIX_EPOCH);
    // The layers come in their order, so the one that met the reason may come later.
    report.add(&outcome("a", None, [("eu-west-1", Err(closed("eu-west-1")))]));
    report.add(&outcome(
        "b",
        None,
        [("eu-west-1", Err(closed("eu-west-1"))), ("eu-west-2", Err(overdue("eu-west-2")))],
    ));
    report.add(&outcome("c", None, [("eu-west-2", Err(closed("eu-west-2")))]));
    let failures: Vec<(String, &str, usize)> = report
        .failures
        .iter()
        .map(|failure| {
            assert_eq!((&failure.target, &failure.package), (&None, &None));
            (failure.region.clone().unwrap().to_string(), &*failure.reason, failure.layers)
        })
        .collect();
    assert_eq!(
        failures,
        [
            ("eu-west-1".to_owned(), "it is full: really", 2),
            (
                "eu-west-2".to_owned(),
                "publishing Klayers-p312-a in eu-west-2 took more than 300 s",
                2
            ),
        ]
    );
    assert_eq!(report.failed, 3);
}

#[test]
fn a_layer_that_failed_is_named_with_all_causes_error_chain() {
    let mut report = RunReport::begin(Timestamp::UNIX_EPOCH);
    let io = || PublishError::Io {
        action: "read",
        path: "a.zip".into(),
        source: std::io::Error::other("it is\n  gone"),
    };
    report.add(&outcome("a", None, [("eu-west-1", Err(io().into()))]));
    let failed = LayerOutcome { result: Err(io().into()), ..outcome("b", None, []) };
    report.add(&failed);
    let [in_region, whole] = &report.failures[..] else { panic!("{:?}", report.failures) };
    assert_eq!(in_region.reason, "could not read a.zip: it is gone");
    assert_eq!(in_region.region, Some(region("eu-west-1")));
    assert_eq!(whole.package, Some("b".parse().unwrap()));
    assert_eq!((&whole.region, whole.layers, report.failed), (&None, 1, 2));
}
