//! What people are told of an error: what happened, to what, and what to do now, in few lines.
//!
//! The whole of it, with all causes, is the error itself: it stands in logs, in reports and in
//! results that are JSON.

use klayers_catalog::message::printable;
pub use klayers_catalog::message::{Message, Shape};
use klayers_core::LayerName;
use klayers_layer::LayerError;

use crate::Error;
use crate::config::ConfigError;
use klayers_catalog::CatalogError;
use klayers_layer::assemble::AssembleError;
use klayers_layer::fetch::FetchError;
use klayers_layer::gate::{GateError, Line, Severity};
use klayers_layer::resolve::ResolveError;

mod advice;
mod otherwise;
mod resolving;

pub use advice::Settings;

/// For how many findings of the gate it is told what to do.
const HELPS: usize = 2;

/// What is told of an error. `settings` says where the reader changes settings.
pub fn explain(error: &Error, settings: Settings) -> Message {
    let mut message = match error {
        Error::Layer(LayerError::Resolve(ResolveError::Unsolvable {
            requirements,
            target,
            explanation,
        })) => resolving::unsolvable(&requirements.0, *target, explanation, settings),
        Error::Config(ConfigError::Toml { path, message }) => {
            let mut parts = message.lines().filter(|line| line.contains(char::is_alphanumeric));
            let place = parts.next().unwrap_or_default();
            Message {
                summary: printable(&format!("{}: {place}", path.display())),
                details: parts.map(|line| printable(line.trim())).collect(),
                ..Message::default()
            }
        }
        Error::Layer(LayerError::Refused(refused)) => refused_layer(refused, settings),
        Error::Layer(LayerError::TooLarge(too_large)) => Message {
            summary: too_large.summary(&named(too_large.layer(), settings)),
            details: too_large.details(),
            help: vec![too_large.help()],
            ..Message::default()
        },
        Error::Layer(LayerError::Fetch(FetchError::WrongDigest { file, found })) => Message {
            summary: format!("{} is not what was locked", file.name()),
            details: vec![
                printable(&format!("it came from {}", file.address())),
                format!("SHA-256 {found}, not {}", file.sha256()),
            ],
            ..Message::default()
        },
        Error::Layer(LayerError::Assemble(AssembleError::Conflict {
            path, first, second, ..
        })) => Message {
            summary: printable(&format!(
                "{path} is in {first} and, with other content, in {second}"
            )),
            ..Message::default()
        },
        // Its text says what to do, too.
        Error::Catalog(CatalogError::Empty { .. }) => {
            let mut message = Message::of(error);
            let is_help = |detail: &mut String| detail.starts_with("help: ");
            let help = message.details.extract_if(.., is_help);
            message.help = help.map(|help| help["help: ".len()..].to_owned()).collect();
            message
        }
        Error::Layer(LayerError::Resolve(ResolveError::Failed { message, .. })) => {
            resolving::unreachable(message, settings).unwrap_or_else(|| Message::of(error))
        }
        _ => Message::of(error),
    };
    message.help.extend(advice::of(error, settings));
    if message.help.is_empty() {
        message.help.extend(otherwise::advice(error, settings).map(str::to_owned));
    }
    message
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

#[cfg(test)]
mod tests;
