use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Gap, Tolerance, Undeclared};

/// How importing a layer's modules went.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportReport {
    /// Nothing was imported, which says nothing about the layer.
    NotRun {
        /// Why not.
        reason: String,
    },
    /// Every module was imported in a process of its own.
    Run {
        /// What came of each module.
        modules: BTreeMap<String, ModuleOutcome>,
        /// The modules that failed and yet do not stop the layer, and why not.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tolerated: BTreeMap<String, Tolerance>,
        /// What is missing of the modules that stop the layer, where no package requires it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        undeclared: BTreeMap<String, Undeclared>,
        /// How the network was kept from them.
        network: Network,
        /// What else they could do on the machine that imported them.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        gaps: BTreeSet<Gap>,
    },
}

/// What came of importing a module.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModuleOutcome {
    /// It was imported.
    Passed,
    /// It was imported after the other modules of the layer, and not alone.
    PassedAfterOthers,
    /// It could not be imported.
    Failed {
        /// The exception, or how the process ended.
        message: String,
        /// What was not found, if that was the cause.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<Missing>,
    },
    /// It did not come to its end in time.
    TimedOut,
}

/// What an import did not find.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// A module, by its full name.
    Module(String),
    /// A native library, by the name that the loader looked for.
    Library(String),
}

/// How the network was kept from the modules.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The processes had none.
    Absent,
    /// This machine does not let a process do without: what goes through Python was refused.
    Refused,
}

impl Missing {
    /// The same in characters that do not steer a terminal: it is a foreign process that says it.
    #[must_use]
    pub fn shown(self) -> Self {
        match self {
            Self::Module(name) => Self::Module(on_one_line(&name)),
            Self::Library(name) => Self::Library(on_one_line(&name)),
        }
    }
}

impl ModuleOutcome {
    /// A failure, told on one line. Packages choose what their exceptions say, so that what would
    /// steer a terminal is replaced.
    pub fn failed(message: &str, missing: Option<Missing>) -> Self {
        Self::Failed { message: on_one_line(message), missing }
    }

    /// Whether it did not pass.
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
    /// Whether modules were imported, and each passed.
    pub fn all_passed(&self) -> bool {
        matches!(self, Self::Run { .. }) && self.failed().next().is_none()
    }

    /// The modules that failed and stop the layer, sorted.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &ModuleOutcome)> {
        self.failed().filter(|(module, _)| self.tolerance(module).is_none())
    }

    /// The modules that failed and do not stop the layer, sorted, each with the reason.
    pub fn tolerated(&self) -> impl Iterator<Item = (&str, &ModuleOutcome, Tolerance)> {
        self.failed()
            .filter_map(|(module, outcome)| Some((module, outcome, self.tolerance(module)?)))
    }

    /// What is missing of a module that stops the layer, if no package requires it.
    pub fn undeclared(&self, module: &str) -> Option<&Undeclared> {
        match self {
            Self::NotRun { .. } => None,
            Self::Run { undeclared, .. } => undeclared.get(module),
        }
    }

    /// Whether an import failed since a module was not found.
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
    /// One line: how many passed, or why none was imported.
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
            Self::TimedOut => formatter.write_str("it did not come to its end in time"),
        }
    }
}
