//! Builds Python packages into AWS Lambda layers, publishes them, and serves the list.
//!
//! The modules stand in the order of the data: requirements are resolved to a [`lock`], whose
//! wheels are fetched, verified to the last byte and [`assemble`]d to a zip, which is stored among the [`artifacts`] and
//! published region by region, all of it recorded in the [`catalog`], from which the API is
//! served. Each stage takes the value of the one before and knows nothing of the others;
//! [`pipeline`] alone composes them.

pub mod adopt;
pub mod artifacts;
pub mod assemble;
pub mod builder;
pub mod bytecode;
pub mod cached;
pub mod catalog;
pub mod config;
pub mod confine;
pub mod export;
pub mod failpoint;
pub mod fetch;
pub mod gate;
pub mod import;
pub mod interpreter;
pub mod lock;
pub mod message;
pub mod notify;
pub mod order;
pub mod page;
pub mod pipeline;
pub mod plan;
pub mod publish;
pub mod recipe;
pub mod report;
pub mod reproduce;
pub mod resolve;
pub mod sbom;
pub mod serve;
pub mod settings;
pub mod site;
pub mod slim;
pub mod strip;
pub mod verify;
pub mod wheel;

mod alike;
mod command;
mod durable;
mod error;
mod gzip;
mod index;
mod nesting;
mod regular;
mod sealed;
mod secrets;
mod sweep;

pub use command::CommandError;
pub use error::Error;
pub use secrets::TomlError;
