use klayers_client::{DeployStatus, Timestamp, VersionRow};
use klayers_core::api::GateImports;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::dicts::to_dict;
use crate::protocols::{order_by_arn, row_methods};
use crate::texts::{LayerVersionArn, Region};

/// One version of the layer of a package, as listed by versions().
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct LayerVersion(pub(crate) VersionRow);

order_by_arn!(LayerVersion, arn);

row_methods! {
    impl LayerVersion {
        /// The ARN.
        #[getter]
        fn arn(&self) -> LayerVersionArn {
            LayerVersionArn(self.0.arn.clone())
        }

        /// The version of the package.
        #[getter]
        fn package_version(&self) -> String {
            self.0.package_version.to_string()
        }

        /// The version number of the layer.
        #[getter]
        fn version(&self) -> u64 {
            self.0.arn.version()
        }

        /// The region of the layer.
        #[getter]
        fn region(&self) -> Region {
            Region(self.0.arn.region().clone())
        }

        /// "latest", or "deprecated" once a newer version exists.
        #[getter]
        fn status(&self) -> &'static str {
            match self.0.deploy_status {
                DeployStatus::Latest => "latest",
                DeployStatus::Deprecated => "deprecated",
            }
        }

        /// All packages in the layer, as in "idna==3.11".
        #[getter]
        fn dependencies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
            PyTuple::new(py, self.0.dependencies.iter().map(ToString::to_string))
        }

        /// When the layer version will be deleted, in UTC; None for the latest, which is kept.
        #[getter]
        fn expires_at(&self) -> Option<Timestamp> {
            self.0.expiry_date
        }

        /// Why the layer version was withdrawn; None if it was not.
        #[getter]
        fn yanked(&self) -> Option<&str> {
            self.0.yanked.as_deref()
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

        /// Whether the modules of the layer could be imported before it was published: "passed",
        /// "failed" or "not run"; None if the server does not send it.
        #[getter]
        fn imports(&self) -> Option<&'static str> {
            self.0.gate.as_ref().map(|gate| match gate.imports {
                GateImports::Passed => "passed",
                GateImports::Failed => "failed",
                GateImports::NotRun => "not run",
            })
        }

        /// What the checks before publication found unusual, as sentences; empty if the server does
        /// not send it.
        #[getter]
        fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
            PyTuple::new(py, self.0.gate.as_ref().map_or(&[][..], |gate| &gate.warnings))
        }

        /// The attributes by name, with ARNs and regions as plain texts and times as datetimes.
        pub(super) fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
            let names = [
                "arn",
                "package_version",
                "version",
                "region",
                "status",
                "dependencies",
                "expires_at",
                "yanked",
                "requirements_hash",
                "code_sha256",
                "code_size",
                "unzipped_size",
                "created_at",
                "license",
                "imports",
                "warnings",
            ];
            to_dict(slf.as_any(), &names)
        }

        fn __repr__(&self) -> String {
            let VersionRow { arn, package_version, .. } = &self.0;
            let status = self.status();
            format!(
                "<LayerVersion arn='{arn}' package_version='{package_version}' status='{status}'>"
            )
        }
    }
}
