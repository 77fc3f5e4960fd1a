//! Messages for people: what happened, to what, and what to do now, in few lines.

use std::error::Error as StdError;

use klayers_core::Target;
use klayers_core::terminal::lines;
use serde::{Deserialize, Serialize};

mod rows;
mod wrap;

pub use rows::ROWS;

/// Number of causes to show. If there are more, the first and the last are shown.
const CAUSES: usize = 3;
/// Number of names to show of a list.
const NAMED: usize = 4;

/// An error as it is shown to people.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// What happened, to what. A target is not part of the summary, but shown after it: "no wheels
    /// of gdal".
    pub summary: String,
    /// The target that the summary is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The reasons, each on a line of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

/// How a message is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// Number of columns, if lines are to be wrapped.
    pub width: Option<usize>,
    /// Whether to show the whole message instead of five rows.
    pub whole: bool,
}

impl Message {
    /// Creates a message from any error: its first line, its further lines and its causes.
    pub fn of(error: &dyn StdError) -> Self {
        let Self { summary, mut details, .. } = Self::told(&error.to_string());
        let causes = std::iter::successors(error.source(), |error| (*error).source());
        let mut causes: Vec<String> = causes.map(|cause| printable(&cause.to_string())).collect();
        for cause in &mut causes {
            // The name of a temporary file differs each time.
            if let Some((reason, _)) = cause.split_once(" at path \"") {
                *cause = reason.to_owned();
            }
        }
        // Omit a cause that repeats the one before.
        causes.dedup_by(|cause, before| before.contains(&*cause));
        if causes.len() > CAUSES {
            causes.drain(CAUSES - 1..causes.len() - 1);
        }
        for cause in causes {
            // TOML's parser draws a frame around the line that it shows.
            let mut parts = cause.lines().filter(|line| line.contains(char::is_alphanumeric));
            details.push(format!("caused by: {}", parts.next().unwrap_or_default()));
            details.extend(parts.map(str::to_owned));
        }
        Self { summary, details, ..Self::default() }
    }

    /// Creates a message from a text: its first line is the summary, the others are details.
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

    /// The lines to show.
    pub fn to_text(&self, shape: Shape) -> String {
        self.below(&self.headline(), shape)
    }

    /// The lines to show below a different headline.
    pub(crate) fn below(&self, headline: &str, shape: Shape) -> String {
        rows::rendered(headline, self, shape)
    }

    /// The lines to show for one subject among others, such as a region or a layer version, which
    /// precedes the headline.
    pub fn about(&self, subject: &str, shape: Shape) -> String {
        let mut headline = self.headline();
        // The headline may already name the subject.
        if !headline.contains(subject) {
            headline = printable(&format!("{subject}: {headline}"));
        }
        self.below(&headline, shape)
    }

    /// Whether another message says the same, possibly for another target.
    pub(crate) fn tells_the_same(&self, other: &Self) -> bool {
        let parts = |message: &Self| {
            (message.summary.clone(), message.details.clone(), message.help.clone())
        };
        self.target.is_some() == other.target.is_some() && parts(self) == parts(other)
    }
}

/// Formats names: "a", "a and b", "a, b and 4 others".
pub fn listed<T: std::fmt::Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
    match &shown[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if shown.len() <= NAMED => format!("{} and {last}", first.join(", ")),
        [first, second, others @ ..] => format!("{first}, {second} and {} others", others.len()),
    }
}

/// Removes control sequences from a text of others.
pub fn printable(text: &str) -> String {
    lines(text).into_owned()
}
