//! Why a failed import does not stop a layer, or which undeclared module it needs.

use std::fmt;

use klayers_core::PackageName;
use serde::{Deserialize, Serialize};

/// Why a failed import does not stop the layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tolerance {
    /// The module needs something that no package of the layer requires, and its distribution was
    /// not requested but is a dependency.
    CameAlong,
    /// The module needs something that no package of the layer requires, but the main module of its
    /// distribution works.
    BesideMain,
    /// The module contains tests, documentation or scripts.
    Incidental,
    /// The module needs a package that the runtime has but this machine does not.
    RuntimeHas,
}

/// A requested module needs another module that its distribution does not require.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Undeclared {
    /// The missing module, for example `numpy`.
    pub module: String,
    /// The distribution that probably contains the missing module, for example `numpy`. Unknown for
    /// parts of a namespace, which many distributions share.
    pub distribution: Option<String>,
    /// The requested package.
    pub package: PackageName,
    /// The extra of the requested package that requires the distribution, if any.
    pub extra: Option<String>,
}

impl fmt::Display for Tolerance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CameAlong => "its package is only a dependency",
            Self::BesideMain => "the main module of its package works",
            Self::Incidental => "it contains tests, documentation or scripts",
            Self::RuntimeHas => "the runtime has what it needs",
        })
    }
}

impl fmt::Display for Undeclared {
    /// Writes the missing module and the package that does not require it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, distribution, package, extra } = self;
        formatter.write_str(module)?;
        if let Some(distribution) = distribution {
            write!(formatter, " (distribution {distribution})")?;
        }
        write!(formatter, ", which {package} ")?;
        match extra {
            Some(extra) => write!(formatter, "requires only with its extra {extra}"),
            None => formatter.write_str("does not require"),
        }
    }
}

impl Undeclared {
    /// Returns the help text.
    pub(super) fn advice(&self, failed: &str) -> String {
        let Self { module, distribution, package, extra } = self;
        let together = match (extra, distribution) {
            (Some(extra), _) => format!("ask for {package}[{extra}]"),
            (None, Some(distribution)) => {
                format!("put {package} and {distribution} into one [[bundle]]")
            }
            (None, None) => {
                format!("put {package} and the distribution that has {module} into one [[bundle]]")
            }
        };
        format!("{together}, or skip this import: [gate] skip_modules = [\"{failed}\"]")
    }
}
