//! What a call is given: values of `klayers`, or texts that are read as such.

use std::str::FromStr;

use klayers_client::{Architecture, ParseError, PythonVersion};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::error::to_python;
use crate::values;

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

/// A `Region`, or its code.
pub(crate) struct Region(pub(crate) klayers_client::Region);

impl FromPyObject<'_, '_> for Region {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.cast::<values::Region>() {
            Ok(region) => Ok(Self(region.get().0.clone())),
            Err(_) => parse(object).map(Self),
        }
    }
}

/// A `Target`, or its key.
pub(crate) struct Target(klayers_client::Target);

impl FromPyObject<'_, '_> for Target {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.cast::<values::Target>() {
            Ok(target) => Ok(Self(target.get().0)),
            Err(_) => parse(object).map(Self),
        }
    }
}

/// The target that is given whole, or by its Python version and its architecture.
pub(crate) fn target(
    whole: Option<Target>,
    python: Option<Parsed<PythonVersion>>,
    arch: Option<Parsed<Architecture>>,
) -> PyResult<klayers_client::Target> {
    match (whole, python, arch) {
        (Some(Target(target)), None, None) => Ok(target),
        (None, Some(Parsed(python)), arch) => {
            let arch = arch.map_or_else(Architecture::default, |Parsed(arch)| arch);
            Ok(klayers_client::Target::new(python, arch))
        }
        _ => Err(PyTypeError::new_err(
            "either python, and arch if it is not x86_64, or target has to be given",
        )),
    }
}
