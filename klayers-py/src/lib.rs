//! `import klayers`: klayers-client for Python. What is here translates, and nothing else.

mod arguments;
mod client;
mod error;
mod rows;
mod values;

/// The extension module, which the package `klayers` re-exports.
#[pyo3::pymodule(gil_used = false)]
mod _klayers {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::client::{Client, latest, latest_arn, versions};
    #[pymodule_export]
    use crate::rows::{LatestLayer, LayerVersion};
    #[pymodule_export]
    use crate::values::{LayerVersionArn, Region, Target};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
