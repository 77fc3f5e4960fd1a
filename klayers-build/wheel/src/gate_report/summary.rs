//! Summarizes a gate report in a few lines.
//!
//! Similar findings share one line: a wheel with thirty libraries that the runtime does not have
//! is one fact, not thirty.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use super::{Finding, GateReport, LayerFile, ModuleOutcome, Severity};

/// Maximum number of errors and warnings in a short report.
const ERRORS: usize = 3;
const WARNINGS: usize = 5;
/// Number of names that are listed before the rest is counted.
const NAMES: usize = 2;
/// Maximum number of libraries in a suggested setting `allow_missing`.
const NAMED_IN_SETTING: usize = 4;
/// Maximum length of the printed message of a failed import, in characters.
const MAX_MESSAGE: usize = 300;
/// Packages with a variant that needs no display: (package, variant).
const HEADLESS_VARIANTS: [(&str, &str); 2] = [
    ("opencv-contrib-python", "opencv-contrib-python-headless"),
    ("opencv-python", "opencv-python-headless"),
];

/// One line of a summarized report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The severity.
    pub severity: Severity,
    /// The text.
    pub text: String,
    /// What the user can do, if anything.
    pub help: Option<String>,
}

/// A line of the short form of a report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SummaryLine {
    /// How bad the finding is. `None` for lines about other lines: a count, or help.
    pub severity: Option<Severity>,
    /// The text, without a label for the severity.
    pub text: String,
}

impl SummaryLine {
    fn plain(text: String) -> Self {
        Self { severity: None, text }
    }
}

impl fmt::Display for SummaryLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, text } = self;
        match severity {
            Some(severity) => write!(formatter, "{severity}: {text}"),
            None => formatter.write_str(text),
        }
    }
}

impl GateReport {
    /// Returns the lines of the report, errors first. Similar findings share one line.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = self.library_lines();
        lines.extend(self.processor_lines());
        lines.extend(self.findings.iter().filter_map(|finding| match finding {
            Finding::MissingLibrary { .. }
            | Finding::OutsideLibrary { .. }
            | Finding::Machine { .. } => None,
            other => Some(Line::new(other.severity(), other.to_string())),
        }));
        lines.extend(self.import_lines());
        lines.sort_by_key(|line| line.severity);
        lines
    }

    /// Returns the errors and a help, in about five lines.
    pub(super) fn reason(&self) -> String {
        let errors = self.lines().into_iter().filter(|line| line.severity == Severity::Error);
        let lines = shortened(errors.collect(), ERRORS).into_iter();
        lines.map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
    }

    /// The most important errors and warnings, and the first help, in a few lines.
    pub fn summary(&self) -> Vec<SummaryLine> {
        let (errors, warnings): (Vec<Line>, Vec<Line>) =
            self.lines().into_iter().partition(|line| line.severity == Severity::Error);
        let mut lines = shortened(errors, ERRORS);
        lines.extend(shortened(warnings, WARNINGS));
        lines
    }

    /// Returns the complete report, with one line for each finding and each failed module.
    pub fn details(&self) -> String {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.severity());
        let mut lines: Vec<String> =
            findings.iter().map(|found| format!("{}: {found}", found.severity())).collect();
        let failures = self.imports.failures();
        lines
            .extend(failures.map(|(module, outcome)| format!("error: import {module}: {outcome}")));
        lines.extend(self.imports.tolerated().map(|(module, outcome, tolerance)| {
            format!("warning: import {module}: {outcome} ({tolerance})")
        }));
        lines.push(self.imports.to_string());
        lines.join("\n")
    }

    /// Summarizes missing libraries, in one line for each distribution that needs them.
    fn library_lines(&self) -> Vec<Line> {
        let mut missing: BTreeMap<(Severity, String), BTreeSet<&str>> = BTreeMap::new();
        let mut outside: BTreeMap<&[String], BTreeSet<&str>> = BTreeMap::new();
        for finding in &self.findings {
            match finding {
                Finding::MissingLibrary { file, library, .. } => {
                    let of = (finding.severity(), distribution(file));
                    missing.entry(of).or_default().insert(library);
                }
                Finding::OutsideLibrary { library, modules } => {
                    outside.entry(modules).or_default().insert(library);
                }
                _ => {}
            }
        }
        let mut lines = Vec::new();
        for ((severity, distribution), libraries) in missing {
            let (named, are) = (listed(&libraries), are(libraries.len()));
            let mut text =
                format!("{named}, needed by {distribution}, {are} not in Lambda's runtime");
            if severity == Severity::Warning {
                let them = if libraries.len() == 1 { "it" } else { "them" };
                let _ = write!(text, ", but no import loads what needs {them}");
            }
            let help =
                (severity == Severity::Error).then(|| library_help(&distribution, &libraries));
            lines.push(Line { severity, text, help });
        }
        for (modules, libraries) in outside {
            let (named, are) = (listed(&libraries), are(libraries.len()));
            let modules: BTreeSet<&str> = modules.iter().map(String::as_str).collect();
            let text = format!(
                "{named}, loaded by importing {}, {are} not in Lambda's runtime",
                listed(&modules)
            );
            let help = Some(library_help("", &libraries));
            lines.push(Line { severity: Severity::Error, text, help });
        }
        lines
    }

    /// Summarizes files for other processors, in one line for each distribution.
    fn processor_lines(&self) -> Vec<Line> {
        let mut files: BTreeMap<(Severity, String), Vec<&Finding>> = BTreeMap::new();
        for finding in &self.findings {
            if let Finding::Machine { file, .. } = finding {
                files.entry((finding.severity(), distribution(file))).or_default().push(finding);
            }
        }
        let line = |((severity, _), findings): ((Severity, String), Vec<&Finding>)| {
            let more = match findings.len() - 1 {
                0 => String::new(),
                1 => "; so is another file of it".to_owned(),
                others => format!("; so are {others} other files of it"),
            };
            let unused = if severity == Severity::Warning { "; nothing loads it" } else { "" };
            Line::new(severity, format!("{}{unused}{more}", findings[0]))
        };
        files.into_iter().map(line).collect()
    }

    /// One line for each failed import.
    fn import_lines(&self) -> Vec<Line> {
        let failures = self.imports.failures().map(|(module, outcome)| {
            let undeclared = self.imports.undeclared(module);
            let text = match undeclared {
                Some(undeclared) => format!("importing {module} fails: it needs {undeclared}"),
                None => format!("importing {module} fails: {}", message(outcome)),
            };
            let help = undeclared.map_or_else(
                || {
                    format!(
                        "ask for another version, or, if no function imports it, skip this import: \
                         [gate] skip_modules = [\"{module}\"]"
                    )
                },
                |undeclared| undeclared.advice(module),
            );
            Line { severity: Severity::Error, text, help: Some(help) }
        });
        let tolerated = self.imports.tolerated().map(|(module, outcome, tolerance)| {
            let text = format!("importing {module} fails ({tolerance}): {}", message(outcome));
            Line::new(Severity::Warning, text)
        });
        failures.chain(tolerated).collect()
    }
}

