//! Methods that all classes of one kind share.
//!
//! `PyO3` takes all methods of a class from one `#[pymethods]` block. The macros here take the methods
//! that a class has alone and add the shared ones to the same block.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::invalid_value;

/// The `#[pymethods]` of a class that is made from a text and prints as that text, such as `Target`.
/// Adds `str()`, `repr()`, `format()`, pickling and the pydantic schema.
///
/// The class wraps a value that implements `Display`.
macro_rules! text_methods {
    ($(#[$attribute:meta])* impl $class:ident { $($methods:tt)* }) => {
        $(#[$attribute])*
        #[::pyo3::pymethods]
        impl $class {
            $($methods)*

            fn __str__(&self) -> String {
                self.0.to_string()
            }

            fn __repr__(&self) -> String {
                format!(concat!(stringify!($class), "('{}')"), self.0)
            }

            #[pyo3(signature = (spec, /))]
            fn __format__<'py>(
                &self,
                spec: &::pyo3::Bound<'py, ::pyo3::types::PyString>,
            ) -> ::pyo3::PyResult<::pyo3::Bound<'py, ::pyo3::PyAny>> {
                $crate::protocols::format(&self.0.to_string(), spec)
            }

            #[classmethod]
            #[pyo3(signature = (_source, _handler, /))]
            fn __get_pydantic_core_schema__<'py>(
                class: &::pyo3::Bound<'py, ::pyo3::types::PyType>,
                _source: &::pyo3::Bound<'py, ::pyo3::PyAny>,
                _handler: &::pyo3::Bound<'py, ::pyo3::PyAny>,
            ) -> ::pyo3::PyResult<::pyo3::Bound<'py, ::pyo3::PyAny>> {
                $crate::protocols::pydantic_schema(class, "text_schema")
            }

            fn __reduce__<'py>(
                &self,
                py: ::pyo3::Python<'py>,
            ) -> (::pyo3::Bound<'py, ::pyo3::types::PyType>, (String,)) {
                (py.get_type::<Self>(), (self.0.to_string(),))
            }
        }
    };
}

/// The `#[pymethods]` of a class of rows. Adds JSON, pickling and the pydantic schema.
///
/// The class wraps a row that serde reads and writes as the API does.
macro_rules! row_methods {
    (impl $class:ident { $($methods:tt)* }) => {
        #[::pyo3::pymethods]
        impl $class {
            $($methods)*

            /// The row in JSON, in the format of the API.
            fn to_json(&self) -> String {
                $crate::protocols::to_json(&self.0)
            }

            /// Reads a row from JSON in the format of the API.
            #[classmethod]
            fn from_json(
                _class: &::pyo3::Bound<'_, ::pyo3::types::PyType>,
                py: ::pyo3::Python<'_>,
                json: &str,
            ) -> ::pyo3::PyResult<Self> {
                $crate::protocols::from_json(py, json).map(Self)
            }

            #[classmethod]
            #[pyo3(signature = (_source, _handler, /))]
            fn __get_pydantic_core_schema__<'py>(
                class: &::pyo3::Bound<'py, ::pyo3::types::PyType>,
                _source: &::pyo3::Bound<'py, ::pyo3::PyAny>,
                _handler: &::pyo3::Bound<'py, ::pyo3::PyAny>,
            ) -> ::pyo3::PyResult<::pyo3::Bound<'py, ::pyo3::PyAny>> {
                $crate::protocols::pydantic_schema(class, "row_schema")
            }

            fn __reduce__<'py>(
                &self,
                py: ::pyo3::Python<'py>,
            ) -> ::pyo3::PyResult<(::pyo3::Bound<'py, ::pyo3::PyAny>, (String,))> {
                let from_json = py.get_type::<Self>().getattr("from_json")?;
                Ok((from_json, (self.to_json(),)))
            }
        }
    };
}

/// `Hash` and `Ord` of a class of rows, given the field with the ARN. Rows order by their ARNs; rows with the same
/// ARN order by their JSON, so that only equal rows compare as equal.
macro_rules! order_by_arn {
    ($class:ident, $($field:ident).+) => {
        impl ::std::hash::Hash for $class {
            fn hash<H: ::std::hash::Hasher>(&self, state: &mut H) {
                self.0.$($field).+.hash(state);
            }
        }

        impl Ord for $class {
            fn cmp(&self, other: &Self) -> ::std::cmp::Ordering {
                self.0.$($field).+.cmp(&other.0.$($field).+).then_with(|| {
                    let json = $crate::protocols::to_json;
                    json(&self.0).cmp(&json(&other.0))
                })
            }
        }

        impl PartialOrd for $class {
            fn partial_cmp(&self, other: &Self) -> Option<::std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

pub(crate) use {order_by_arn, row_methods, text_methods};

/// Formats a value as `format()` formats its text, as in `f"{target:>12}"`.
pub(crate) fn format<'py>(text: &str, spec: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    PyString::new(spec.py(), text).call_method1("__format__", (spec,))
}

/// The pydantic schema of a class, from a function of `klayers._pydantic`.
pub(crate) fn pydantic_schema<'py>(
    class: &Bound<'py, PyType>,
    function: &str,
) -> PyResult<Bound<'py, PyAny>> {
    class.py().import("klayers._pydantic")?.call_method1(function, (class,))
}

/// A row in JSON, in the format of the API.
pub(crate) fn to_json(row: &impl Serialize) -> String {
    serde_json::to_string(row).expect("rows consist of texts and numbers")
}

/// Reads a row from JSON in the format of the API.
pub(crate) fn from_json<Row: DeserializeOwned>(py: Python<'_>, json: &str) -> PyResult<Row> {
    serde_json::from_str(json).map_err(|error| {
        let message = format!("the JSON is not a row of the API: {error}; expected an object");
        invalid_value(py, &message)
    })
}
