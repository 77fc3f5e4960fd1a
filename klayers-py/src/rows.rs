use std::hash::{Hash, Hasher};

use klayers_client::{DeployStatus, LatestRow, Timestamp, VersionRow};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyTuple, PyType, PyTzInfo};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::values::{LayerVersionArn, Region};

/// What a row is pickled as: the class method that reads it, and its text.
type Pickled<'py> = (Bound<'py, PyAny>, (String,));

fn pickled<'py>(class: &Bound<'py, PyType>, row: &impl Serialize) -> PyResult<Pickled<'py>> {
    let json = serde_json::to_string(row).map_err(unreadable)?;
    Ok((class.getattr("_from_json")?, (json,)))
}

fn unpickled<Row: DeserializeOwned>(json: &str) -> PyResult<Row> {
    serde_json::from_str(json).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unreadable(error: serde_json::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the API's times are whole seconds of years of four digits"
)]
fn aware(py: Python<'_>, time: Option<Timestamp>) -> PyResult<Option<Bound<'_, PyDateTime>>> {
    let utc = PyTzInfo::utc(py)?;
    time.map(|time| PyDateTime::from_timestamp(py, time.as_second() as f64, Some(&utc))).transpose()
}

/// A package's latest layer version, as `latest` lists it.
#[pyclass(frozen, eq, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct LatestLayer(pub(crate) LatestRow);

impl Hash for LatestLayer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.arn.hash(state);
    }
}

#[pymethods]
impl LatestLayer {
    /// The package, as the collection spells it.
    #[getter]
    fn package(&self) -> &str {
        self.0.package.spelling()
    }

    /// The package's version.
    #[getter]
    fn package_version(&self) -> String {
        self.0.package_version.to_string()
    }

    /// The ARN of the layer version.
    #[getter]
    fn arn(&self) -> LayerVersionArn {
        LayerVersionArn(self.0.arn.clone())
    }

    /// SHA-256 of the layer's zip, in Base64; None where the server does not say.
    #[getter]
    fn code_sha256(&self) -> Option<&str> {
        self.0.code_sha256.as_deref()
    }

    /// When the layer version was published, in UTC; None where the server does not say.
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        aware(py, self.0.created_date_time)
    }

    /// The package's licence; None where the server does not say.
    #[getter]
    fn license(&self) -> Option<&str> {
        self.0.license.as_deref()
    }

    fn __repr__(&self) -> String {
        let LatestRow { package, package_version, arn, .. } = &self.0;
        format!("<LatestLayer package='{package}' package_version='{package_version}' arn='{arn}'>")
    }

    #[classmethod]
    fn _from_json(_class: &Bound<'_, PyType>, json: &str) -> PyResult<Self> {
        unpickled(json).map(Self)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Pickled<'py>> {
        pickled(&py.get_type::<Self>(), &self.0)
    }
}

/// One version of a package's layer, as `versions` lists it.
#[pyclass(frozen, eq, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct LayerVersion(pub(crate) VersionRow);

impl Hash for LayerVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.arn.hash(state);
    }
}

#[pymethods]
impl LayerVersion {
    /// The ARN.
    #[getter]
    fn arn(&self) -> LayerVersionArn {
        LayerVersionArn(self.0.arn.clone())
    }

    /// The package's version.
    #[getter]
    fn package_version(&self) -> String {
        self.0.package_version.to_string()
    }

    /// The version number of the layer.
    #[getter]
    fn version(&self) -> u64 {
        self.0.arn.version()
    }

    /// The region it is in.
    #[getter]
    fn region(&self) -> Region {
        Region(self.0.arn.region().clone())
    }

    /// "latest", or "deprecated" when a newer one exists.
    #[getter]
    fn status(&self) -> &'static str {
        match self.0.deploy_status {
            DeployStatus::Latest => "latest",
            DeployStatus::Deprecated => "deprecated",
        }
    }

    /// All packages in it, as in "idna==3.11".
    #[getter]
    fn dependencies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.dependencies.iter().map(ToString::to_string))
    }

    /// When it is to be deleted, in UTC; None for the latest, which never is.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        aware(py, self.0.expiry_date)
    }

    /// SHA-256 of the sorted dependencies; None where the server does not say.
    #[getter]
    fn requirements_hash(&self) -> Option<&str> {
        self.0.requirements_hash.as_deref()
    }

    /// SHA-256 of the layer's zip, in Base64; None where the server does not say.
    #[getter]
    fn code_sha256(&self) -> Option<&str> {
        self.0.code_sha256.as_deref()
    }

    /// The size of the layer's zip, in bytes; None where the server does not say.
    #[getter]
    fn code_size(&self) -> Option<u64> {
        self.0.code_size
    }

    /// The size of what the zip unpacks to, in bytes; None where the server does not say.
    #[getter]
    fn unzipped_size(&self) -> Option<u64> {
        self.0.unzipped_size
    }

    /// When it was published, in UTC; None where the server does not say.
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        aware(py, self.0.created_date_time)
    }

    /// The package's licence; None where the server does not say.
    #[getter]
    fn license(&self) -> Option<&str> {
        self.0.license.as_deref()
    }

    fn __repr__(&self) -> String {
        let VersionRow { arn, package_version, .. } = &self.0;
        let status = self.status();
        format!("<LayerVersion arn='{arn}' package_version='{package_version}' status='{status}'>")
    }

    #[classmethod]
    fn _from_json(_class: &Bound<'_, PyType>, json: &str) -> PyResult<Self> {
        unpickled(json).map(Self)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Pickled<'py>> {
        pickled(&py.get_type::<Self>(), &self.0)
    }
}
