//! The client of the Klayers API: which AWS Lambda layer holds a Python package.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = Server::collection();
//! # let api_url = server.url();
//! use klayers_client::{Client, Region, Target};
//!
//! let region: Region = "us-east-1".parse()?;
//! let target: Target = "p3.13".parse()?;
//! let client = Client::builder().base_url(api_url).build()?;
//! let arn = client.latest_arn("requests", &region, &target).await?;
//! assert_eq!(
//!     arn.to_string(),
//!     "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4",
//! );
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::new`] asks the public collection, so that the shortest way to an ARN is:
//!
//! ```
//! # use klayers_client::{Error, LayerVersionArn, Region, Target};
//! async fn layer(region: Region, target: Target) -> Result<LayerVersionArn, Error> {
//!     klayers_client::Client::new()?.latest_arn("requests", &region, &target).await
//! }
//! ```
//!
//! Outside async code there is [`blocking::Client`], over the same code. What comes back are the
//! types of `klayers-core`, re-exported here.
//!
//! An ARN is returned only from a well-formed answer for exactly the region, target and package
//! that were asked for; anything else is an [`Error`] that says what is wrong with which address.
//!
//! # Features
//!
//! - `disk-cache`: answers are kept in files, too, which processes share.
//! - `cli`: the command `klayers`, as a binary and as the module `cli`.

pub mod blocking;
#[cfg(feature = "cli")]
pub mod cli;

mod answer;
mod builder;
mod cache;
mod client;
mod error;
mod freshness;
mod hub;
mod lambda;
mod protocol;
mod response;
mod retry;
mod shelf;
mod spec;
mod suggest;
mod transport;

pub use answer::{Answer, Answers};
pub use builder::ClientBuilder;
pub use cache::Cache;
pub use client::Client;
pub use error::{Error, TransportFailure};
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
