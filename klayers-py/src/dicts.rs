//! Values as dicts, of nothing but what Python has itself.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::values::Target;

/// The attributes of a value that are named: ARNs, regions and targets as texts, tuples as lists.
pub(crate) fn to_dict(value: &Bound<'_, PyAny>, names: &[&str]) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(value.py());
    for name in names {
        dict.set_item(name, plain(value.getattr(*name)?)?)?;
    }
    Ok(dict.unbind())
}

fn plain(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // `str()` makes a plain text of an ARN and of a region, which are texts of their own classes.
    if value.is_instance_of::<PyString>() || value.is_instance_of::<Target>() {
        return Ok(value.str()?.into_any());
    }
    match value.cast::<PyTuple>() {
        Ok(values) => Ok(PyList::new(value.py(), values)?.into_any()),
        Err(_) => Ok(value),
    }
}
