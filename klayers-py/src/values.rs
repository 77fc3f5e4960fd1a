//! Targets. Regions and ARNs are in `texts`.

use klayers_client::{Architecture, PythonVersion};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::arguments::{self, Parsed, Value, ValueOrText};
use crate::dicts::to_dict;
use crate::error::to_python;
use crate::protocols::text_methods;
use crate::texts::environment;

/// A Python version and an architecture that layers are built for, as in Target("p3.13-arm64") or
/// Target(python="3.13", arch="arm64").
///
///     >>> str(klayers.Target(python="3.13", arch="aarch64"))
///     'p3.13-arm64'
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Target(pub(crate) klayers_client::Target);

impl Value for klayers_client::Target {
    type Class = Target;

    fn within(class: &Target) -> &Self {
        &class.0
    }
}

text_methods! {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "Python passes values by reference")]
    impl Target {
        #[new]
        #[pyo3(signature = (key=None, *, python=None, arch=None))]
        fn new(
            key: Option<ValueOrText<klayers_client::Target>>,
            python: Option<Parsed<PythonVersion>>,
            arch: Option<Parsed<Architecture>>,
        ) -> PyResult<Self> {
            arguments::target(key, python, arch).map(Self)
        }

        /// The target of the Lambda function that runs this process, from AWS_EXECUTION_ENV; None
        /// outside of Lambda.
        #[classmethod]
        fn from_environment(_class: &Bound<'_, PyType>, py: Python<'_>) -> PyResult<Option<Self>> {
            let target = environment().target().map_err(|error| to_python(py, &error.into()))?;
            Ok(target.map(Self))
        }

        /// The Python version, as in "3.13".
        #[getter]
        fn python(&self) -> String {
            self.0.python.to_string()
        }

        /// The architecture: "x86_64" or "arm64".
        #[getter]
        fn arch(&self) -> &'static str {
            self.0.architecture.as_str()
        }

        /// The attributes by name; Target(**attributes) is equal to this target.
        fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
            to_dict(slf.as_any(), &["python", "arch"])
        }
    }
}
