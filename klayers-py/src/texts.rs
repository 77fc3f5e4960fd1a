//! Regions and ARNs. Python sees them as classes that derive from `str`, so that JSON, boto3 and
//! every other library takes them as they are.
//!
//! `klayers._values` defines the classes in Python: the stable ABI cannot derive from `str` before
//! Python 3.12. What such a text means is answered here.

use klayers_client::LambdaEnvironment;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

use crate::arguments::Parsed;
use crate::error::to_python;

const MODULE: &str = "klayers._values";

/// A region on its way to Python.
pub(crate) struct Region(pub(crate) klayers_client::Region);

/// The ARN of a layer version on its way to Python.
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

/// An instance of a class that derives from `str`. The text is known to be right, so the
/// constructor of the class, which would parse it again, is passed over.
fn instance<'py>(class: &Bound<'py, PyType>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let py = class.py();
    let made = py.get_type::<PyString>().call_method1(intern!(py, "__new__"), (class, text))?;
    Ok(made.cast_into()?)
}

/// The code of a region, once it is known to be one.
#[pyfunction]
#[pyo3(name = "_region")]
pub(crate) fn region(code: Parsed<klayers_client::Region>) -> String {
    code.0.as_str().to_owned()
}

/// Name, partition and whether an account has to enable a region first.
#[pyfunction]
#[pyo3(name = "_region_facts")]
pub(crate) fn region_facts(
    code: Parsed<klayers_client::Region>,
) -> (Option<&'static str>, String, Option<bool>) {
    let region = code.0;
    (region.name(), region.partition().to_string(), region.opt_in())
}

/// The region that the environment of a function names.
#[pyfunction]
#[pyo3(name = "_region_of_environment")]
pub(crate) fn region_of_environment(py: Python<'_>) -> PyResult<Option<Region>> {
    let region = environment().region().map_err(|error| to_python(py, &error.into()))?;
    Ok(region.map(Region))
}

/// The text of an ARN, once it is known to be one of a layer version.
#[pyfunction]
#[pyo3(name = "_arn")]
pub(crate) fn layer_version_arn(arn: Parsed<klayers_client::LayerVersionArn>) -> String {
    arn.0.to_string()
}

#[expect(clippy::disallowed_methods, reason = "the bindings are where the environment enters")]
pub(crate) fn environment() -> LambdaEnvironment {
    LambdaEnvironment::new(|name| std::env::var(name).ok())
}
