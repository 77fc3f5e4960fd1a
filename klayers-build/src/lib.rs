//! Builds Python packages into AWS Lambda layers, publishes them, and serves the list.
//!
//! This crate composes what the crates below it do: [`config`] reads what an operator asks for,
//! [`plan`] decides what is to be done, and [`pipeline`] does it.

pub mod adopt;
#[cfg(feature = "aws")]
pub mod bucket;
pub mod config;
pub mod message;
pub mod notify;
pub mod order;
pub mod pipeline;
pub mod plan;
pub mod report;

mod error;

pub use klayers_catalog as catalog;
pub use klayers_layer as layer;
pub use klayers_publish as publish;
pub use klayers_site as site;

pub use error::{Error, MissingFeatureError};
