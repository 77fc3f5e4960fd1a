use std::error::Error as StdError;

use klayers_client::Error;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::values::{Region, Target};

/// An error of the client's as the exception of `klayers` that says the same.
///
/// The classes are written in Python, for the stable ABI of Python 3.9 cannot derive exceptions.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).unwrap_or_else(|failure| failure)
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let attributes = PyDict::new(py);
    let class = match error {
        Error::Parse(_) | Error::BaseUrl { .. } => "InvalidValueError",
        Error::UnknownPackage { package, region, target, suggestions } => {
            let suggestions: Vec<String> = suggestions.iter().map(ToString::to_string).collect();
            attributes.set_item("package", package.to_string())?;
            attributes.set_item("region", Region(region.clone()))?;
            attributes.set_item("target", Target(*target))?;
            attributes.set_item("suggestions", suggestions)?;
            "UnknownPackageError"
        }
        Error::NoLatest { package, region, target, .. } => {
            attributes.set_item("package", package.to_string())?;
            attributes.set_item("region", Region(region.clone()))?;
            attributes.set_item("target", Target(*target))?;
            "NoLatestError"
        }
        Error::Transport { url, .. } => {
            attributes.set_item("url", url)?;
            attributes.set_item("timed_out", error.is_timeout())?;
            "TransportError"
        }
        Error::Status { url, status, detail } => {
            attributes.set_item("url", url)?;
            attributes.set_item("status", status)?;
            attributes.set_item("detail", detail)?;
            "StatusError"
        }
        Error::Body { url, .. } | Error::TooLarge { url, .. } => {
            attributes.set_item("url", url)?;
            "AnswerError"
        }
        _ => "KlayersError",
    };
    let exception = raised(py, class, &error.to_string(), &attributes)?;
    exception.set_cause(py, error.source().map(|source| cause(py, error, source)));
    Ok(exception)
}

/// That a value which the client never sees is none.
pub(crate) fn invalid_value(py: Python<'_>, message: &str) -> PyErr {
    raised(py, "InvalidValueError", message, &PyDict::new(py)).unwrap_or_else(|failure| failure)
}

fn raised(
    py: Python<'_>,
    class: &str,
    message: &str,
    attributes: &Bound<'_, PyDict>,
) -> PyResult<PyErr> {
    let class = py.import("klayers._errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call((message,), Some(attributes))?))
}

/// What is in `source`, and what is in that, as a chain of built-in exceptions.
fn cause(py: Python<'_>, error: &Error, source: &(dyn StdError + 'static)) -> PyErr {
    let message = source.to_string();
    let exception = match error {
        Error::Transport { .. } => PyOSError::new_err(message),
        _ => PyValueError::new_err(message),
    };
    exception.set_cause(py, source.source().map(|source| cause(py, error, source)));
    exception
}
