use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use klayers_client::{Error, WithdrawnVersion};
use klayers_core::terminal::one_line;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDict};

use crate::texts::{LayerVersionArn, Region};
use crate::values::Target;

/// Converts an error of the client to an exception of `klayers`.
///
/// The classes are written in Python: an extension module cannot derive exceptions with the stable
/// ABI of Python 3.10.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).unwrap_or_else(|failure| failure)
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let attributes = PyDict::new(py);
    let set_place = |region: &klayers_client::Region, target: klayers_client::Target| {
        attributes.set_item("region", Region(region.clone()))?;
        attributes.set_item("target", Target(target))
    };
    let class = match error {
        Error::Parse(_) | Error::BaseUrl { .. } => "InvalidValueError",
        Error::UnknownPackage { package, region, target, suggestions } => {
            let suggestions: Vec<String> = suggestions.iter().map(ToString::to_string).collect();
            attributes.set_item("package", package.to_string())?;
            attributes.set_item("suggestions", suggestions)?;
            set_place(region, *target)?;
            "UnknownPackageError"
        }
        Error::NoLatest { package, region, target, withdrawn, .. } => {
            attributes.set_item("withdrawn", tuples(withdrawn))?;
            attributes.set_item("package", package.to_string())?;
            set_place(region, *target)?;
            "NoLatestError"
        }
        Error::NoMatch { spec, region, target, versions, withdrawn } => {
            attributes.set_item("withdrawn", tuples(withdrawn))?;
            let versions: Vec<(String, u64)> =
                versions.iter().map(|(package, layer)| (package.to_string(), *layer)).collect();
            attributes.set_item("package", spec.package().to_string())?;
            attributes.set_item("layer", spec.to_string())?;
            attributes.set_item("versions", versions)?;
            set_place(region, *target)?;
            "NoMatchError"
        }
        Error::Transport { url, .. } => {
            attributes.set_item("url", url)?;
            attributes.set_item("timed_out", error.is_timeout())?;
            "TransportError"
        }
        Error::Status { url, status, detail, retry_after } => {
            attributes.set_item("url", url)?;
            attributes.set_item("status", status)?;
            attributes.set_item("detail", detail)?;
            attributes.set_item("retry_after", retry_after.map(|time| time.as_secs()))?;
            "StatusError"
        }
        Error::Body { url, .. } | Error::TooLarge { url, .. } => {
            attributes.set_item("url", url)?;
            "AnswerError"
        }
        Error::Unsupported { url, .. } => {
            attributes.set_item("url", url)?;
            "UnsupportedError"
        }
        Error::Offline { url, .. } => {
            attributes.set_item("url", url)?;
            "OfflineError"
        }
        _ => "KlayersError",
    };
    let exception = new_exception(py, class, &error.to_string(), &attributes)?;
    exception.set_cause(py, error.source().map(|source| cause(py, error, source)));
    Ok(exception)
}

/// Withdrawn layer versions as tuples: package version, layer version, reason.
fn tuples(withdrawn: &[WithdrawnVersion]) -> Vec<(String, u64, &str)> {
    withdrawn
        .iter()
        .map(|row| (row.package_version.to_string(), row.layer_version, row.reason.as_str()))
        .collect()
}

/// The error for a value that the bindings reject themselves.
pub(crate) fn invalid_value(py: Python<'_>, message: &str) -> PyErr {
    new_exception(py, "InvalidValueError", message, &PyDict::new(py))
        .unwrap_or_else(|failure| failure)
}

/// The error for a client that was closed.
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    let message = "the client is closed; make another one";
    new_exception(py, "ClosedError", message, &PyDict::new(py)).unwrap_or_else(|failure| failure)
}

/// The error for a process that can start no more threads.
pub(crate) fn no_threads(py: Python<'_>, error: io::Error) -> PyErr {
    let message = "could not start a thread for requests; raise the thread limit of this process";
    let exception = new_exception(py, "KlayersError", message, &PyDict::new(py))
        .unwrap_or_else(|failure| failure);
    exception.set_cause(py, Some(error.into()));
    exception
}

/// The warning for an answer from an expired cache entry.
pub(crate) fn stale_answer_warning<'py>(
    py: Python<'py>,
    age: Duration,
    reason: &Error,
) -> PyResult<Bound<'py, PyAny>> {
    let attributes = PyDict::new(py);
    let seconds = i32::try_from(age.as_secs() % 86_400).unwrap_or_default();
    let days = i32::try_from(age.as_secs() / 86_400).unwrap_or(i32::MAX);
    attributes.set_item("age", PyDelta::new(py, days, seconds, 0, true)?)?;
    let message = format!("the answer is {} old: {reason}", in_words(age));
    let warning = new_exception(py, "StaleAnswerWarning", &message, &attributes)?;
    warning.set_cause(py, Some(to_python(py, reason)));
    Ok(warning.into_value(py).into_bound(py).into_any())
}

/// The warning for a layer version that was withdrawn.
pub(crate) fn withdrawn_warning<'py>(
    py: Python<'py>,
    arn: &klayers_client::LayerVersionArn,
    reason: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let attributes = PyDict::new(py);
    attributes.set_item("arn", LayerVersionArn(arn.clone()))?;
    attributes.set_item("reason", reason)?;
    let message = format!("{arn} is withdrawn: {}", one_line(reason));
    let warning = new_exception(py, "WithdrawnWarning", &message, &attributes)?;
    Ok(warning.into_value(py).into_bound(py).into_any())
}

/// Issues a warning that points at the caller.
pub(crate) fn warn(py: Python<'_>, warning: &Bound<'_, PyAny>) -> PyResult<()> {
    py.import("warnings")?.call_method1("warn", (warning,))?;
    Ok(())
}

/// A duration in words, in its largest unit.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

fn new_exception(
    py: Python<'_>,
    class: &str,
    message: &str,
    attributes: &Bound<'_, PyDict>,
) -> PyResult<PyErr> {
    let class = py.import("klayers._errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call((message,), Some(attributes))?))
}

/// A source of an error, and its own sources, as a chain of built-in exceptions.
fn cause(py: Python<'_>, error: &Error, source: &(dyn StdError + 'static)) -> PyErr {
    let message = source.to_string();
    let exception = match error {
        Error::Transport { .. } => PyOSError::new_err(message),
        _ => PyValueError::new_err(message),
    };
    exception.set_cause(py, source.source().map(|source| cause(py, error, source)));
    exception
}
