//! Rows of the API's lists as frozen objects.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use klayers_client::{BuildRow, DeployStatus, LatestRow, PackageRow, Timestamp, VersionRow};
use klayers_core::api::GateImports;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dicts::to_dict;
use crate::error::invalid_value;
use crate::protocols;
use crate::texts::{LayerVersionArn, Region};
use crate::values::Target;

/// What a row is pickled as: the class method that reads it, and its text.
type Pickled<'py> = (Bound<'py, PyAny>, (String,));

fn pickled<'py>(class: &Bound<'py, PyType>, row: &impl Serialize) -> PyResult<Pickled<'py>> {
    Ok((class.getattr("from_json")?, (json(row),)))
}

/// A row as the API has it.
fn json(row: &impl Serialize) -> String {
    serde_json::to_string(row).expect("rows are made of texts and numbers")
}

fn from_json<Row: DeserializeOwned>(py: Python<'_>, json: &str) -> PyResult<Row> {
    serde_json::from_str(json).map_err(|error| {
        invalid_value(
            py,
            &format!("it is not a row of the API: {error}; an object as it has them expected"),
        )
    })
}

/// Rows that are of one ARN are told apart by the rest of them, whatever the order of that.
fn compare<'a, Row: Serialize + 'a>(
    [one, other]: [&'a Row; 2],
    key: impl Fn(&'a Row) -> &'a klayers_client::LayerVersionArn,
) -> Ordering {
    key(one).cmp(key(other)).then_with(|| json(one).cmp(&json(other)))
}

/// A package's latest layer version, as `latest` lists it.
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct LatestLayer(pub(crate) LatestRow);

impl Hash for LatestLayer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.arn.hash(state);
    }
}

impl Ord for LatestLayer {
    fn cmp(&self, other: &Self) -> Ordering {
        compare([&self.0, &other.0], |row| &row.arn)
    }
}

impl PartialOrd for LatestLayer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
    fn created_at(&self) -> Option<Timestamp> {
        self.0.created_date_time
    }

    /// The package's licence; None where the server does not say.
    #[getter]
    fn license(&self) -> Option<&str> {
        self.0.license.as_deref()
    }

    /// The attributes, by name; ARNs as texts, times as datetimes.
    fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
        let names = ["package", "package_version", "arn", "code_sha256", "created_at", "license"];
        to_dict(slf.as_any(), &names)
    }

    /// The row as the API has it, in JSON.
    fn to_json(&self) -> String {
        json(&self.0)
    }

    /// Reads a row as the API has it.
    #[classmethod]
    fn from_json(_class: &Bound<'_, PyType>, py: Python<'_>, json: &str) -> PyResult<Self> {
        from_json(py, json).map(Self)
    }

    fn __repr__(&self) -> String {
        let LatestRow { package, package_version, arn, .. } = &self.0;
        format!("<LatestLayer package='{package}' package_version='{package_version}' arn='{arn}'>")
    }

    #[classmethod]
    #[pyo3(signature = (_source, _handler, /))]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        protocols::row_schema(class)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Pickled<'py>> {
        pickled(&py.get_type::<Self>(), &self.0)
    }
}

/// One version of a package's layer, as `versions` lists it.
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct LayerVersion(pub(crate) VersionRow);

impl Hash for LayerVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.arn.hash(state);
    }
}

impl Ord for LayerVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        compare([&self.0, &other.0], |row| &row.arn)
    }
}

impl PartialOrd for LayerVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
    fn expires_at(&self) -> Option<Timestamp> {
        self.0.expiry_date
    }

    /// Why it was withdrawn; None if it was not.
    #[getter]
    fn yanked(&self) -> Option<&str> {
        self.0.yanked.as_deref()
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
    fn created_at(&self) -> Option<Timestamp> {
        self.0.created_date_time
    }

    /// The package's licence; None where the server does not say.
    #[getter]
    fn license(&self) -> Option<&str> {
        self.0.license.as_deref()
    }

    /// How importing its modules went before it was published: "passed", "failed" or "not run";
    /// None where the server does not say.
    #[getter]
    fn imports(&self) -> Option<&'static str> {
        self.0.gate.as_ref().map(|gate| match gate.imports {
            GateImports::Passed => "passed",
            GateImports::Failed => "failed",
            GateImports::NotRun => "not run",
        })
    }

    /// What was unusual about it before it was published, in words for people; empty where the
    /// server does not say.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.gate.as_ref().map_or(&[][..], |gate| &gate.warnings))
    }

    /// The attributes, by name; ARNs as texts, times as datetimes.
    fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
        to_dict(slf.as_any(), &VERSION)
    }

    /// The row as the API has it, in JSON.
    fn to_json(&self) -> String {
        json(&self.0)
    }

    /// Reads a row as the API has it.
    #[classmethod]
    fn from_json(_class: &Bound<'_, PyType>, py: Python<'_>, json: &str) -> PyResult<Self> {
        from_json(py, json).map(Self)
    }

    fn __repr__(&self) -> String {
        let VersionRow { arn, package_version, .. } = &self.0;
        let status = self.status();
        format!("<LayerVersion arn='{arn}' package_version='{package_version}' status='{status}'>")
    }

    #[classmethod]
    #[pyo3(signature = (_source, _handler, /))]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        protocols::row_schema(class)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Pickled<'py>> {
        pickled(&py.get_type::<Self>(), &self.0)
    }
}

