use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

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
        /// How the network was kept from them.
        network: Network,
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
    },
    /// It did not come to its end in time.
    TimedOut,
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

impl ModuleOutcome {
    /// A failure, told on one line. Packages choose what their exceptions say, so that what would
    /// steer a terminal is replaced.
    pub(super) fn failed(message: &str) -> Self {
        let words: Vec<&str> = message.split_whitespace().collect();
        Self::Failed { message: words.join(" ").replace(char::is_control, "\u{fffd}") }
    }
}

impl ImportReport {
    /// Whether modules were imported, and each passed.
    pub fn all_passed(&self) -> bool {
        matches!(self, Self::Run { .. }) && self.failures().next().is_none()
    }

    /// The modules that did not pass, sorted.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &ModuleOutcome)> {
        let modules = match self {
            Self::NotRun { .. } => None,
            Self::Run { modules, .. } => Some(modules),
        };
        let all = modules.into_iter().flatten();
        let has_failed = |outcome: &ModuleOutcome| match outcome {
            ModuleOutcome::Passed | ModuleOutcome::PassedAfterOthers => false,
            ModuleOutcome::Failed { .. } | ModuleOutcome::TimedOut => true,
        };
        all.filter(move |(_, outcome)| has_failed(outcome))
            .map(|(module, outcome)| (module.as_str(), outcome))
    }
}

impl fmt::Display for ImportReport {
    /// A line for each module that did not pass, and one for all.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modules = match self {
            Self::NotRun { reason } => return write!(formatter, "imports: not run: {reason}"),
            Self::Run { modules, .. } => modules,
        };
        for (module, outcome) in self.failures() {
            writeln!(formatter, "error: import {module}: {outcome}")?;
        }
        let passed = modules.len() - self.failures().count();
        write!(formatter, "imports: {passed} of {} passed", modules.len())
    }
}

impl fmt::Display for ModuleOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => formatter.write_str("passed"),
            Self::PassedAfterOthers => formatter.write_str("passed after the others"),
            Self::Failed { message } => formatter.write_str(message),
            Self::TimedOut => formatter.write_str("it did not come to its end in time"),
        }
    }
}
