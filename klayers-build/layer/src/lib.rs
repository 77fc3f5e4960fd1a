//! Resolves requirements and builds AWS Lambda layers from locked wheels.
//!
//! The modules follow the data: requirements are resolved to a [`lock`], whose wheels are fetched,
//! verified to the last byte and assembled to a zip, which the [`gate`] judges. [`builder`]
//! composes the stages that end with a zip, and [`settings`] makes a resolver and a builder from an
//! operator's settings.

pub mod assemble;
pub mod builder;
pub mod bytecode;
pub mod command;
pub mod confine;
pub mod fetch;
pub mod gate;
pub mod import;
pub mod index;
pub mod interpreter;
pub mod lock;
pub mod recipe;
pub mod reproduce;
pub mod resolve;
pub mod sbom;
pub mod secrets;
pub mod settings;
pub mod slim;
pub mod sources;
pub mod strip;
pub mod verify;

mod error;

pub use error::LayerError;
