//! Values as dicts that hold built-in types only.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::values::Target;

/// The named attributes of a value. ARNs, regions and targets become plain texts, tuples lists.
pub(crate) fn to_dict(value: &Bound<'_, PyAny>, names: &[&str]) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(value.py());
    for name in names {
        dict.set_item(name, plain(value.getattr(*name)?)?)?;
    }
    Ok(dict.unbind())
}

fn plain(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // ARNs and regions are subclasses of `str`; `str()` makes plain texts of them.
    if value.is_instance_of::<PyString>() || value.is_instance_of::<Target>() {
        return Ok(value.str()?.into_any());
    }
    match value.cast::<PyTuple>() {
        Ok(values) => Ok(PyList::new(value.py(), values)?.into_any()),
        Err(_) => Ok(value),
    }
}
