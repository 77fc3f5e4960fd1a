//! Progress bars on a terminal: how much of a run is done, and what happens now.
//!
//! The bars follow the library's log events, so the library does not know of them.

use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use klayers_build::pipeline::LayerOutcome;
use serde_json::Value;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::events::EventFields;
use super::output::{self, LogFormat};

/// The bars that this process shows now.
static SHOWN: Mutex<Option<Shown>> = Mutex::new(None);

const TEMPLATE: &str = "{prefix:9} [{bar:24}] {pos}/{len} {elapsed}  {wide_msg}";
/// How often the elapsed time is redrawn.
const TICK: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
struct Shown {
    all: MultiProgress,
    layers: ProgressBar,
    regions: ProgressBar,
    closed: Vec<String>,
}

/// Shows bars until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
}

impl Progress {
    /// Shows the progress of a run of `layers` layers. Shows nothing if stderr is not a terminal, or
    /// is JSON.
    pub(super) fn begin(layers: usize, format: LogFormat) -> Self {
        let is_shown = format == LogFormat::Text && std::io::stderr().is_terminal();
        if is_shown {
            let shown = Shown::new(layers, ProgressDrawTarget::stderr());
            shown.layers.enable_steady_tick(TICK);
            output::set_bars(Some(shown.all.clone()));
            *lock() = Some(shown);
        }
        Self { is_shown }
    }

    /// Counts a layer that is done or failed.
    pub(super) fn add(&self, outcome: &LayerOutcome) {
        let failed = outcome.result.as_ref().map_or(0, |done| {
            done.published.values().filter(|published| published.is_err()).count()
        });
        if self.is_shown
            && let Some(shown) = &*lock()
        {
            shown.layers.inc(1);
            shown.regions.inc(failed as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = lock().take() {
            output::set_bars(None);
            shown.layers.finish_and_clear();
            shown.regions.finish_and_clear();
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Shown>> {
    // The bars stay usable after a panic.
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shown {
    fn new(layers: usize, target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let bar = |name: &'static str, length: u64| {
            let style = ProgressStyle::with_template(TEMPLATE)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let style = style.progress_chars("=> ");
            all.add(ProgressBar::new(length).with_style(style).with_prefix(name))
        };
        let (layers, regions) = (bar("layers", layers as u64), bar("published", 0));
        Self { all, layers, regions, closed: Vec::new() }
    }

    /// Updates the bars after an event of the library.
    fn follow(&mut self, event: &EventFields) {
        let text = |name| event.fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let layer = format!("{} {}", text("target"), text("package"));
        match event.message.as_str() {
            "resolving" | "building" => {
                self.layers.set_message(format!("{layer}: {}", event.message));
            }
            "listed" => {
                let layers = event.fields.get("layers").and_then(Value::as_u64);
                self.layers.inc_length(layers.unwrap_or_default());
            }
            "adopted" => {
                self.layers.inc(1);
                self.layers.set_message(layer);
            }
            "planned" => {
                let regions = event.fields.get("regions").and_then(Value::as_u64);
                self.regions.inc_length(regions.unwrap_or_default());
            }
            "published" => {
                self.regions.inc(1);
                self.show_region(&format!("{}: {layer}", text("region")));
            }
            "region closed" => {
                self.closed.push(text("region").to_owned());
                self.show_region("");
            }
            _ => {}
        }
    }

    fn show_region(&self, now: &str) {
        self.regions.set_message(match &self.closed[..] {
            [] => now.to_owned(),
            closed => format!("{now} (closed: {})", closed.join(", ")).trim_start().to_owned(),
        });
    }
}

/// Passes log events to the bars.
pub(super) struct Bars;

impl<S: Subscriber> Layer<S> for Bars {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(shown) = &mut *lock() {
            shown.follow(&EventFields::of(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str, fields: &[(&'static str, Value)]) -> EventFields {
        EventFields { message: message.to_owned(), fields: fields.iter().cloned().collect() }
    }

    #[test]
    fn bars_follow_events() {
        let mut shown = Shown::new(3, ProgressDrawTarget::hidden());
        let layer: [(&'static str, Value); 2] =
            [("target", "p3.12".into()), ("package", "a".into())];
        shown.follow(&event("resolving", &layer));
        assert_eq!(shown.layers.message(), "p3.12 a: resolving");
        shown.follow(&event("planned", &[("regions", 2.into())]));
        assert_eq!((shown.regions.position(), shown.regions.length()), (0, Some(2)));
        shown.follow(&event("building", &layer));
        assert_eq!(shown.layers.message(), "p3.12 a: building");
        shown.follow(&event("region closed", &[("region", "eu-west-2".into())]));
        assert_eq!(shown.regions.message(), "(closed: eu-west-2)");
        let published = [&layer[..], &[("region", "eu-west-1".into())]].concat();
        shown.follow(&event("published", &published));
        assert_eq!(shown.regions.position(), 1);
        assert_eq!(shown.regions.message(), "eu-west-1: p3.12 a (closed: eu-west-2)");
        shown.follow(&event("something else", &layer));
        assert_eq!((shown.layers.position(), shown.layers.length()), (0, Some(3)));
    }
}
