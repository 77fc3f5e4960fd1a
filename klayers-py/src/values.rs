use klayers_client::{Architecture, LambdaEnvironment, PythonVersion};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::arguments::{self, Given, Parsed, Value};
use crate::dicts::to_dict;
use crate::error::to_python;

/// An AWS region, by its code, as in Region("eu-west-1").
///
///     >>> klayers.Region("ap-southeast-3").name
///     'Asia Pacific (Jakarta)'
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Region(pub(crate) klayers_client::Region);

impl Value for klayers_client::Region {
    type Class = Region;

    fn within(class: &Region) -> &Self {
        &class.0
    }
}

#[pymethods]
impl Region {
    #[new]
    fn new(code: Given<klayers_client::Region>) -> Self {
        Self(code.0)
    }

    /// The region that the environment names in AWS_REGION or AWS_DEFAULT_REGION, as it does in a
    /// function; None if it names none.
    #[classmethod]
    fn from_environment(_class: &Bound<'_, PyType>, py: Python<'_>) -> PyResult<Option<Self>> {
        let region = environment().region().map_err(|error| to_python(py, &error.into()))?;
        Ok(region.map(Self))
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

    /// The attributes, by name.
    fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
        to_dict(slf.as_any(), &["code", "name", "partition", "opt_in"])
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

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyAny>, (String,)) {
        (py.get_type::<Self>().into_any(), (self.__str__(),))
    }
}

/// The ARN of one version of a layer, which is what a Lambda function is given.
///
///     >>> arn = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-requests:4"
///     >>> klayers.LayerVersionArn(arn).version
///     4
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct LayerVersionArn(pub(crate) klayers_client::LayerVersionArn);

impl Value for klayers_client::LayerVersionArn {
    type Class = LayerVersionArn;

    fn within(class: &LayerVersionArn) -> &Self {
        &class.0
    }
}

#[pymethods]
impl LayerVersionArn {
    #[new]
    fn new(arn: Given<klayers_client::LayerVersionArn>) -> Self {
        Self(arn.0)
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

    /// The attributes, by name.
    fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
        let names = ["layer_arn", "layer_name", "version", "region", "account", "partition"];
        to_dict(slf.as_any(), &names)
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

#[expect(clippy::disallowed_methods, reason = "the bindings are where the environment enters")]
fn environment() -> LambdaEnvironment {
    LambdaEnvironment::new(|name| std::env::var(name).ok())
}
