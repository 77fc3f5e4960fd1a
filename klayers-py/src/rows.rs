//! Rows of the lists of the API, as frozen objects.

mod build;
mod latest_layer;
mod layer_version;
mod package_layer;

pub(crate) use build::Build;
pub(crate) use latest_layer::LatestLayer;
pub(crate) use layer_version::LayerVersion;
pub(crate) use package_layer::PackageLayer;
