use klayers_client::{Architecture, PythonVersion};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use crate::arguments::{self, Given, Parsed, Value};
use crate::dicts::to_dict;
use crate::error::to_python;
use crate::protocols;
use crate::texts::environment;

/// What a layer is built for, as in Target("p3.13-arm64") or
/// Target(python="3.13", arch="arm64").
///
///     >>> str(klayers.Target(python="3.13", arch="aarch64"))
///     'p3.13-arm64'
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Target(pub(crate) klayers_client::Target);

impl Value for klayers_client::Target {
    type Class = Target;

    fn within(class: &Target) -> &Self {
        &class.0
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "Python has its values by reference alone")]
#[pymethods]
impl Target {
    #[new]
    #[pyo3(signature = (key=None, *, python=None, arch=None))]
    fn new(
        key: Option<Given<klayers_client::Target>>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
    ) -> PyResult<Self> {
        arguments::target(key, python, arch).map(Self)
    }

    /// The target of the function that this process is, by AWS_EXECUTION_ENV; None elsewhere.
    #[classmethod]
    fn from_environment(_class: &Bound<'_, PyType>, py: Python<'_>) -> PyResult<Option<Self>> {
        let target = environment().target().map_err(|error| to_python(py, &error.into()))?;
        Ok(target.map(Self))
    }

    /// The Python version, as in "3.13".
    #[getter]
    fn python(&self) -> String {
        self.0.python.to_string()
    }

    /// The architecture: "x86_64" or "arm64".
    #[getter]
    fn arch(&self) -> &'static str {
        self.0.architecture.as_str()
    }

    /// The attributes, by name, of which Target() makes an equal one.
    fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
        to_dict(slf.as_any(), &["python", "arch"])
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Target('{}')", self.0)
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

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyAny>, (String,)) {
        (py.get_type::<Self>().into_any(), (self.__str__(),))
    }
}
