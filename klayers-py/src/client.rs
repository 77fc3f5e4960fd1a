use std::sync::Arc;

use klayers_client::{AccountId, Architecture, Cache, PackageName, PythonVersion, RetryPolicy};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::arguments::{Count, Folder, Parsed, Seconds, Spec, ValueOrText, extract};
use crate::arn_cache::CallKey;
use crate::error::invalid_value;
use crate::functions::default_url;
use crate::lookup::{Lookup, PyLookup, RegionAndTarget};
use crate::pending::Pending;
use crate::session::Session;

/// A client of the API of one collection of layers.
///
///     >>> with klayers.Client(timeout=5) as client:
///     ...     print(client.latest_arn("requests", region="us-east-1", python="3.13"))
///     arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4
///
/// The collection is the one at base_url, or else the one that the environment variable
/// KLAYERS_API_URL names, or else the public one. Threads may share a client. A forked process opens
/// connections of its own. Durations are seconds or timedeltas.
///
/// timeout limits a whole call, connect_timeout the time to connect, and read_timeout how long the
/// server may send nothing. Temporary failures are retried up to retries times. The delay before the
/// first retry is at most retry_delay; the limit doubles with each retry, up to max_retry_delay.
///
/// Answers are cached in memory for as long as the server allows, unless cache is False, and also in
/// the folder cache_dir if it is given, which may grow to cache_limit bytes (~ is the home folder).
/// If the server cannot be reached, a cached answer is used for up to stale_if_error after it
/// expired, with a StaleAnswerWarning. assume_fresh is how long an answer is fresh if the server does
/// not say. An offline client sends no requests.
///
/// If accounts is given, a layer of any other account is an error.
#[pyclass(frozen, module = "klayers")]
pub(crate) struct Client(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    base_url: String,
    session: Session,
}

impl Shared {
    /// The state of a client with default options. The client is built when it is first used.
    pub(crate) fn new(base_url: String) -> Self {
        let builder =
            klayers_client::Client::builder().base_url(&base_url).user_agent(default_user_agent());
        Self { base_url, session: Session::new(builder) }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (
        base_url=None, *, timeout=None, connect_timeout=None, read_timeout=None, retries=None,
        retry_delay=None, max_retry_delay=None, cache=true, cache_dir=None, cache_limit=None,
        stale_if_error=None, assume_fresh=None, offline=false, accounts=None, user_agent=None
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of a call in Python"
    )]
    fn new(
        py: Python<'_>,
        base_url: Option<String>,
        timeout: Option<Timeout>,
        connect_timeout: Option<Timeout>,
        read_timeout: Option<Timeout>,
        retries: Option<Count<u32>>,
        retry_delay: Option<Seconds>,
        max_retry_delay: Option<Seconds>,
        cache: bool,
        cache_dir: Option<Folder>,
        cache_limit: Option<Count<u64>>,
        stale_if_error: Option<Seconds>,
        assume_fresh: Option<Seconds>,
        offline: bool,
        accounts: Option<Vec<Parsed<AccountId>>>,
        user_agent: Option<String>,
    ) -> PyResult<Self> {
        let base_url = base_url.unwrap_or_else(default_url);
        let mut retrying = RetryPolicy::default();
        if let Some(Count(retries)) = retries {
            retrying = retrying.attempts(retries.saturating_add(1));
        }
        if let Some(Seconds(delay)) = retry_delay {
            retrying = retrying.first_delay(delay);
        }
        if let Some(Seconds(delay)) = max_retry_delay {
            retrying = retrying.longest_delay(delay);
        }
        let mut caching = if cache { Cache::memory() } else { Cache::none() };
        if let Some(Folder(folder)) = cache_dir.filter(|_| cache) {
            caching = caching.folder(folder);
        }
        if let Some(Count(bytes)) = cache_limit {
            caching = caching.folder_limit(bytes);
        }
        if let Some(Seconds(time)) = stale_if_error {
            caching = caching.stale_if_error(time);
        }
        if let Some(Seconds(time)) = assume_fresh {
            caching = caching.assume_fresh(time);
        }
        let mut builder = klayers_client::Client::builder()
            .base_url(&base_url)
            .user_agent(user_agent.unwrap_or_else(default_user_agent))
            .retry_policy(retrying)
            .cache(caching)
            .offline(offline);
        if let Some(Timeout(time)) = timeout {
            builder = builder.total_timeout(time);
        }
        if let Some(Timeout(time)) = connect_timeout {
            builder = builder.connect_timeout(time);
        }
        if let Some(Timeout(time)) = read_timeout {
            builder = builder.read_timeout(time);
        }
        if let Some(accounts) = accounts {
            builder = builder.accounts(accounts.into_iter().map(|Parsed(account)| account));
        }
        let session = Session::new(builder);
        session.open(py)?;
        Ok(Self(Arc::new(Shared { base_url, session })))
    }

