use klayers_client::PackageRow;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::dicts::to_dict;
use crate::protocols::{order_by_arn, row_methods};
use crate::rows::LayerVersion;
use crate::values::Target;

/// A layer version with its package and target, as listed by package().
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Eq, PartialEq)]
pub(crate) struct PackageLayer(pub(crate) PackageRow);

order_by_arn!(PackageLayer, version.arn);

row_methods! {
    impl PackageLayer {
        /// The name of the package, in the spelling of the collection.
        #[getter]
        fn package(&self) -> &str {
            self.0.package.spelling()
        }

        /// The target.
        #[getter]
        fn target(&self) -> Target {
            Target(self.0.target)
        }

        /// The layer version.
        #[getter]
        fn layer(&self) -> LayerVersion {
            LayerVersion(self.0.version.clone())
        }

        /// The package, the target, and the attributes of the layer version, by name.
        fn to_dict(slf: &Bound<'_, Self>) -> PyResult<Py<PyDict>> {
            let dict = to_dict(slf.as_any(), &["package", "target"])?;
            let layer = Bound::new(slf.py(), slf.get().layer())?;
            let layer = LayerVersion::to_dict(&layer)?;
            dict.bind(slf.py()).update(layer.bind(slf.py()).as_mapping())?;
            Ok(dict)
        }

        fn __repr__(&self) -> String {
            let PackageRow { package, target, version } = &self.0;
            format!("<PackageLayer package='{package}' target='{target}' arn='{}'>", version.arn)
        }
    }
}
