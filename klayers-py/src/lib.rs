//! `import klayers`: klayers-client and klayers-core for Python. The bindings translate arguments,
//! results and errors; all logic is in those two crates.

#![expect(clippy::needless_pass_by_value, reason = "PyO3 passes arguments by value")]
#![expect(clippy::doc_markdown, reason = "documentation shown in Python is not Markdown")]

mod arguments;
mod arn_cache;
mod client;
mod command;
mod dicts;
mod error;
mod functions;
mod lookup;
mod names;
mod pending;
mod pipeline;
mod process;
mod protocols;
mod rows;
mod session;
mod texts;
mod values;

/// The extension module, which the package `klayers` re-exports.
#[pyo3::pymodule(gil_used = false)]
mod _klayers {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::command::run_command;
    #[pymodule_export]
    use crate::functions::{
        latest, latest_arn, layer, package, packages, regions, targets, versions,
    };
    #[pymodule_export]
    use crate::lookup::PyLookup;
    #[pymodule_export]
    use crate::names::{PackageName, PackageVersion, Requirement};
    #[pymodule_export]
    use crate::pending::Pending;
    #[pymodule_export]
    use crate::pipeline::{
        ExpiryPolicy, last_build, latest_csv, latest_html, layer_name, next_build, parse_config,
        parse_packages, parse_regions, requirements_hash, requirements_txt,
    };
    #[pymodule_export]
    use crate::rows::{Build, LatestLayer, LayerVersion, PackageLayer};
    #[pymodule_export]
    use crate::texts::{layer_version_arn, region, region_facts, region_of_environment};
    #[pymodule_export]
    use crate::values::Target;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("EVENTBRIDGE_CRON", klayers_core::EVENTBRIDGE_CRON)?;
        crate::process::register_fork_hook(module)
    }
}
