use klayers_client::{LatestRow, Timestamp};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::dicts::to_dict;
use crate::protocols::{order_by_arn, row_methods};
use crate::texts::LayerVersionArn;

/// The latest layer version of a package, as listed by latest().
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct LatestLayer(pub(crate) LatestRow);

order_by_arn!(LatestLayer, arn);

row_methods! {
    impl LatestLayer {
        /// The name of the package, in the spelling of the collection.
        #[getter]
        fn package(&self) -> &str {
            self.0.package.spelling()
        }

        /// The version of the package.
        #[getter]
        fn package_version(&self) -> String {
            self.0.package_version.to_string()
        }

        /// The ARN of the layer version.
        #[getter]
        fn arn(&self) -> LayerVersionArn {
            LayerVersionArn(self.0.arn.clone())
        }

        /// SHA-256 of the zip of the layer, in Base64; None if the server does not send it.
        #[getter]
        fn code_sha256(&self) -> Option<&str> {
            self.0.code_sha256.as_deref()
        }

        /// When the layer version was published, in UTC; None if the server does not send it.
        #[getter]
        fn created_at(&self) -> Option<Timestamp> {
            self.0.created_date_time
        }

        /// The licence of the package; None if the server does not send it.
        #[getter]
        fn license(&self) -> Option<&str> {
            self.0.license.as_deref()
        }

        /// The attributes by name, with ARNs as plain texts and times as datetimes.
        fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
            let names =
                ["package", "package_version", "arn", "code_sha256", "created_at", "license"];
            to_dict(slf.as_any(), &names)
        }

        fn __repr__(&self) -> String {
            let LatestRow { package, package_version, arn, .. } = &self.0;
            format!(
                "<LatestLayer package='{package}' package_version='{package_version}' arn='{arn}'>"
            )
        }
    }
}
