//! The functions of the module, which ask for a client of their own.

use std::ffi::OsString;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use klayers_client::{Architecture, PackageName, PythonVersion};
use pyo3::prelude::*;

use crate::arguments::{Given, Parsed, Spec};
use crate::client::{Client, Shared};
use crate::process::Process;
use crate::question::PyQuestion;

/// The ARN of the latest layer version that holds a package.
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

/// The latest layer version of every package, by package.
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
    target: Option<Given<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyQuestion::latest(region, python, arch, target)?)
}

/// All versions of the layer that holds a package, the newest first.
///
///     >>> [layer.version for layer in klayers.versions("requests", region="us-east-1", python="3.13")]
///     [4, 3, 1]
#[pyfunction]
#[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
pub(crate) fn versions(
    py: Python<'_>,
    package: Given<PackageName>,
    region: Parsed<klayers_client::Region>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<Given<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    let question = PyQuestion::versions(package, region, python, arch, target)?;
    default_client(py).ask(py, question)
}

/// One layer version: "requests" is the latest, "requests==2.32.*" the newest that holds such a
/// version, "requests:7" layer version 7.
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
    target: Option<Given<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyQuestion::layer(layer, region, python, arch, target)?)
}

/// The latest build of every package, by package.
#[pyfunction]
#[pyo3(signature = (*, python=None, arch=None, target=None))]
pub(crate) fn packages(
    py: Python<'_>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<Given<klayers_client::Target>>,
) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyQuestion::packages(python, arch, target)?)
}

/// The layer versions of one package over all targets and regions. The public server has no such
/// list: an UnsupportedError tells.
#[pyfunction]
pub(crate) fn package(py: Python<'_>, package: Given<PackageName>) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyQuestion::package(package))
}

/// The targets that there are layers for, where the server says.
#[pyfunction]
pub(crate) fn targets(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyQuestion::targets())
}

/// The regions that there are layers in, where the server says.
#[pyfunction]
pub(crate) fn regions(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    default_client(py).ask(py, PyQuestion::regions())
}

/// The client of the module's functions: another one once `KLAYERS_API_URL` has changed.
fn default_client(py: Python<'_>) -> Client {
    static DEFAULT: ArcSwapOption<Shared> = ArcSwapOption::const_empty();

    let kept = || DEFAULT.load_full().filter(|shared| is_default_url(shared.base_url()));
    if let Some(shared) = kept() {
        return Client(shared);
    }
    let shared = py.detach(|| {
        let process = Process::current();
        let _alone = process.making();
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
