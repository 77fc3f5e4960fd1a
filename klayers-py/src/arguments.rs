//! Arguments of calls from Python: values of `klayers`, or texts that are parsed as such values.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use klayers_client::{Architecture, LayerSpec, ParseError, PythonVersion, Timestamp};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::error::{invalid_value, to_python};
use crate::names::Requirement;

/// A text that is parsed as a `T`.
pub(crate) struct Parsed<T>(pub(crate) T);

impl<T: FromStr<Err = ParseError>> FromPyObject<'_, '_> for Parsed<T> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        parse(object).map(Self)
    }
}

fn parse<T: FromStr<Err = ParseError>>(object: Borrowed<'_, '_, PyAny>) -> PyResult<T> {
    let text = object.cast::<PyString>()?;
    text.to_cow()?.parse().map_err(|error: ParseError| to_python(object.py(), &error.into()))
}

/// Extracts an argument that `PyO3` did not extract, with the same errors: a `TypeError` names the
/// argument.
pub(crate) fn extract<'py, T>(name: &str, argument: &Bound<'py, PyAny>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let py = argument.py();
    argument.extract().map_err(|error: PyErr| {
        if !error.get_type(py).is(py.get_type::<PyTypeError>()) {
            return error;
        }
        let named = PyTypeError::new_err(format!("argument '{name}': {}", error.value(py)));
        named.set_cause(py, error.cause(py));
        named
    })
}

/// A Rust value that has a class in Python.
pub(crate) trait Value: FromStr<Err = ParseError> + Clone {
    type Class: pyo3::PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync;

    fn within(class: &Self::Class) -> &Self;
}

/// A value of its Python class, or a text that is parsed as one.
pub(crate) struct ValueOrText<V>(pub(crate) V);

impl<V: Value> FromPyObject<'_, '_> for ValueOrText<V> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.cast::<V::Class>() {
            Ok(class) => Ok(Self(V::within(class.get()).clone())),
            Err(_) => parse(object).map(Self),
        }
    }
}

/// Which layer version is wanted: a `Requirement`, or a text, which may also be `requests:7`.
pub(crate) struct Spec(pub(crate) LayerSpec);

impl FromPyObject<'_, '_> for Spec {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.cast::<Requirement>() {
            Ok(requirement) => {
                let text = requirement.get().0.to_string();
                let spec = LayerSpec::try_from(text);
                spec.map(Self).map_err(|error| to_python(object.py(), &error.into()))
            }
            Err(_) => parse(object).map(Self),
        }
    }
}

/// The target, given either whole or as a Python version and an architecture.
pub(crate) fn target(
    whole: Option<ValueOrText<klayers_client::Target>>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
) -> PyResult<klayers_client::Target> {
    match (whole, python, arch) {
        (Some(ValueOrText(target)), None, None) => Ok(target),
        (None, Some(Parsed(python)), arch) => {
            let arch = arch.map_or_else(Architecture::default, |Parsed(arch)| arch);
            Ok(klayers_client::Target::new(python, arch))
        }
        _ => Err(PyTypeError::new_err(
            "expected either target, or python and (if it is not x86_64) arch",
        )),
    }
}

/// A duration: seconds as a number, or a `timedelta`.
pub(crate) struct Seconds(pub(crate) Duration);

impl FromPyObject<'_, '_> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let (py, seconds) = (object.py(), object.extract::<f64>());
        let time = match seconds {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            // PyO3's own conversion of a timedelta would raise a built-in error for a negative one.
            Err(_) if object.hasattr("total_seconds")? => {
                let seconds: f64 = object.call_method0("total_seconds")?.extract()?;
                Duration::try_from_secs_f64(seconds).ok()
            }
            Err(error) => return Err(error),
        };
        time.map(Self).ok_or_else(|| {
            invalid_value(
                py,
                &format!("{} is not a duration: expected seconds, 0 or more", &*object),
            )
        })
    }
}

/// A whole number, 0 or greater.
pub(crate) struct Count<N>(pub(crate) N);

/// An unsigned integer type.
pub(crate) trait Unsigned:
    for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr> + Display
{
    const LARGEST: Self;
}

impl Unsigned for u32 {
    const LARGEST: Self = Self::MAX;
}

impl Unsigned for u64 {
    const LARGEST: Self = Self::MAX;
}

impl Unsigned for usize {
    const LARGEST: Self = Self::MAX;
}

impl<N: Unsigned> FromPyObject<'_, '_> for Count<N> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        object.extract().map(Self).map_err(|error| {
            if !error.is_instance_of::<PyOverflowError>(py) {
                return error;
            }
            let message =
                format!("{} is not a count: expected a number from 0 to {}", &*object, N::LARGEST);
            invalid_value(py, &message)
        })
    }
}

/// The path of a folder; `~` at the start stands for the home folder.
pub(crate) struct Folder(pub(crate) PathBuf);

impl FromPyObject<'_, '_> for Folder {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let path: PathBuf =
            py.import("os.path")?.call_method1("expanduser", (object,))?.extract()?;
        // Python leaves the `~` in place if it finds no home folder.
        if path.to_string_lossy().starts_with('~') {
            let message = format!(
                "{} is in a home folder that does not exist; write the whole path, or put ./ before \
                 a folder whose name begins with ~",
                &*object
            );
            return Err(invalid_value(py, &message));
        }
        Ok(Self(path))
    }
}

/// A point in time: a `datetime` with a time zone.
pub(crate) struct AwareDatetime(pub(crate) Timestamp);

impl FromPyObject<'_, '_> for AwareDatetime {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        if object.hasattr("tzinfo")? && object.getattr("tzinfo")?.is_none() {
            let message = format!(
                "{} has no time zone; give an aware datetime, as in datetime.now(timezone.utc)",
                &*object
            );
            return Err(invalid_value(py, &message));
        }
        object.extract().map(Self)
    }
}
