//! The models and formats that every part of Klayers shares.
//!
//! Klayers is a collection of Python packages as AWS Lambda layers. This crate says what a package,
//! a target, a region, a layer, its ARN and its versions are, how they are written and read, and
//! what the HTTP API v2 says about them. It does no I/O and reads neither the clock nor the
//! environment: text and times come in as arguments, values and text go out.
//!
//! ```
//! use klayers_core::{LayerVersionArn, PackageName, Target};
//!
//! let arn: LayerVersionArn =
//!     "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-arm64-Pillow:4".parse()?;
//! let target: Target = "p3.13-arm64".parse()?;
//! let package: PackageName = "pillow".parse()?;
//! assert!(arn.name().is_for(target, &package));
//! # Ok::<(), klayers_core::ParseError>(())
//! ```

pub mod api;
pub mod collection;

mod arn;
mod base_image;
mod bundle;
mod digest;
mod error;
mod expiry;
mod layer_name;
mod layer_version;
mod package;
mod region;
mod requirement;
mod runtime;
mod schedule;
mod target;
mod version;

pub use arn::{AccountId, LayerArn, LayerVersionArn};
pub use base_image::{AbiVersion, BaseImage};
pub use bundle::{Bundle, BundleError};
pub use digest::{Digest, requirements_hash, requirements_txt};
pub use error::ParseError;
pub use expiry::{ExpiryPolicy, due};
pub use jiff::Timestamp;
pub use layer_name::LayerName;
pub use layer_version::{Build, Content, LayerVersion, Origin, Status, Yank};
pub use package::PackageName;
pub use region::{Partition, Region};
pub use requirement::{Pin, Requirement};
pub use runtime::{Glibc, Runtime, Runtimes};
pub use schedule::{EVENTBRIDGE_CRON, last_build, next_build};
pub use target::{Architecture, PythonVersion, Target};
pub use version::PackageVersion;
