//! Writes the events of `tracing` to stderr, as text or as JSON.
//!
//! Of other libraries, such as the AWS SDK, only warnings and errors are shown, at any log level:
//! their other events hold requests, including signatures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{ArgAction, Args};
use klayers_core::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use super::events::EventFields;
use super::output::{LogFormat, Style};
use super::{now, output, progress};

/// The crates to which the log level applies.
const OURS: [&str; 3] = ["klayers_build", "klayers_core", "klayers_pipeline"];

/// The level and the format of logs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(super) struct LogArgs {
    /// Log format on stderr: text, or one JSON object per line.
    #[arg(long, value_name = "FORMAT", global = true, value_enum, default_value_t)]
    log_format: LogFormat,
    /// Show more: -v progress and whole errors, -vv debug messages.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Log level, instead of --verbose: off, error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", global = true, env = "KLAYERS_LOG")]
    log_level: Option<LevelFilter>,
}

impl LogArgs {
    /// Applies the arguments to this process.
    pub(super) fn install(&self) {
        output::set_style(Style { format: self.log_format, whole: self.verbose > 0 });
        let logs = Logs(self.log_format).with_filter(targets(self.level()));
        let bars = progress::Bars.with_filter(targets(LevelFilter::DEBUG));
        let subscriber = tracing_subscriber::registry().with(logs).with(bars);
        // No other subscriber is set before.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }

    /// The format of stderr.
    pub(super) fn format(&self) -> LogFormat {
        self.log_format
    }

    fn level(&self) -> LevelFilter {
        let usual = match self.log_format {
            LogFormat::Text => LevelFilter::WARN,
            LogFormat::Json => LevelFilter::INFO,
        };
        self.log_level.unwrap_or(match self.verbose {
            0 => usual,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        })
    }
}

fn targets(level: LevelFilter) -> Targets {
    let others = level.min(LevelFilter::WARN);
    Targets::new().with_default(others).with_targets(OURS.map(|ours| (ours, level)))
}

/// Writes events to stderr.
struct Logs(LogFormat);

impl<S: Subscriber> Layer<S> for Logs {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let EventFields { message, fields } = EventFields::of(event);
        let metadata = event.metadata();
        let line = match self.0 {
            LogFormat::Text => text(*metadata.level(), &message, &fields),
            LogFormat::Json => json(&Line {
                timestamp: now(),
                level: metadata.level().as_str().to_ascii_lowercase(),
                message,
                module: metadata.target(),
                fields,
            }),
        };
        output::raw(&line);
    }
}

/// An event as a line of JSON. Programs rely on these names.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    level: String,
    message: String,
    /// The module that logs. `target` is taken: it is the target of a layer.
    module: &'a str,
    #[serde(flatten)]
    fields: BTreeMap<&'static str, Value>,
}

fn json(line: &Line<'_>) -> String {
    // Strings, numbers and booleans under names that are strings cannot fail.
    serde_json::to_string(line).unwrap_or_default()
}

fn text(level: Level, message: &str, fields: &BTreeMap<&'static str, Value>) -> String {
    let level = match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    };
    let mut line = format!("{level}: {message}");
    for (name, value) in fields {
        // The message begins with this value already.
        if matches!(value, Value::String(value) if message.starts_with(&format!("{value} "))) {
            continue;
        }
        let _ = match value {
            Value::String(value) => write!(line, " {name}={value}"),
            value => write!(line, " {name}={value}"),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(level: LevelFilter, target: &str, of: Level) -> bool {
        targets(level).would_enable(target, &of)
    }

    #[test]
    fn other_libraries_never_log_below_warnings() {
        for level in [LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE] {
            assert!(shown(level, "klayers_build::pipeline", Level::INFO));
            for library in ["aws_sdk_lambda", "aws_smithy_runtime", "hyper", "reqwest", "rustls"] {
                assert!(shown(level, library, Level::WARN));
                assert!(!shown(level, library, Level::INFO));
                assert!(!shown(level, library, Level::DEBUG));
            }
        }
        assert!(!shown(LevelFilter::ERROR, "aws_sdk_lambda", Level::WARN));
        assert!(!shown(LevelFilter::OFF, "klayers_build", Level::ERROR));
    }

    #[test]
    fn text_line_ends_with_the_fields() {
        let fields = BTreeMap::from([("layers", 3.into()), ("region", "eu-west-1".into())]);
        assert_eq!(
            text(Level::WARN, "region closed", &fields),
            "warning: region closed layers=3 region=eu-west-1"
        );
        let fields = BTreeMap::from([("region", "eu-west-1".into())]);
        assert_eq!(
            text(Level::WARN, "eu-west-1 has not answered for 10 s", &fields),
            "warning: eu-west-1 has not answered for 10 s"
        );
    }

    #[test]
    fn json_line_begins_with_time_and_level() {
        let line = Line {
            timestamp: "2026-11-01T02:00:00Z".parse().unwrap(),
            level: "warn".to_owned(),
            message: "region \"closed\"\n".to_owned(),
            module: "klayers_build::pipeline::lane",
            fields: BTreeMap::from([("region", "eu-west-1".into())]),
        };
        assert_eq!(
            json(&line),
            r#"{"timestamp":"2026-11-01T02:00:00Z","level":"warn","message":"region \"closed\"\n","module":"klayers_build::pipeline::lane","region":"eu-west-1"}"#
        );
    }
}
