//! Names, versions and requirements of packages, as the specifications of Python packaging define
//! them.

use klayers_client::{PackageName as Name, PackageVersion as Version};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{Value, ValueOrText};
use crate::protocols::text_methods;

/// The name of a package, as in PackageName("Pillow").
///
/// Names are equal if their normalised forms are equal (PEP 503); str() keeps the spelling that was
/// given.
///
///     >>> klayers.PackageName("zope_interface") == klayers.PackageName("Zope.Interface")
///     True
///     >>> klayers.PackageName("Zope.Interface").normalized
///     'zope-interface'
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct PackageName(pub(crate) Name);

impl Value for Name {
    type Class = PackageName;

    fn within(class: &PackageName) -> &Self {
        &class.0
    }
}

text_methods! {
    impl PackageName {
        #[new]
        fn new(name: ValueOrText<Name>) -> Self {
            Self(name.0)
        }

        /// The name in lower case, with every run of "-", "_" and "." replaced by one "-".
        #[getter]
        fn normalized(&self) -> &str {
            self.0.normalized()
        }
    }
}

/// The version of a package, as in PackageVersion("2.32.5"). Versions order as PEP 440 says.
///
///     >>> klayers.PackageVersion("1.10") > klayers.PackageVersion("1.9")
///     True
///     >>> klayers.PackageVersion("1.0") == klayers.PackageVersion("1")
///     True
#[pyclass(frozen, eq, ord, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct PackageVersion(pub(crate) Version);

impl Value for Version {
    type Class = PackageVersion;

    fn within(class: &PackageVersion) -> &Self {
        &class.0
    }
}

text_methods! {
    impl PackageVersion {
        #[new]
        fn new(version: ValueOrText<Version>) -> Self {
            Self(version.0)
        }

        /// The version in its normal form, as in "1.0rc1" for "1.0.RC-1".
        #[getter]
        fn normalized(&self) -> String {
            self.0.normalized()
        }

        /// Whether the version is a pre-release or a development release.
        #[getter]
        fn is_prerelease(&self) -> bool {
            self.0.is_prerelease()
        }
    }
}

/// A requirement of a package: its name, extras, and accepted versions, as in
/// Requirement("psycopg[binary]>=3.2").
///
/// The format is that of dependency specifiers (PEP 508), without environment markers and URLs.
///
///     >>> "2.32.5" in klayers.Requirement("requests~=2.31")
///     True
#[pyclass(frozen, eq, hash, module = "klayers")]
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct Requirement(pub(crate) klayers_core::Requirement);

impl Value for klayers_core::Requirement {
    type Class = Requirement;

    fn within(class: &Requirement) -> &Self {
        &class.0
    }
}

text_methods! {
    impl Requirement {
        #[new]
        fn new(requirement: ValueOrText<klayers_core::Requirement>) -> Self {
            Self(requirement.0)
        }

        /// The name of the package.
        #[getter]
        fn name(&self) -> PackageName {
            PackageName(self.0.name().clone())
        }

        /// The extras, sorted by name.
        #[getter]
        fn extras<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
            PyTuple::new(py, self.0.extras().map(ToString::to_string))
        }

        /// Whether a version satisfies the requirement. A pre-release does if it is in the range.
        #[pyo3(signature = (version, /))]
        fn accepts(&self, version: ValueOrText<Version>) -> bool {
            self.0.accepts(&version.0)
        }

        fn __contains__(&self, version: ValueOrText<Version>) -> bool {
            self.0.accepts(&version.0)
        }
    }
}
