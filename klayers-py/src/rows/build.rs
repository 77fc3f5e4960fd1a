use std::hash::{DefaultHasher, Hash, Hasher};

use klayers_client::{BuildRow, PackageName, Timestamp};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::dicts::to_dict;
use crate::protocols::row_methods;

/// The latest build of a package, as listed by packages().
#[pyclass(frozen, eq, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct Build(pub(crate) BuildRow);

row_methods! {
    impl Build {
        /// The name of the package; None if the server does not send it.
        #[getter]
        fn package(&self) -> Option<&str> {
            self.0.package.as_ref().map(PackageName::spelling)
        }

        /// The version of the package.
        #[getter]
        fn package_version(&self) -> String {
            self.0.package_version.to_string()
        }

        /// All packages in the layer, as in "idna==3.11".
        #[getter]
        fn dependencies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
            PyTuple::new(py, self.0.dependencies.iter().map(ToString::to_string))
        }

        /// When the layer was built, in UTC; None if the server does not send it.
        #[getter]
        fn created_at(&self) -> Option<Timestamp> {
            self.0.created_date_time
        }

        /// SHA-256 of the sorted dependencies; None if the server does not send it.
        #[getter]
        fn requirements_hash(&self) -> Option<&str> {
            self.0.requirements_hash.as_deref()
        }

        /// SHA-256 of the zip of the layer, in Base64; None if the server does not send it.
        #[getter]
        fn code_sha256(&self) -> Option<&str> {
            self.0.code_sha256.as_deref()
        }

        /// The size of the zip of the layer, in bytes; None if the server does not send it.
        #[getter]
        fn code_size(&self) -> Option<u64> {
            self.0.code_size
        }

        /// The unpacked size of the layer, in bytes; None if the server does not send it.
        #[getter]
        fn unzipped_size(&self) -> Option<u64> {
            self.0.unzipped_size
        }

        /// The licence of the package; None if the server does not send it.
        #[getter]
        fn license(&self) -> Option<&str> {
            self.0.license.as_deref()
        }

        /// The attributes by name, with times as datetimes.
        fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
            let names = [
                "package",
                "package_version",
                "dependencies",
                "created_at",
                "requirements_hash",
                "code_sha256",
                "code_size",
                "unzipped_size",
                "license",
            ];
            to_dict(slf.as_any(), &names)
        }

        fn __hash__(&self) -> u64 {
            let mut hasher = DefaultHasher::new();
            self.to_json().hash(&mut hasher);
            hasher.finish()
        }

        fn __repr__(&self) -> String {
            let package = self.package().map_or("None".to_owned(), |name| format!("'{name}'"));
            format!("<Build package={package} package_version='{}'>", self.0.package_version)
        }
    }
}
