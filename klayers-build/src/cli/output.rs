//! What is printed: results to stdout, everything else to stderr.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

use klayers_build::report::Size;
use klayers_core::terminal::lines;
use klayers_core::{PackageName, Region, Target};
use tracing::field::display;
use tracing::{error, info, warn};

use super::logs::LogFormat;
use super::progress;

/// How what is not a result is told; as text until it is said.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Says, once, how what is not a result is told.
pub(super) fn set_format(format: LogFormat) {
    // Nobody does so twice.
    let _ = FORMAT.set(format);
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

/// Prints an error and what caused it.
pub(super) fn error(error: &dyn Error) {
    failure(&Subject::default(), error);
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
        let error = reason.replace("\n  caused by: ", ": ");
        error!(target, package, region, error, "failed");
        return;
    }
    let mut text = String::from("error: ");
    if let (Some(target), Some(package)) = (target, package) {
        let _ = write!(text, "{target} {package}: ");
    }
    if let Some(region) = region {
        let _ = write!(text, "{region}: ");
    }
    raw(&format!("{text}{reason}"));
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
