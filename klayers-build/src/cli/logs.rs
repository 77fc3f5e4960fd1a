//! Where the events of `tracing` go: to stderr, as text or as JSON.
//!
//! Of the events of other libraries, such as the AWS SDK, only warnings and errors are shown,
//! whatever was asked for: below that they tell of requests, with what is signed in them.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use clap::{ArgAction, Args, ValueEnum};
use klayers_core::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use super::{now, output, progress};

/// The crates whose events are shown as they are asked for.
const OURS: [&str; 3] = ["klayers_build", "klayers_core", "klayers_pipeline"];

/// How much is told of what is going on, and in which form.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(super) struct LogArgs {
    /// How what is going on is told on stderr: as text, or as one JSON object a line.
    #[arg(long, value_name = "FORMAT", global = true, value_enum, default_value_t)]
    log_format: LogFormat,
    /// Tell more; given twice, all.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// How much is told in the place of --verbose: off, error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", global = true, env = "KLAYERS_LOG")]
    log_level: Option<LevelFilter>,
}

/// The form of what is told on stderr.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people: lines, and bars on a terminal.
    #[default]
    Text,
    /// For programs: one object a line.
    Json,
}

impl LogArgs {
    /// Makes it so, for the rest of the process.
    pub(super) fn install(&self) {
        output::set_format(self.log_format, self.verbose > 0);
        let logs = Logs(self.log_format).with_filter(targets(self.level()));
        let bars = progress::Bars.with_filter(targets(LevelFilter::DEBUG));
        let subscriber = tracing_subscriber::registry().with(logs).with(bars);
        // Nothing else has set one.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }

    /// The form of what is told on stderr.
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
        let Fields { message, fields } = Fields::of(event);
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

/// An event as a line of JSON. These names are relied on.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    level: String,
    message: String,
    /// The part of the program; `target` is that of a layer.
    module: &'a str,
    #[serde(flatten)]
    fields: BTreeMap<&'static str, Value>,
}

fn json(line: &Line<'_>) -> String {
    // It has but strings and numbers, under names that are strings.
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
        // What the sentence begins with is not said again.
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

/// What an event says.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) fields: BTreeMap<&'static str, Value>,
}

impl Fields {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => {
                self.fields.insert(name, value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(level: LevelFilter, target: &str, of: Level) -> bool {
        targets(level).would_enable(target, &of)
    }

    #[test]
    fn other_libraries_are_never_told_of_below_warnings() {
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
    fn a_line_of_text_has_the_fields_behind_the_message() {
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
    fn a_line_of_json_begins_with_when_and_how_grave() {
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
