//! What people are told of an error: what happened, to what, and what to do now, in few lines.
//!
//! The whole of it, with all causes, is the error itself: it stands in logs, in reports and in
//! results that are JSON.

use std::error::Error as StdError;
use std::fmt::Write as _;

use klayers_core::terminal::lines;
use klayers_core::{LayerName, Target};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::ConfigError;
use crate::fetch::FetchError;
use crate::gate::{GateError, Line, Severity};
use crate::resolve::ResolveError;

mod advice;
mod resolving;
mod wrap;

pub use advice::Settings;

use wrap::wrapped;

/// How many lines of details are shown.
const DETAIL_LINES: usize = 4;
/// The longest headline that is shown, in characters.
const LONGEST: usize = 300;
/// What is said of what is not shown.
const MORE: &str = "(all of it: --verbose)";
/// How many causes are shown. Of more, the first and the last are.
const CAUSES: usize = 3;
/// For how many findings of the gate it is told what to do.
const HELPS: usize = 2;
/// How far details are indented.
const INDENT: usize = 2;
/// How many names of a list are shown.
const NAMED: usize = 4;

/// An error as it is told to people.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// What happened, to what. Where there is a target, it is told behind the summary, and is not in
    /// it: "no wheels of gdal".
    pub summary: String,
    /// The target that the summary is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Why, each part on a line of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

/// How a message is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// How many columns there are, if lines are to be broken.
    pub width: Option<usize>,
    /// Whether all details are shown, and not four lines of them.
    pub whole: bool,
}

impl Message {
    /// What is told of an error. `settings` says where the reader changes settings.
    pub fn new(error: &Error, settings: Settings) -> Self {
        let mut message = match error {
            Error::Resolve(ResolveError::Unsolvable { requirements, target, explanation }) => {
                resolving::unsolvable(&requirements.0, *target, explanation, settings)
            }
            Error::Config(ConfigError::Toml { path, message }) => {
                let mut parts = message.lines().filter(|line| line.contains(char::is_alphanumeric));
                let place = parts.next().unwrap_or_default();
                Self {
                    summary: printable(&format!("{}: {place}", path.display())),
                    details: parts.map(|line| printable(line.trim())).collect(),
                    ..Self::default()
                }
            }
            Error::Refused(refused) => refused_layer(refused, settings),
            Error::TooLarge(too_large) => Self {
                summary: too_large.summary(&named(too_large.layer(), settings)),
                details: too_large.details(),
                help: vec![too_large.help()],
                ..Self::default()
            },
            Error::Fetch(FetchError::WrongDigest { file, found }) => Self {
                summary: format!("{} is not what was locked", file.name()),
                details: vec![
                    printable(&format!("it came from {}", file.address())),
                    format!("SHA-256 {found}, not {}", file.sha256()),
                ],
                ..Self::default()
            },
            Error::Resolve(ResolveError::Failed { message, .. }) => {
                resolving::unreachable(message, settings).unwrap_or_else(|| Self::of(error))
            }
            _ => Self::of(error),
        };
        message.help.extend(advice::of(error, settings));
        message
    }

    /// What is told of any error: its first line, its further lines and its causes.
    pub fn of(error: &dyn StdError) -> Self {
        let text = printable(&error.to_string());
        let mut parts = text.lines().map(str::to_owned);
        let summary = parts.next().unwrap_or_default();
        let mut details: Vec<String> = parts.collect();
        let causes = std::iter::successors(error.source(), |error| (*error).source());
        let mut causes: Vec<String> = causes.map(|cause| printable(&cause.to_string())).collect();
        for cause in &mut causes {
            // The name of a temporary file, which is another one each time.
            if let Some((reason, _)) = cause.split_once(" at path \"") {
                *cause = reason.to_owned();
            }
        }
        // What a cause says again of the one before is said.
        causes.dedup_by(|cause, before| before.contains(&*cause));
        if causes.len() > CAUSES {
            causes.drain(CAUSES - 1..causes.len() - 1);
        }
        for cause in causes {
            // A parser of TOML draws a frame around the line that it shows.
            let mut parts = cause.lines().filter(|line| line.contains(char::is_alphanumeric));
            details.push(format!("caused by: {}", parts.next().unwrap_or_default()));
            details.extend(parts.map(str::to_owned));
        }
        Self { summary, details, ..Self::default() }
    }

    /// What happened, to what, in one line.
    pub fn headline(&self) -> String {
        match self.target {
            Some(target) => {
                let Target { python, architecture } = target;
                format!("{} for Python {python} on {architecture}", self.summary)
            }
            None => self.summary.clone(),
        }
    }

    /// The lines that are shown.
    pub fn to_text(&self, shape: Shape) -> String {
        self.below(&self.headline(), shape)
    }

    /// The lines that are shown below another headline.
    pub(crate) fn below(&self, headline: &str, shape: Shape) -> String {
        let Shape { width, whole } = shape;
        let headline = match headline.char_indices().nth(LONGEST) {
            Some((end, _)) if !whole => format!("{}… {MORE}", &headline[..end]),
            _ => headline.to_owned(),
        };
        let mut text = wrapped(&format!("error: {headline}"), INDENT, width);
        let mut details: Vec<String> = Vec::new();
        for detail in &self.details {
            let indented = format!("{:INDENT$}{detail}", "");
            details.extend(wrapped(&indented, 2 * INDENT, width).lines().map(str::to_owned));
        }
        if !whole && details.len() > DETAIL_LINES {
            details.truncate(DETAIL_LINES - 1);
            details.push(format!("{:INDENT$}… {MORE}", ""));
        }
        for line in &details {
            let _ = write!(text, "\n{line}");
        }
        for help in &self.help {
            // A setting has a line of its own, to be copied.
            for line in format!("help: {help}").lines() {
                let _ = write!(text, "\n{}", wrapped(line, INDENT, width));
            }
        }
        text
    }

    /// Whether another message tells the same, be it of another target.
    pub(crate) fn tells_the_same(&self, other: &Self) -> bool {
        let parts = |message: &Self| {
            (message.summary.clone(), message.details.clone(), message.help.clone())
        };
        self.target.is_some() == other.target.is_some() && parts(self) == parts(other)
    }
}

/// A layer at the beginning of a message. A run leaves out its name, so that the layers of several
/// targets can be told of together.
fn named(layer: &LayerName, settings: Settings) -> String {
    match settings {
        Settings::Arguments => layer.to_string(),
        Settings::File => "the layer".to_owned(),
    }
}

/// The gate refused a layer.
fn refused_layer(refused: &GateError, settings: Settings) -> Message {
    let GateError { layer, report } = refused;
    let layer = named(layer, settings);
    let errors = report.lines().into_iter().filter(|line| line.severity == Severity::Error);
    let mut message =
        Message { summary: format!("{layer} would not work on Lambda"), ..Message::default() };
    for (at, Line { text, help, .. }) in errors.enumerate() {
        message.details.push(printable(&text));
        // What to do about the others is told when these are mended.
        let is_new = at < HELPS && !help.iter().any(|help| message.help.contains(help));
        message.help.extend(help.filter(|_| is_new).map(|help| printable(&help)));
    }
    message
}

/// Some names: "a", "a and b", "a, b and 4 others".
pub(crate) fn listed<T: std::fmt::Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
    match &shown[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if shown.len() <= NAMED => format!("{} and {last}", first.join(", ")),
        [first, second, others @ ..] => format!("{first}, {second} and {} others", others.len()),
    }
}

/// A text of others, without what would steer a terminal.
fn printable(text: &str) -> String {
    lines(text).into_owned()
}

#[cfg(test)]
mod tests;
