//! What is printed: results to stdout, everything else to stderr.

use klayers_layer::LayerError;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use klayers_build::message::{Message, Settings, Shape, explain};
use klayers_core::terminal::lines;
use klayers_core::{PackageName, Region, Target};
use klayers_layer::resolve::ResolveError;
use klayers_wheel::Size;
use serde_json::{Value, json};
use tracing::field::display;
use tracing::{error, info, warn};

use super::logs::LogFormat;
use super::progress;

/// Narrower than this nothing can be read, so lines are left as they are.
const NARROWEST: usize = 20;

/// How what is not a result is told; as text until it is said.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Whether failures are told with all details.
static WHOLE: AtomicBool = AtomicBool::new(false);

/// Says, once, how what is not a result is told, and whether failures are told with all details.
pub(super) fn set_format(format: LogFormat, whole: bool) {
    // Nobody does so twice.
    let _ = FORMAT.set(format);
    WHOLE.store(whole, Ordering::Relaxed);
}

/// How messages are shown: as wide as the terminal, or as `COLUMNS` says.
#[expect(clippy::disallowed_methods, reason = "this is the edge where the environment enters")]
pub(super) fn shape() -> Shape {
    let terminal = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let width = terminal.map(|size| usize::from(size.ws_col)).or_else(columns);
    Shape { width: width.filter(|width| *width >= NARROWEST), whole: WHOLE.load(Ordering::Relaxed) }
}

fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// Prints a line of the result. A reader that went away is no error. Texts of packages, servers and
/// operators are in it, so nothing of it is more than a text to a terminal.
pub(super) fn line(text: &str) {
    progress::aside(|| {
        let _ = writeln!(anstream::stdout(), "{}", lines(text));
    });
}

/// Prints a line about what is going on. Where the log is JSON it is an event, of the level that the
/// line begins with.
pub(super) fn note(text: &str) {
    if !is_json() {
        return raw(text);
    }
    match text.split_once(": ") {
        Some(("error", message)) => error!("{message}"),
        Some(("warning", message)) => warn!("{message}"),
        Some(("note", message)) => info!("{message}"),
        _ => info!("{text}"),
    }
}

/// Prints a line to stderr, of which nothing is more than a text to a terminal.
pub(super) fn raw(text: &str) {
    progress::aside(|| {
        let _ = writeln!(anstream::stderr(), "{}", lines(text));
    });
}

/// Prints an error of this process, before or after its work.
pub(super) fn error(error: &dyn Error) {
    if is_json() {
        failed(&Subject::default(), &chain(error));
    } else {
        raw(&Message::of(error).to_text(shape()));
    }
}

/// Prints what failed of one thing among others, and what to do now: of a region, or of a layer
/// version.
pub(super) fn failed_part(subject: &str, error: &klayers_build::Error) {
    if is_json() {
        let (error, subject) = (on_one_line(&chain(error)), display(subject));
        error!(subject, error, "failed");
    } else {
        raw(&explain(error, Settings::File).about(subject, shape()));
    }
}

/// Prints why a command failed, and what to do now. `settings` says where its user changes settings.
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

/// uv's own words, if it found no solution.
fn explanation(error: &klayers_build::Error) -> Option<String> {
    match error {
        klayers_build::Error::Layer(LayerError::Resolve(ResolveError::Unsolvable {
            explanation,
            ..
        })) => Some(explanation.to_string()),
        _ => None,
    }
}

/// The result of a command that failed, as JSON: what people are told, and the whole.
pub(super) fn failure_json(error: &klayers_build::Error, settings: Settings) -> Value {
    let message = explain(error, settings);
    json!({ "error": {
        "message": message.headline(),
        "details": message.details,
        "help": message.help,
        "whole": chain(error),
    } })
}

/// What failed: a layer, a region, or a layer in a region.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject<'a> {
    pub(super) target: Option<Target>,
    pub(super) package: Option<&'a PackageName>,
    pub(super) region: Option<&'a Region>,
}

/// Prints what failed and why.
pub(super) fn failure(subject: &Subject<'_>, error: &dyn Error) {
    failed(subject, &chain(error));
}

/// Prints what failed, and the reason as it was written down.
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

/// A reason with its causes as one line.
fn on_one_line(reason: &str) -> String {
    let reason = reason.replace("\n  caused by: ", ": ");
    // What programs say has lines, and indents them.
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An error and what caused it, a line each.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, "\n  caused by: {error}");
        cause = error.source();
    }
    text
}

/// A number of bytes, for people: 28.1 MB.
pub(super) fn bytes(bytes: u64) -> String {
    Size(bytes).to_string()
}
