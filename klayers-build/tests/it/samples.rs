//! Sample values for tests.

use klayers_catalog::Intent;
use klayers_core::{
    Build, Content, Digest, LayerArn, LayerName, LayerVersion, LayerVersionArn, Origin,
    PackageName, Pin, Region, Status, Target, Timestamp,
};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

pub(crate) fn target(text: &str) -> Target {
    text.parse().expect(text)
}

pub(crate) fn region(text: &str) -> Region {
    text.parse().expect(text)
}

pub(crate) fn package(text: &str) -> PackageName {
    text.parse().expect(text)
}

/// A build of `name==version`. Its digests are derived from the arguments.
pub(crate) fn build(for_target: &str, name: &str, version: &str) -> Build {
    let content =
        |part: &str| Digest::of(format!("{part} {for_target} {name} {version}").as_bytes());
    Build {
        target: target(for_target),
        package: package(name),
        version: version.parse().expect(version),
        dependencies: vec![
            "certifi==2025.10.5".parse().expect("a pin"),
            format!("{name}=={version}").parse::<Pin>().expect("a pin").to_normalized(),
        ],
        requirements_hash: content("requirements"),
        origin: Origin::Locked {
            wheels_hash: content("wheels"),
            lock_digest: content("lock"),
            content: Content { digest: content("zip"), size: 1_048_576, unzipped_size: 4_194_304 },
        },
        license: Some("Apache-2.0".to_owned()),
        created_at: Some(at("2026-11-01T02:00:00.123456789Z")),
    }
}

pub(crate) fn layer(build: &Build) -> LayerName {
    LayerName::new("Klayers", build.target, build.package.spelling()).expect("a layer name")
}

pub(crate) fn arn(build: &Build, of_region: &str, number: u64) -> LayerVersionArn {
    let account = "770693421928".parse().expect("an account");
    LayerArn::new(region(of_region), account, layer(build))
        .version(number.try_into().expect("from 1 up"))
}

/// The latest version of a build's layer, published `number` hours after the build.
pub(crate) fn published(build: &Build, region: &str, number: u64) -> LayerVersion {
    let hours = i64::try_from(number).expect("a small number");
    LayerVersion {
        arn: arn(build, region, number),
        build: build.clone(),
        created_at: build.created_at.map(|at| at + jiff::SignedDuration::from_hours(hours)),
        status: Status::Latest,
    }
}

pub(crate) fn intent(build: &Build, of_region: &str) -> Intent {
    Intent {
        region: region(of_region),
        layer: layer(build),
        build: build.clone(),
        begun_at: at("2026-11-01T02:10:00Z"),
        attempted_at: Some(at("2026-11-01T02:20:00.5Z")),
        stuck: None,
    }
}

/// The SHA-256 of a build's zip.
pub(crate) fn digest(build: &Build) -> Digest {
    build.content_digest().expect("it was built here")
}

/// The same build with a different zip.
pub(crate) fn with_content(mut build: Build, changed: Content) -> Build {
    match &mut build.origin {
        Origin::Locked { content, .. } | Origin::Imported { content } => *content = changed,
        Origin::Adopted { .. } => panic!("it has no zip"),
    }
    build
}
