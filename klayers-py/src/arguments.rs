//! What a call is given: values of `klayers`, or texts that are read as such.

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

/// A text that is read as a `T`.
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

/// The argument of a name, where PyO3 does not read it.
pub(crate) fn read<'py, T>(name: &str, argument: &Bound<'py, PyAny>) -> PyResult<T>
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

/// A value that has a class in Python.
pub(crate) trait Value: FromStr<Err = ParseError> + Clone {
    type Class: pyo3::PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync;

    fn within(class: &Self::Class) -> &Self;
}

/// A value of its class, or a text that is read as one.
pub(crate) struct Given<V>(pub(crate) V);

impl<V: Value> FromPyObject<'_, '_> for Given<V> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.cast::<V::Class>() {
            Ok(class) => Ok(Self(V::within(class.get()).clone())),
            Err(_) => parse(object).map(Self),
        }
    }
}

/// What is wanted of a layer: a `Requirement`, or a text such as `requests:7`, too.
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

/// The target that is given whole, or by its Python version and its architecture.
pub(crate) fn target(
    whole: Option<Given<klayers_client::Target>>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
) -> PyResult<klayers_client::Target> {
    match (whole, python, arch) {
        (Some(Given(target)), None, None) => Ok(target),
        (None, Some(Parsed(python)), arch) => {
            let arch = arch.map_or_else(Architecture::default, |Parsed(arch)| arch);
            Ok(klayers_client::Target::new(python, arch))
        }
        _ => Err(PyTypeError::new_err(
            "either python, and arch if it is not x86_64, or target has to be given",
        )),
    }
}

/// A time: seconds as a number, or a `timedelta`.
pub(crate) struct Seconds(pub(crate) Duration);

impl FromPyObject<'_, '_> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let (py, seconds) = (object.py(), object.extract::<f64>());
        let time = match seconds {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            // The error of a negative one is a built-in one.
            Err(_) if object.hasattr("total_seconds")? => {
                let seconds: f64 = object.call_method0("total_seconds")?.extract()?;
                Duration::try_from_secs_f64(seconds).ok()
            }
            Err(error) => return Err(error),
        };
        time.map(Self).ok_or_else(|| {
            invalid_value(
                py,
                &format!("{} is not a time: seconds expected, none below 0", &*object),
            )
        })
    }
}

/// A whole number, none below 0.
pub(crate) struct Count<N>(pub(crate) N);

/// An unsigned number, and the largest of its kind.
pub(crate) trait Unsigned:
    for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr> + Display
{
    const MOST: Self;
}

impl Unsigned for u32 {
    const MOST: Self = Self::MAX;
}

impl Unsigned for u64 {
    const MOST: Self = Self::MAX;
}

impl Unsigned for usize {
    const MOST: Self = Self::MAX;
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
                format!("{} is not a count: a number from 0 to {} expected", &*object, N::MOST);
            invalid_value(py, &message)
        })
    }
}

/// The path of a folder, with the home folder in the place of `~`.
pub(crate) struct Folder(pub(crate) PathBuf);

impl FromPyObject<'_, '_> for Folder {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let path: PathBuf =
            py.import("os.path")?.call_method1("expanduser", (object,))?.extract()?;
        // Python leaves a `~` alone for which it finds no home.
        if path.to_string_lossy().starts_with('~') {
            let message = format!("{} is in a home folder that does not exist", &*object);
            let help = "write the whole path, or ./ before a folder of this name";
            return Err(invalid_value(py, &format!("{message}; {help}")));
        }
        Ok(Self(path))
    }
}

/// A moment: an aware `datetime`.
pub(crate) struct Moment(pub(crate) Timestamp);

impl FromPyObject<'_, '_> for Moment {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        if object.hasattr("tzinfo")? && object.getattr("tzinfo")?.is_none() {
            let message = format!(
                "{} is not a moment: an aware datetime expected, with its time zone, as \
                 datetime.now(timezone.utc) gives it",
                &*object
            );
            return Err(invalid_value(py, &message));
        }
        object.extract().map(Self)
    }
}
