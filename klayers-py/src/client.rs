use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use klayers_client::{Architecture, Error, PackageName, PythonVersion, blocking};
use pyo3::prelude::*;

use crate::arguments::{self, Parsed};
use crate::error::{invalid_value, to_python};
use crate::rows::{LatestLayer, LayerVersion};
use crate::values::LayerVersionArn;

/// A client of the API of one collection of layers.
///
/// Without ``base_url`` it asks the collection whose address is in the environment variable
/// ``KLAYERS_API_URL``, or else the public one. A call may take ``timeout`` seconds, 30 if it is not
/// given. Threads may share a client.
#[pyclass(frozen, module = "klayers")]
#[derive(Clone)]
pub(crate) struct Client {
    base_url: String,
    client: blocking::Client,
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (base_url=None, *, timeout=None))]
    fn new(py: Python<'_>, base_url: Option<String>, timeout: Option<f64>) -> PyResult<Self> {
        let base_url = base_url.unwrap_or_else(default_url);
        let mut builder = klayers_client::Client::builder()
            .base_url(&base_url)
            .user_agent(concat!("klayers-python/", env!("CARGO_PKG_VERSION")));
        if let Some(seconds) = timeout {
            builder = builder.total_timeout(duration(py, seconds)?);
        }
        // It reads the system's certificates.
        let client = call(py, || builder.build_blocking())?;
        Ok(Self { base_url, client })
    }

    /// The address of the API.
    #[getter]
    fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The ARN of the latest layer version that holds a package.
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    fn latest_arn(
        &self,
        py: Python<'_>,
        package: Parsed<PackageName>,
        region: arguments::Region,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<arguments::Target>,
    ) -> PyResult<LayerVersionArn> {
        let arguments::Region(region) = region;
        let target = arguments::target(target, python, arch)?;
        let Parsed(package) = package;
        call(py, || self.client.latest_arn(package, &region, &target)).map(LayerVersionArn)
    }

    /// The latest layer version of every package, by package.
    #[pyo3(signature = (*, region, python=None, arch=None, target=None))]
    fn latest(
        &self,
        py: Python<'_>,
        region: arguments::Region,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<arguments::Target>,
    ) -> PyResult<Vec<LatestLayer>> {
        let arguments::Region(region) = region;
        let target = arguments::target(target, python, arch)?;
        let rows = call(py, || self.client.latest(&region, &target))?;
        Ok(rows.into_iter().map(LatestLayer).collect())
    }

    /// All versions of the layer that holds a package, the newest first.
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    fn versions(
        &self,
        py: Python<'_>,
        package: Parsed<PackageName>,
        region: arguments::Region,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<arguments::Target>,
    ) -> PyResult<Vec<LayerVersion>> {
        let arguments::Region(region) = region;
        let target = arguments::target(target, python, arch)?;
        let Parsed(package) = package;
        let rows = call(py, || self.client.versions(package, &region, &target))?;
        Ok(rows.into_iter().map(LayerVersion).collect())
    }

    fn __repr__(&self) -> String {
        format!("Client('{}')", self.base_url)
    }
}

/// The ARN of the latest layer version that holds a package, from the default client.
#[pyfunction]
#[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
pub(crate) fn latest_arn(
    py: Python<'_>,
    package: Parsed<PackageName>,
    region: arguments::Region,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<arguments::Target>,
) -> PyResult<LayerVersionArn> {
    default_client(py)?.latest_arn(py, package, region, python, arch, target)
}

/// The latest layer version of every package, by package, from the default client.
#[pyfunction]
#[pyo3(signature = (*, region, python=None, arch=None, target=None))]
pub(crate) fn latest(
    py: Python<'_>,
    region: arguments::Region,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<arguments::Target>,
) -> PyResult<Vec<LatestLayer>> {
    default_client(py)?.latest(py, region, python, arch, target)
}

/// All versions of the layer that holds a package, the newest first, from the default client.
#[pyfunction]
#[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
pub(crate) fn versions(
    py: Python<'_>,
    package: Parsed<PackageName>,
    region: arguments::Region,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
    target: Option<arguments::Target>,
) -> PyResult<Vec<LayerVersion>> {
    default_client(py)?.versions(py, package, region, python, arch, target)
}

/// The client of the module's functions: made at the first call, and again when
/// `KLAYERS_API_URL` has changed.
fn default_client(py: Python<'_>) -> PyResult<Client> {
    static DEFAULT: Mutex<Option<Client>> = Mutex::new(None);

    let base_url = default_url();
    let kept = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(client) = kept.filter(|client| client.base_url == base_url) {
        return Ok(client);
    }
    // Not made under the lock: making it lets other threads of Python run, and of two that were
    // made at once one is dropped again.
    let client = Client::new(py, Some(base_url), None)?;
    *DEFAULT.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
    Ok(client)
}

#[expect(clippy::disallowed_methods, reason = "the bindings are where the environment enters")]
fn default_url() -> String {
    match std::env::var_os("KLAYERS_API_URL") {
        Some(url) if !url.is_empty() => url.to_string_lossy().into_owned(),
        _ => klayers_client::Client::PUBLIC_URL.to_owned(),
    }
}

fn duration(py: Python<'_>, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero()).ok_or_else(
        || invalid_value(py, &format!("{seconds} is not a timeout: seconds above 0 expected")),
    )
}

/// Does something that takes its time, while other threads of Python run.
fn call<T: Send>(py: Python<'_>, act: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    py.detach(act).map_err(|error| to_python(py, &error))
}
