//! Regions and ARNs. In Python they are subclasses of `str`, so that JSON, boto3 and every other
//! library takes them.
//!
//! `klayers._values` defines the classes in Python: with the stable ABI, an extension module cannot
//! derive from `str` before Python 3.12. This module parses the texts.

use klayers_client::LambdaEnvironment;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

use crate::arguments::Parsed;
use crate::error::to_python;

const MODULE: &str = "klayers._values";

/// A region to be converted to Python.
pub(crate) struct Region(pub(crate) klayers_client::Region);

/// The ARN of a layer version to be converted to Python.
pub(crate) struct LayerVersionArn(pub(crate) klayers_client::LayerVersionArn);

impl<'py> IntoPyObject<'py> for Region {
    type Target = PyString;
    type Output = Bound<'py, PyString>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        instance(CLASS.import(py, MODULE, "Region")?, self.0.as_str())
    }
}

impl<'py> IntoPyObject<'py> for LayerVersionArn {
    type Target = PyString;
    type Output = Bound<'py, PyString>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        instance(CLASS.import(py, MODULE, "LayerVersionArn")?, &self.0.to_string())
    }
}

/// An instance of a subclass of `str`. The text is known to be valid, so this bypasses the constructor
/// of the class, which would parse it again.
fn instance<'py>(class: &Bound<'py, PyType>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let py = class.py();
    let made = py.get_type::<PyString>().call_method1(intern!(py, "__new__"), (class, text))?;
    Ok(made.cast_into()?)
}

/// Parses the code of a region.
#[pyfunction]
#[pyo3(name = "_region")]
pub(crate) fn region(code: Parsed<klayers_client::Region>) -> String {
    code.0.as_str().to_owned()
}

/// The name and the partition of a region, and whether an account has to enable it first.
#[pyfunction]
#[pyo3(name = "_region_facts")]
pub(crate) fn region_facts(
    code: Parsed<klayers_client::Region>,
) -> (Option<&'static str>, String, Option<bool>) {
    let region = code.0;
    (region.name(), region.partition().to_string(), region.opt_in())
}

/// The region of the Lambda function that runs this process.
#[pyfunction]
#[pyo3(name = "_region_of_environment")]
pub(crate) fn region_of_environment(py: Python<'_>) -> PyResult<Option<Region>> {
    let region = environment().region().map_err(|error| to_python(py, &error.into()))?;
    Ok(region.map(Region))
}

/// Parses the ARN of a layer version.
#[pyfunction]
#[pyo3(name = "_arn")]
pub(crate) fn layer_version_arn(arn: Parsed<klayers_client::LayerVersionArn>) -> String {
    arn.0.to_string()
}

#[expect(clippy::disallowed_methods, reason = "the bindings are where the environment enters")]
pub(crate) fn environment() -> LambdaEnvironment {
    LambdaEnvironment::new(|name| std::env::var(name).ok())
}
