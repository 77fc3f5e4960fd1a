#![doc = include_str!("../README.md")]

#[cfg(feature = "aws")]
pub mod aws;
pub mod blocking;
#[cfg(feature = "cli")]
pub mod cli;

mod answer;
mod answer_cache;
mod backend;
mod builder;
mod cache;
mod client;
mod clock;
mod display;
mod duration;
mod encoding;
mod environment;
mod error;
mod failure;
mod freshness;
mod lambda;
mod network;
mod protocol;
mod proxy;
mod response;
mod spec;
mod suggest;
mod transport;
mod trust;
mod withdrawn;

pub use answer::{Answer, Answers};
pub use builder::ClientBuilder;
pub use cache::Cache;
pub use client::Client;
pub use error::Error;
pub use klayers_core::api::{BuildRow, DeployStatus, LatestRow, PackageRow, VersionRow};
pub use klayers_core::retry::{RetryPolicy, TransportFailure};
pub use klayers_core::{
    AccountId, Architecture, LayerArn, LayerName, LayerVersionArn, PackageName, PackageVersion,
    ParseError, Partition, Pin, PythonVersion, Region, Target, Timestamp,
};
pub use lambda::LambdaEnvironment;
pub use spec::LayerSpec;
pub use withdrawn::WithdrawnVersion;

/// Compiles the examples in the repository's README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