    /// The address of the API.
    #[getter]
    fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// The ARN of the latest layer version of a package.
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    pub(crate) fn latest_arn<'py>(
        &self,
        py: Python<'py>,
        package: &Bound<'py, PyAny>,
        region: &Bound<'py, PyAny>,
        python: Option<&Bound<'py, PyAny>>,
        arch: Option<&Bound<'py, PyAny>>,
        target: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let session = &self.0.session;
        let call = CallKey::new([Some(package), Some(region), python, arch, target]);
        if let Some(arn) = call.as_ref().and_then(|call| session.arn_of_call(py, call)) {
            return Ok(arn.into_any());
        }
        let package = extract::<ValueOrText<PackageName>>("package", package)?.0;
        let place = RegionAndTarget::new(
            extract("region", region)?,
            python.map(|python| extract("python", python)).transpose()?,
            arch.map(|arch| extract("arch", arch)).transpose()?,
            target.map(|target| extract("target", target)).transpose()?,
        )?;
        if let Some(arn) = session.cached_arn(py, call, &package, &place)? {
            return Ok(arn.into_any());
        }
        self.ask(py, PyLookup(Lookup::LatestArn(package, place)))
    }

    /// The latest layer version of every package, sorted by package.
    #[pyo3(signature = (*, region, python=None, arch=None, target=None))]
    fn latest<'py>(
        &self,
        py: Python<'py>,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, PyLookup::latest(region, python, arch, target)?)
    }

    /// All layer versions of a package, the newest first.
    #[pyo3(signature = (package, *, region, python=None, arch=None, target=None))]
    fn versions<'py>(
        &self,
        py: Python<'py>,
        package: ValueOrText<PackageName>,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, PyLookup::versions(package, region, python, arch, target)?)
    }

    /// One layer version of a package: "requests" is the latest, "requests==2.32.*" the newest with
    /// such a version of the package, "requests:7" the layer version with number 7.
    #[pyo3(signature = (layer, *, region, python=None, arch=None, target=None))]
    fn layer<'py>(
        &self,
        py: Python<'py>,
        layer: Spec,
        region: Parsed<klayers_client::Region>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, PyLookup::layer(layer, region, python, arch, target)?)
    }

    /// The latest build of every package, sorted by package.
    #[pyo3(signature = (*, python=None, arch=None, target=None))]
    fn packages<'py>(
        &self,
        py: Python<'py>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
        target: Option<ValueOrText<klayers_client::Target>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, PyLookup::packages(python, arch, target)?)
    }

    /// The layer versions of one package for all targets and in all regions. The public server has
    /// no such list and raises UnsupportedError.
    fn package<'py>(
        &self,
        py: Python<'py>,
        package: ValueOrText<PackageName>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, PyLookup::package(package))
    }

    /// The targets that the collection has layers for. The public server has no such list and raises
    /// UnsupportedError.
    fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, PyLookup::targets())
    }

    /// The regions that the collection has layers in. The public server has no such list and raises
    /// UnsupportedError.
    fn regions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, PyLookup::regions())
    }

    /// Closes the connections. The client cannot be used after that.
    fn close(&self) {
        self.0.session.close();
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, pyo3::types::PyTuple>) {
        self.close();
    }

    fn __repr__(&self) -> String {
        format!("Client('{}')", self.0.base_url)
    }

    /// The ARN, if it is cached and fresh.
    fn _cached_arn<'py>(
        &self,
        py: Python<'py>,
        lookup: &PyLookup,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        let Lookup::LatestArn(package, place) = &lookup.0 else { return Ok(None) };
        self.0.session.cached_arn(py, None, package, place)
    }

    /// Starts a lookup, which calls ``settle(value, error, warnings)`` on another thread.
    fn _begin(&self, py: Python<'_>, lookup: &PyLookup, settle: Py<PyAny>) -> PyResult<Pending> {
        Pending::begin(py, &self.0.session, lookup.0.clone(), settle)
    }
}

impl Client {
    pub(crate) fn ask<'py>(
        &self,
        py: Python<'py>,
        PyLookup(lookup): PyLookup,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.session.ask(py, lookup)?.into_python(py)
    }
}

/// A limit on a duration: greater than zero.
struct Timeout(std::time::Duration);

impl FromPyObject<'_, '_> for Timeout {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let Seconds(time) = object.extract()?;
        if time.is_zero() {
            let message = format!("{} is not a timeout: expected seconds, more than 0", &*object);
            return Err(invalid_value(object.py(), &message));
        }
        Ok(Self(time))
    }
}

fn default_user_agent() -> String {
    concat!("klayers-python/", env!("CARGO_PKG_VERSION")).to_owned()
}
