//! Names and versions of packages, as the specifications of Python packaging have them.

use klayers_client::{PackageName as Name, PackageVersion as Version};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::arguments::{Given, Value};
use crate::protocols;

type Reduced<'py> = (Bound<'py, PyAny>, (String,));

/// The name of a package, as in PackageName("Pillow").
///
/// Two names that are normalised alike are one name (PEP 503); str() is the spelling that was
/// given.
///
///     >>> klayers.PackageName("zope_interface") == klayers.PackageName("Zope.Interface")
///     True
///     >>> klayers.PackageName("Zope.Interface").normalized
///     'zope-interface'
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct PackageName(pub(crate) Name);

impl Value for Name {
    type Class = PackageName;

    fn within(class: &PackageName) -> &Self {
        &class.0
    }
}

#[pymethods]
impl PackageName {
    #[new]
    fn new(name: Given<Name>) -> Self {
        Self(name.0)
    }

    /// The name in lower case, with a single "-" for every run of "-", "_" and ".".
    #[getter]
    fn normalized(&self) -> &str {
        self.0.normalized()
    }

    fn __str__(&self) -> &str {
        self.0.spelling()
    }

    fn __repr__(&self) -> String {
        format!("PackageName('{}')", self.0)
    }

    #[pyo3(signature = (spec, /))]
    fn __format__<'py>(&self, spec: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        protocols::format(self.__str__(), spec)
    }

    #[classmethod]
    #[pyo3(signature = (_source, _handler, /))]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        protocols::text_schema(class)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> Reduced<'py> {
        (py.get_type::<Self>().into_any(), (self.0.to_string(),))
    }
}

/// The version of a package, as in PackageVersion("2.32.5"), which orders as PEP 440 says.
///
///     >>> klayers.PackageVersion("1.10") > klayers.PackageVersion("1.9")
///     True
///     >>> klayers.PackageVersion("1.0") == klayers.PackageVersion("1")
///     True
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct PackageVersion(pub(crate) Version);

impl Value for Version {
    type Class = PackageVersion;

    fn within(class: &PackageVersion) -> &Self {
        &class.0
    }
}

#[pymethods]
impl PackageVersion {
    #[new]
    fn new(version: Given<Version>) -> Self {
        Self(version.0)
    }

    /// The version in its normal form, as in "1.0rc1" for "1.0.RC-1".
    #[getter]
    fn normalized(&self) -> String {
        self.0.normalized()
    }

    /// Whether it is a pre-release or one of a development.
    #[getter]
    fn is_prerelease(&self) -> bool {
        self.0.is_prerelease()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("PackageVersion('{}')", self.0)
    }

    #[pyo3(signature = (spec, /))]
    fn __format__<'py>(&self, spec: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        protocols::format(&self.__str__(), spec)
    }

    #[classmethod]
    #[pyo3(signature = (_source, _handler, /))]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        protocols::text_schema(class)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> Reduced<'py> {
        (py.get_type::<Self>().into_any(), (self.0.to_string(),))
    }
}

/// What is wanted of a package: its name, extras, and which versions will do, as in
/// Requirement("psycopg[binary]>=3.2").
///
/// A dependency specifier (PEP 508) without environment markers and addresses.
///
///     >>> "2.32.5" in klayers.Requirement("requests~=2.31")
///     True
#[pyclass(frozen, eq, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct Requirement(pub(crate) klayers_core::Requirement);

impl Value for klayers_core::Requirement {
    type Class = Requirement;

    fn within(class: &Requirement) -> &Self {
        &class.0
    }
}

#[pymethods]
impl Requirement {
    #[new]
    fn new(requirement: Given<klayers_core::Requirement>) -> Self {
        Self(requirement.0)
    }

    /// The package.
    #[getter]
    fn name(&self) -> PackageName {
        PackageName(self.0.name().clone())
    }

    /// The extras, by name.
    #[getter]
    fn extras<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.extras().map(ToString::to_string))
    }

    /// Whether a version will do. Pre-releases will where they are in the range.
    #[pyo3(signature = (version, /))]
    fn accepts(&self, version: Given<Version>) -> bool {
        self.0.accepts(&version.0)
    }

    fn __contains__(&self, version: Given<Version>) -> bool {
        self.0.accepts(&version.0)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Requirement('{}')", self.0)
    }

    #[pyo3(signature = (spec, /))]
    fn __format__<'py>(&self, spec: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        protocols::format(&self.__str__(), spec)
    }

    #[classmethod]
    #[pyo3(signature = (_source, _handler, /))]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        protocols::text_schema(class)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> Reduced<'py> {
        (py.get_type::<Self>().into_any(), (self.0.to_string(),))
    }
}
