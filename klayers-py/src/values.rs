use std::str::FromStr;

use klayers_client::{Architecture, ParseError, PythonVersion};
use pyo3::prelude::*;

use crate::arguments::{self, Parsed};
use crate::error::to_python;

fn parse<T: FromStr<Err = ParseError>>(py: Python<'_>, text: &str) -> PyResult<T> {
    text.parse().map_err(|error: ParseError| to_python(py, &error.into()))
}

/// An AWS region, by its code, as in Region("eu-west-1").
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Region(pub(crate) klayers_client::Region);

#[pymethods]
impl Region {
    #[new]
    fn new(py: Python<'_>, code: &str) -> PyResult<Self> {
        parse(py, code).map(Self)
    }

    /// The code, as in "eu-west-1".
    #[getter]
    fn code(&self) -> &str {
        self.0.as_str()
    }

    /// The name, as in "EU (Ireland)"; None for a region that this release does not know.
    #[getter]
    fn name(&self) -> Option<&'static str> {
        self.0.name()
    }

    /// The partition, as in "aws".
    #[getter]
    fn partition(&self) -> String {
        self.0.partition().to_string()
    }

    /// Whether an account has to enable the region first; None for a region that this release
    /// does not know.
    #[getter]
    fn opt_in(&self) -> Option<bool> {
        self.0.opt_in()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Region('{}')", self.0)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyAny>, (String,)) {
        (py.get_type::<Self>().into_any(), (self.__str__(),))
    }
}

/// What a layer is built for, as in Target("p3.13-arm64") or
/// Target(python="3.13", arch="arm64").
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Target(pub(crate) klayers_client::Target);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "Python has its values by reference alone")]
#[pymethods]
impl Target {
    #[new]
    #[pyo3(signature = (key=None, *, python=None, arch=None))]
    fn new(
        key: Option<arguments::Target>,
        python: Option<Parsed<PythonVersion>>,
        arch: Option<Parsed<Architecture>>,
    ) -> PyResult<Self> {
        arguments::target(key, python, arch).map(Self)
    }

    /// The Python version, as in "3.13".
    #[getter]
    fn python(&self) -> String {
        self.0.python.to_string()
    }

    /// The architecture: ``x86_64`` or ``arm64``.
    #[getter]
    fn arch(&self) -> &'static str {
        self.0.architecture.as_str()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Target('{}')", self.0)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyAny>, (String,)) {
        (py.get_type::<Self>().into_any(), (self.__str__(),))
    }
}

/// The ARN of one version of a layer, which is what a Lambda function is given.
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct LayerVersionArn(pub(crate) klayers_client::LayerVersionArn);

#[pymethods]
impl LayerVersionArn {
    #[new]
    fn new(py: Python<'_>, arn: &str) -> PyResult<Self> {
        parse(py, arn).map(Self)
    }

    /// The ARN of the layer, without the version.
    #[getter]
    fn layer_arn(&self) -> String {
        self.0.layer().to_string()
    }

    /// The name of the layer, as in "Klayers-p313-requests".
    #[getter]
    fn layer_name(&self) -> &str {
        self.0.name().as_str()
    }

    /// The version number of the layer.
    #[getter]
    fn version(&self) -> u64 {
        self.0.version()
    }

    /// The region that the layer is in.
    #[getter]
    fn region(&self) -> Region {
        Region(self.0.region().clone())
    }

    /// The number of the account that owns the layer.
    #[getter]
    fn account(&self) -> &str {
        self.0.layer().account().as_str()
    }

    /// The partition, as in "aws".
    #[getter]
    fn partition(&self) -> &str {
        self.0.layer().partition().as_str()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("LayerVersionArn('{}')", self.0)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyAny>, (String,)) {
        (py.get_type::<Self>().into_any(), (self.__str__(),))
    }
}
