//! Builds Python packages into AWS Lambda layers, publishes them, and serves the list.

pub mod artifacts;
pub mod catalog;
pub mod publish;
pub mod serve;

mod durable;