impl Line {
    fn new(severity: Severity, text: String) -> Self {
        Self { severity, text, help: None }
    }
}

impl fmt::Display for GateReport {
    /// Writes a few lines: errors, warnings, and the result of the imports.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.summary() {
            writeln!(formatter, "{line}")?;
        }
        write!(formatter, "{}", self.imports)
    }
}

/// The first lines, how many there are beyond, and the first help.
fn shortened(lines: Vec<Line>, most: usize) -> Vec<SummaryLine> {
    let more = lines.len().saturating_sub(most);
    let mut helps: Vec<String> = Vec::new();
    let mut shown = Vec::new();
    for Line { severity, text, help } in lines.into_iter().take(most) {
        shown.push(SummaryLine { severity: Some(severity), text });
        helps.extend(help.filter(|help| !helps.contains(help)));
    }
    if more > 0 {
        shown.push(SummaryLine::plain(format!("and {more} more; --json has all")));
    }
    let help = helps.into_iter().take(1).map(|help| SummaryLine::plain(format!("help: {help}")));
    shown.extend(help);
    shown
}

fn message(outcome: &ModuleOutcome) -> String {
    let message = outcome.to_string();
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}\u{2026}", &message[..end]),
        None => message,
    }
}

fn library_help(distribution: &str, libraries: &BTreeSet<&str>) -> String {
    if let Some((package, variant)) =
        HEADLESS_VARIANTS.iter().find(|(package, _)| *package == distribution)
    {
        return format!("use {variant}, which is {package} without windows");
    }
    let quoted: Vec<String> = libraries.iter().map(|library| format!("{library:?}")).collect();
    let rest = if quoted.len() > NAMED_IN_SETTING { ", \u{2026}" } else { "" };
    let quoted = quoted[..quoted.len().min(NAMED_IN_SETTING)].join(", ");
    let (library, it) =
        if libraries.len() == 1 { ("library", "it") } else { ("libraries", "them") };
    format!(
        "add the {library} in another layer, or, if no function uses {it}, allow that: [gate] \
         allow_missing = [{quoted}{rest}]"
    )
}

/// Returns the distribution of a file, from the name of its wheel.
fn distribution(file: &LayerFile) -> String {
    let name = file.wheel.split('-').next().unwrap_or(&file.wheel);
    name.replace('_', "-")
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// Lists names. If there are more than three, lists two and counts the others.
fn listed(names: &BTreeSet<&str>) -> String {
    let all: Vec<&str> = names.iter().copied().collect();
    match all.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if all.len() <= NAMES + 1 => {
            format!("{} and {last}", first.join(", "))
        }
        _ => format!("{} and {} others", all[..NAMES].join(", "), all.len() - NAMES),
    }
}
