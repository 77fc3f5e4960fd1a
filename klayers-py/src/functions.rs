//! The functions of the module, which use a shared default client.

use std::ffi::OsString;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use klayers_client::{Architecture, PackageName, PythonVersion};
use pyo3::prelude::*;

use crate::arguments::{Parsed, Spec, ValueOrText};
use crate::client::{Client, Shared};
use crate::lookup::PyLookup;
use crate::process::Process;

/// The ARN of the latest layer version of a package.
///
///     >>> print(klayers.latest_arn("requests", region="us-east-1", python="3.13"))
///     arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4
#[pyfunction]
#[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
pub(crate) fn latest_arn<'py>(
    py: Python<'py>,
    package: &Bound<'py, PyAny>,
    region: &Bound<'py, PyAny>,
    python: Option<&Bound<'py, PyAny>>,
    arch: Option<&Bound<'py, PyAny>>,
    target: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    default_client(py).latest_arn(py, package, region, python, arch, target)
}

/// The latest layer version of every package, sorted by package.
///
///     >>> for layer in klayers.latest(region="us-east-1", python="3.13"):
///     ...     print(layer.package, layer.package_version)
///     numpy 2.3.4
///     Pillow 12.0.0
///     requests 2.32.5
#[pyfunction]
#[pyo3(signature = (*, region, python=None, arch=None, target=None))]
pub(crate) fn latest(
    py: Python<'_>,
    region: Parsed<klayers_client::Region>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<ValueOrText<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyLookup::latest(region, python, arch, target)?)
}

/// All layer versions of a package, the newest first.
///
///     >>> [layer.version for layer in klayers.versions("requests", region="us-east-1", python="3.13")]
///     [4, 3, 1]
#[pyfunction]
#[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
pub(crate) fn versions(
    py: Python<'_>,
    package: ValueOrText<PackageName>,
    region: Parsed<klayers_client::Region>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<ValueOrText<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    let lookup = PyLookup::versions(package, region, python, arch, target)?;
    default_client(py).ask(py, lookup)
}

/// One layer version of a package: "requests" is the latest, "requests==2.32.*" the newest with
/// such a version of the package, "requests:7" the layer version with number 7.
///
///     >>> klayers.layer("requests<2.32", region="us-east-1", python="3.13").package_version
///     '2.31.0'
#[pyfunction]
#[pyo3(signature = (layer, *, region, python=None, arch=None, target=None))]
pub(crate) fn layer(
    py: Python<'_>,
    layer: Spec,
    region: Parsed<klayers_client::Region>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<ValueOrText<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyLookup::layer(layer, region, python, arch, target)?)
}

/// The latest build of every package, sorted by package.
#[pyfunction]
#[pyo3(signature = (*, python=None, arch=None, target=None))]
pub(crate) fn packages(
    py: Python<'_>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<ValueOrText<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyLookup::packages(python, arch, target)?)
}

/// The layer versions of one package for all targets and in all regions. The public server has
/// no such list and raises UnsupportedError.
#[pyfunction]
pub(crate) fn package(
    py: Python<'_>,
    package: ValueOrText<PackageName>,
) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyLookup::package(package))
}

/// The targets that the collection has layers for. The public server has no such list and raises
/// UnsupportedError.
#[pyfunction]
pub(crate) fn targets(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyLookup::targets())
}

/// The regions that the collection has layers in. The public server has no such list and raises
/// UnsupportedError.
#[pyfunction]
pub(crate) fn regions(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyLookup::regions())
}

/// The client of the module's functions. It is replaced when `KLAYERS_API_URL` changes.
fn default_client(py: Python<'_>) -> Client {
    static DEFAULT: ArcSwapOption<Shared> = ArcSwapOption::const_empty();

    let kept = || DEFAULT.load_full().filter(|shared| is_default_url(shared.base_url()));
    if let Some(shared) = kept() {
        return Client(shared);
    }
    let shared = py.detach(|| {
        let process = Process::current();
        let _guard = process.creation_lock();
        kept().unwrap_or_else(|| {
            let shared = Arc::new(Shared::new(default_url()));
            DEFAULT.store(Some(Arc::clone(&shared)));
            shared
        })
    });
    Client(shared)
}

#[expect(clippy::disallowed_methods, reason = "the bindings are where the environment enters")]
fn configured_url() -> Option<OsString> {
    std::env::var_os("KLAYERS_API_URL").filter(|url| !url.is_empty())
}

fn is_default_url(url: &str) -> bool {
    configured_url()
        .map_or(url == klayers_client::Client::PUBLIC_URL, |configured| configured == url)
}

pub(crate) fn default_url() -> String {
    configured_url().map_or_else(
        || klayers_client::Client::PUBLIC_URL.to_owned(),
        |url| url.to_string_lossy().into_owned(),
    )
}
