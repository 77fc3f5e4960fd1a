//! Sample values for unit tests.

use jiff::Timestamp;
use klayers_core::{Build, Digest, LayerVersion, Origin, Status};

/// A build of the package `a` for p3.12 that depends on `{dependency}==1`.
pub(crate) fn build(dependency: &str, origin: Origin) -> Build {
    Build {
        target: "p3.12".parse().unwrap(),
        package: "a".parse().unwrap(),
        version: "1".parse().unwrap(),
        dependencies: vec![format!("{dependency}==1").parse().unwrap()],
        requirements_hash: Digest::of(dependency.as_bytes()),
        origin,
        license: None,
        created_at: None,
    }
}

/// A version of the build's layer in eu-west-1.
pub(crate) fn version(
    number: u64,
    build: Build,
    created_at: Option<Timestamp>,
    status: Status,
) -> LayerVersion {
    let arn = format!("arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-a:{number}");
    LayerVersion { arn: arn.parse().unwrap(), build, created_at, status }
}
