//! Methods that Python and other libraries look for on values.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// What `format()` gives for a value: the specification is that of a text, as in `f"{target:>12}"`.
pub(crate) fn format<'py>(text: &str, spec: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    PyString::new(spec.py(), text).call_method1("__format__", (spec,))
}

/// The schema of pydantic for a class whose values are made from a text.
pub(crate) fn text_schema<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    class.py().import("klayers._pydantic")?.call_method1("text_schema", (class,))
}

/// The schema of pydantic for a class of rows.
pub(crate) fn row_schema<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    class.py().import("klayers._pydantic")?.call_method1("row_schema", (class,))
}
