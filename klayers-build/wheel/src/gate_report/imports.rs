use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Gap, Tolerance, Undeclared};

/// The outcomes of importing a layer's modules.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportReport {
    /// Nothing was imported, so nothing is known about the layer.
    NotRun {
        /// The reason.
        reason: String,
    },
    /// Every module was imported in a process of its own.
    Run {
        /// The outcome of each module.
        modules: BTreeMap<String, ModuleOutcome>,
        /// The failed modules that do not stop the layer, with the reason.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tolerated: BTreeMap<String, Tolerance>,
        /// For failed modules that stop the layer: the missing module that no package requires.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        undeclared: BTreeMap<String, Undeclared>,
        /// How the network was blocked.
        network: Network,
        /// The other restrictions that were not enforced on this machine.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        gaps: BTreeSet<Gap>,
    },
}

/// The outcome of importing one module.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModuleOutcome {
    /// The import passed.
    Passed,
    /// The import passed only after the other modules of the layer had been imported.
    PassedAfterOthers,
    /// The import failed.
    Failed {
        /// The exception, or the way the process ended.
        message: String,
        /// The module or library that was not found, if that was the cause.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<Missing>,
    },
    /// The import did not finish in time.
    TimedOut,
}

/// Something that an import did not find.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// A module, by its full name.
    Module(String),
    /// A native library, by the name that the loader searched for.
    Library(String),
}

/// How the network was blocked during imports.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The processes had no network.
    Absent,
    /// This machine cannot start a process without a network, so Python's network functions were
    /// refused instead.
    Refused,
}

impl Missing {
    /// Replaces control characters, which could steer a terminal. The name comes from a package.
    #[must_use]
    pub fn printable(self) -> Self {
        match self {
            Self::Module(name) => Self::Module(on_one_line(&name)),
            Self::Library(name) => Self::Library(on_one_line(&name)),
        }
    }
}

impl ModuleOutcome {
    /// Creates a failure whose message is on one line. Control characters, which could steer a
    /// terminal, are replaced, since packages choose the messages of their exceptions.
    pub fn failed(message: &str, missing: Option<Missing>) -> Self {
        Self::Failed { message: on_one_line(message), missing }
    }

    /// Whether the import did not pass.
    pub fn has_failed(&self) -> bool {
        match self {
            Self::Passed | Self::PassedAfterOthers => false,
            Self::Failed { .. } | Self::TimedOut => true,
        }
    }
}

fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(char::is_control, "\u{fffd}")
}

impl ImportReport {
    /// Whether modules were imported and all of them passed.
    pub fn all_passed(&self) -> bool {
        matches!(self, Self::Run { .. }) && self.failed().next().is_none()
    }

    /// Failed modules that stop the layer, sorted.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &ModuleOutcome)> {
        self.failed().filter(|(module, _)| self.tolerance(module).is_none())
    }

    /// Failed modules that do not stop the layer, sorted, each with the reason.
    pub fn tolerated(&self) -> impl Iterator<Item = (&str, &ModuleOutcome, Tolerance)> {
        self.failed()
            .filter_map(|(module, outcome)| Some((module, outcome, self.tolerance(module)?)))
    }

    /// Returns the missing module that makes a module stop the layer, if no package requires it.
    pub fn undeclared(&self, module: &str) -> Option<&Undeclared> {
        match self {
            Self::NotRun { .. } => None,
            Self::Run { undeclared, .. } => undeclared.get(module),
        }
    }

    /// Whether an import failed because a module was not found.
    pub fn misses_modules(&self) -> bool {
        let is_module = |outcome: &ModuleOutcome| {
            matches!(outcome, ModuleOutcome::Failed { missing: Some(Missing::Module(_)), .. })
        };
        self.failed().any(|(_, outcome)| is_module(outcome))
    }

    fn tolerance(&self, module: &str) -> Option<Tolerance> {
        match self {
            Self::NotRun { .. } => None,
            Self::Run { tolerated, .. } => tolerated.get(module).copied(),
        }
    }

    fn failed(&self) -> impl Iterator<Item = (&str, &ModuleOutcome)> {
        let modules = match self {
            Self::NotRun { .. } => None,
            Self::Run { modules, .. } => Some(modules),
        };
        let all = modules.into_iter().flatten();
        all.filter(|(_, outcome)| outcome.has_failed())
            .map(|(module, outcome)| (module.as_str(), outcome))
    }
}

impl fmt::Display for ImportReport {
    /// Writes one line: how many modules passed, or why none was imported.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRun { reason } => write!(formatter, "imports: not run: {reason}"),
            Self::Run { modules, .. } => {
                let passed = modules.values().filter(|outcome| !outcome.has_failed()).count();
                write!(formatter, "imports: {passed} of {} passed", modules.len())
            }
        }
    }
}

impl fmt::Display for ModuleOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => formatter.write_str("passed"),
            Self::PassedAfterOthers => formatter.write_str("passed after the others"),
            Self::Failed { message, .. } => formatter.write_str(message),
            Self::TimedOut => formatter.write_str("it did not finish in time"),
        }
    }
}
