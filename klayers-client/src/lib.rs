#![doc = include_str!("../README.md")]

#[cfg(feature = "aws")]
pub mod aws;
pub mod blocking;
#[cfg(feature = "cli")]
pub mod cli;

mod answer;
mod builder;
mod cache;
mod client;
mod duration;
mod encoding;
mod error;
mod freshness;
mod hub;
mod lambda;
mod protocol;
mod proxy;
mod response;
mod retry;
mod shelf;
mod spec;
mod suggest;
mod transport;
mod trust;

pub use answer::{Answer, Answers};
pub use builder::ClientBuilder;
pub use cache::Cache;
pub use client::Client;
pub use error::{Error, TransportFailure, Withdrawn};
pub use klayers_core::api::{BuildRow, DeployStatus, LatestRow, PackageRow, VersionRow};
pub use klayers_core::{
    AccountId, Architecture, LayerArn, LayerName, LayerVersionArn, PackageName, PackageVersion,
    ParseError, Partition, Pin, PythonVersion, Region, Target, Timestamp,
};
pub use lambda::LambdaEnvironment;
pub use retry::RetryPolicy;
pub use spec::LayerSpec;

/// The examples in the repository's README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
