//! Why a failed import does not stop a layer, or what it lacks.

use std::fmt;

use klayers_core::PackageName;
use serde::{Deserialize, Serialize};

/// Why a module that cannot be imported does not stop the layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tolerance {
    /// It needs something that no package of the layer requires, and nobody asked for its
    /// distribution, which is a dependency.
    CameAlong,
    /// It needs something that no package of the layer requires, and the main module of its
    /// distribution works.
    BesideMain,
    /// It is a module of tests, documentation or scripts.
    Incidental,
    /// It needs a package that the runtime has, and that is not at hand here.
    RuntimeHas,
}

/// A module that was asked for and needs a module that its distribution does not require.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Undeclared {
    /// The module that is missing: `numpy`.
    pub module: String,
    /// The distribution that brings it, as far as its name tells: `numpy`. Unknown for a part of a
    /// namespace, which many distributions have parts of.
    pub distribution: Option<String>,
    /// The package that was asked for.
    pub package: PackageName,
    /// The extra of that package that requires the distribution, if one does.
    pub extra: Option<String>,
}

impl fmt::Display for Tolerance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CameAlong => "nobody asked for its package, which is a dependency",
            Self::BesideMain => "the main module of its package works",
            Self::Incidental => "it holds tests, documentation or scripts",
            Self::RuntimeHas => "the runtime has what it needs",
        })
    }
}

impl fmt::Display for Undeclared {
    /// The module, and who does not require its distribution.
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
    /// What can be done, for a terminal.
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
