//! What people are told of an error: what happened, to what, and what to do now, in few lines.
//!
//! The whole of it, with all causes, is the error itself: it stands in logs, in reports and in
//! results that are JSON.

use std::error::Error as StdError;

use klayers_core::terminal::lines;
use klayers_core::{LayerName, Target};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::assemble::AssembleError;
use crate::catalog::CatalogError;
use crate::config::ConfigError;
use crate::fetch::FetchError;
use crate::gate::{GateError, Line, Severity};
use crate::resolve::ResolveError;

mod advice;
mod otherwise;
mod resolving;
mod rows;
mod wrap;

pub use advice::Settings;

/// How many causes are shown. Of more, the first and the last are.
const CAUSES: usize = 3;
/// For how many findings of the gate it is told what to do.
const HELPS: usize = 2;
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
    /// Whether all of a message is shown, and not five rows of it.
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
            Error::Assemble(AssembleError::Conflict { path, first, second, .. }) => Self {
                summary: printable(&format!(
                    "{path} is in {first} and, with other content, in {second}"
                )),
                ..Self::default()
            },
            // Its text says what to do, too.
            Error::Catalog(CatalogError::Empty { .. }) => {
                let mut message = Self::of(error);
                let is_help = |detail: &mut String| detail.starts_with("help: ");
                let help = message.details.extract_if(.., is_help);
                message.help = help.map(|help| help["help: ".len()..].to_owned()).collect();
                message
            }
            Error::Resolve(ResolveError::Failed { message, .. }) => {
                resolving::unreachable(message, settings).unwrap_or_else(|| Self::of(error))
            }
            _ => Self::of(error),
        };
        message.help.extend(advice::of(error, settings));
        if message.help.is_empty() {
            message.help.extend(otherwise::advice(error, settings).map(str::to_owned));
        }
        message
    }

    /// What is told of any error: its first line, its further lines and its causes.
    pub fn of(error: &dyn StdError) -> Self {
        let Self { summary, mut details, .. } = Self::told(&error.to_string());
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

    /// A text as a message: its first line, and what follows as details.
    pub fn told(text: &str) -> Self {
        let text = printable(text);
        let mut lines = text.lines().map(|line| line.trim().to_owned());
        let summary = lines.next().unwrap_or_default();
        Self { summary, details: lines.collect(), ..Self::default() }
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
        rows::rendered(headline, self, shape)
    }

    /// The lines that are shown where the message is of one thing among others: a region or a layer
    /// version, which stands before the headline.
    pub fn about(&self, subject: &str, shape: Shape) -> String {
        let mut headline = self.headline();
        // It may be named there.
        if !headline.contains(subject) {
            headline = printable(&format!("{subject}: {headline}"));
        }
        self.below(&headline, shape)
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
