//! Wheels that break one rule each, and some that are unusual but valid: data for the tests of
//! `klayers-build`, seeds for its fuzzer, and files for a comparison with other installers.
//!
//! All wheels are generated on demand; no binary file has to be stored and trusted.

#![expect(clippy::missing_panics_doc, reason = "a panic here is a mistake in a case")]

pub mod raw_zip;
pub mod rules;

mod cases;
mod seeds;
mod wheel;

pub use cases::{Case, Verdict, cases};
pub use seeds::{Seed, files, libraries, metadata, records, seeds};
pub use wheel::{DATA, DIST_INFO, FILENAME, MODULE, Wheel};