const VERSION: [&str; 16] = [
    "arn",
    "package_version",
    "version",
    "region",
    "status",
    "dependencies",
    "expires_at",
    "yanked",
    "requirements_hash",
    "code_sha256",
    "code_size",
    "unzipped_size",
    "created_at",
    "license",
    "imports",
    "warnings",
];

/// A layer version with its package and target, as `package` lists it.
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct PackageLayer(pub(crate) PackageRow);

impl Hash for PackageLayer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.version.arn.hash(state);
    }
}

impl Ord for PackageLayer {
    fn cmp(&self, other: &Self) -> Ordering {
        compare([&self.0, &other.0], |row| &row.version.arn)
    }
}

impl PartialOrd for PackageLayer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[pymethods]
impl PackageLayer {
    /// The package, as the collection spells it.
    #[getter]
    fn package(&self) -> &str {
        self.0.package.spelling()
    }

    /// The target.
    #[getter]
    fn target(&self) -> Target {
        Target(self.0.target)
    }

    /// The layer version.
    #[getter]
    fn layer(&self) -> LayerVersion {
        LayerVersion(self.0.version.clone())
    }

    /// The package, the target, and the attributes of the layer version, by name.
    fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
        let dict = to_dict(slf.as_any(), &["package", "target"])?;
        let layer = Bound::new(slf.py(), slf.get().layer())?;
        dict.bind(slf.py()).update(LayerVersion::to_dict(&layer)?.bind(slf.py()).as_mapping())?;
        Ok(dict)
    }

    /// The row as the API has it, in JSON.
    fn to_json(&self) -> String {
        json(&self.0)
    }

    /// Reads a row as the API has it.
    #[classmethod]
    fn from_json(_class: &Bound<'_, PyType>, py: Python<'_>, json: &str) -> PyResult<Self> {
        from_json(py, json).map(Self)
    }

    fn __repr__(&self) -> String {
        let PackageRow { package, target, version } = &self.0;
        format!("<PackageLayer package='{package}' target='{target}' arn='{}'>", version.arn)
    }

    #[classmethod]
    #[pyo3(signature = (_source, _handler, /))]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        protocols::row_schema(class)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Pickled<'py>> {
        pickled(&py.get_type::<Self>(), &self.0)
    }
}

/// The latest build of a package, as `packages` lists it.
#[pyclass(frozen, eq, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct Build(pub(crate) BuildRow);

#[pymethods]
impl Build {
    /// The package; None where the server does not say.
    #[getter]
    fn package(&self) -> Option<&str> {
        self.0.package.as_ref().map(klayers_client::PackageName::spelling)
    }

    /// The package's version.
    #[getter]
    fn package_version(&self) -> String {
        self.0.package_version.to_string()
    }

    /// All packages in it, as in "idna==3.11".
    #[getter]
    fn dependencies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.dependencies.iter().map(ToString::to_string))
    }

    /// When it was built, in UTC; None where the server does not say.
    #[getter]
    fn created_at(&self) -> Option<Timestamp> {
        self.0.created_date_time
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

    /// The package's licence; None where the server does not say.
    #[getter]
    fn license(&self) -> Option<&str> {
        self.0.license.as_deref()
    }

    /// The attributes, by name; times as datetimes.
    fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
        let names = [
            "package",
            "package_version",
            "dependencies",
            "created_at",
            "requirements_hash",
            "code_sha256",
            "code_size",
            "unzipped_size",
            "license",
        ];
        to_dict(slf.as_any(), &names)
    }

    /// The row as the API has it, in JSON.
    fn to_json(&self) -> String {
        json(&self.0)
    }

    /// Reads a row as the API has it.
    #[classmethod]
    fn from_json(_class: &Bound<'_, PyType>, py: Python<'_>, json: &str) -> PyResult<Self> {
        from_json(py, json).map(Self)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        json(&self.0).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let package = self.package().map_or("None".to_owned(), |package| format!("'{package}'"));
        format!("<Build package={package} package_version='{}'>", self.0.package_version)
    }

    #[classmethod]
    #[pyo3(signature = (_source, _handler, /))]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        protocols::row_schema(class)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Pickled<'py>> {
        pickled(&py.get_type::<Self>(), &self.0)
    }
}
