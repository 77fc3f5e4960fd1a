#![doc = include_str!("../README.md")]

pub mod api;
#[cfg(feature = "collection")]
pub mod collection;
pub mod retry;
pub mod secrets;
pub mod snippet;
pub mod terminal;

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
#[cfg(any(feature = "hash", test))]
pub use digest::requirements_hash;
pub use digest::{Digest, requirements_txt};
pub use error::ParseError;
pub use expiry::{ExpiryPolicy, due};
pub use jiff::Timestamp;
pub use layer_name::LayerName;
pub use layer_version::{Build, Content, LayerVersion, Origin, Status, Yank};
pub use package::PackageName;
pub use region::{Partition, Region};
pub use requirement::{Pin, Requirement};
pub use runtime::{Glibc, Runtime, Runtimes, UnknownRuntimeError};
pub use schedule::{EVENTBRIDGE_CRON, last_build, next_build};
pub use target::{Architecture, PythonVersion, Target};
pub use version::PackageVersion;
