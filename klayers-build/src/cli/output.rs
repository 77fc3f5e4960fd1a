//! What is printed: results to stdout, everything else to stderr.
//!
//! Nothing here knows of commands, logs or progress bars; they all print through this module.

use klayers_layer::LayerError;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use clap::ValueEnum;
use indicatif::MultiProgress;
use klayers_build::message::{Message, Settings, Shape, explain};
use klayers_core::terminal::lines;
use klayers_core::{PackageName, Region, Target};
use klayers_layer::resolve::ResolveError;
use klayers_wheel::Size;
use serde_json::{Value, json};
use tracing::field::display;
use tracing::{error, info, warn};

/// Narrower terminals are ignored: text in so few columns is unreadable, so lines stay unbroken.
const NARROWEST: usize = 20;

/// How this process writes to stderr. The default until [`set_style`] is called.
static STYLE: OnceLock<Style> = OnceLock::new();

/// The progress bars on stderr, if there are any. Lines are printed above them.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// How messages on stderr look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    pub(super) format: LogFormat,
    /// Whether error messages are shown with all details.
    pub(super) whole: bool,
}

/// The format of stderr.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people: lines of text, and progress bars on a terminal.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Level {
    Error,
    Warning,
    Note,
    /// A line of progress, or a total. Shown without a label.
    Status,
}

/// Sets the style of stderr, once per process.
pub(super) fn set_style(style: Style) {
    // A second call does not happen, and would change nothing.
    let _ = STYLE.set(style);
}

/// Sets the progress bars above which lines are printed.
pub(super) fn set_bars(bars: Option<MultiProgress>) {
    *BARS.lock().unwrap_or_else(PoisonError::into_inner) = bars;
}

fn style() -> Style {
    STYLE.get().copied().unwrap_or_default()
}

fn is_json() -> bool {
    style().format == LogFormat::Json
}

/// The shape of error messages: as wide as the terminal, or else as `COLUMNS` says.
#[expect(clippy::disallowed_methods, reason = "this is the edge where the environment enters")]
pub(super) fn shape() -> Shape {
    let terminal = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let width = terminal.map(|size| usize::from(size.ws_col)).or_else(columns);
    Shape { width: width.filter(|width| *width >= NARROWEST), whole: style().whole }
}

/// Prints a line of the result to stdout. Control characters are replaced, because the line may hold
/// text of packages, servers and operators. A reader that closed the pipe is no error.
pub(super) fn line(text: &str) {
    above_bars(|| {
        let _ = writeln!(anstream::stdout(), "{}", lines(text));
    });
}

/// Prints a message to stderr, or logs it as an event if the log is JSON.
pub(super) fn message(level: Level, text: &str) {
    if is_json() {
        return match level {
            Level::Error => error!("{text}"),
            Level::Warning => warn!("{text}"),
            Level::Note | Level::Status => info!("{text}"),
        };
    }
    raw(&match level {
        Level::Error => format!("error: {text}"),
        Level::Warning => format!("warning: {text}"),
        Level::Note => format!("note: {text}"),
        Level::Status => text.to_owned(),
    });
}

/// Prints lines to stderr as they are, except that control characters are replaced.
pub(super) fn raw(text: &str) {
    above_bars(|| {
        let _ = writeln!(anstream::stderr(), "{}", lines(text));
    });
}

fn above_bars<T>(print: impl FnOnce() -> T) -> T {
    let bars = BARS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bars {
        Some(bars) => bars.suspend(print),
        None => print(),
    }
}

/// Prints an error that occurred before or after the work of a command.
pub(super) fn error(error: &dyn Error) {
    if is_json() {
        failed(&Subject::default(), &chain(error));
    } else {
        raw(&Message::of(error).to_text(shape()));
    }
}

/// Prints why one of several things failed, such as a region or a layer version, and what to do now.
pub(super) fn failed_part(subject: &str, error: &klayers_build::Error) {
    if is_json() {
        let (error, subject) = (on_one_line(&chain(error)), display(subject));
        error!(subject, error, "failed");
    } else {
        raw(&explain(error, Settings::File).about(subject, shape()));
    }
}

/// Prints why a command failed, and what to do now. `settings` says where the user changes settings.
pub(super) fn fatal(error: &klayers_build::Error, settings: Settings) {
    if is_json() {
        return failed(&Subject::default(), &chain(error));
    }
    let shape = shape();
    let message = explain(error, settings);
    raw(&message.to_text(shape));
    if shape.whole
        && let Some(explanation) = explanation(error)
    {
        raw(&format!("uv's explanation:\n{explanation}"));
    }
}

/// uv's own explanation, if uv found no solution.
fn explanation(error: &klayers_build::Error) -> Option<String> {
    match error {
        klayers_build::Error::Layer(LayerError::Resolve(ResolveError::Unsolvable {
            explanation,
            ..
        })) => Some(explanation.to_string()),
        _ => None,
    }
}

/// The JSON result of a command that failed: the message for people, and the whole error chain.
pub(super) fn failure_json(error: &klayers_build::Error, settings: Settings) -> Value {
    let message = explain(error, settings);
    json!({ "error": {
        "message": message.headline(),
        "details": message.details,
        "help": message.help,
        "whole": chain(error),
    } })
}

/// The subject of a failure: a layer, a region, or a layer in a region.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject<'a> {
    pub(super) target: Option<Target>,
    pub(super) package: Option<&'a PackageName>,
    pub(super) region: Option<&'a Region>,
}

/// Prints the subject of a failure and the error.
pub(super) fn failure(subject: &Subject<'_>, error: &dyn Error) {
    failed(subject, &chain(error));
}

/// Prints the subject of a failure and a reason that was recorded as text.
pub(super) fn failed(subject: &Subject<'_>, reason: &str) {
    let Subject { target, package, region } = subject;
    if is_json() {
        let (target, package, region) =
            (target.map(display), package.map(display), region.map(display));
        let error = on_one_line(reason);
        error!(target, package, region, error, "failed");
        return;
    }
    let layer = target.zip(*package).map(|(target, package)| format!("{target} {package}"));
    let region = region.map(ToString::to_string);
    let subject: Vec<String> = layer.into_iter().chain(region).collect();
    let message = Message::told(reason);
    raw(&if subject.is_empty() {
        message.to_text(shape())
    } else {
        message.about(&subject.join(": "), shape())
    });
}

/// A reason and its causes on one line.
fn on_one_line(reason: &str) -> String {
    let reason = reason.replace("\n  caused by: ", ": ");
    // The output of programs has several lines, often indented.
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An error and its causes, one per line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, "\n  caused by: {error}");
        cause = error.source();
    }
    text
}

/// A number of bytes for people, such as 28.1 MB.
pub(super) fn bytes(bytes: u64) -> String {
    Size(bytes).to_string()
}
