//! The server's metrics, in the format of Prometheus ([OpenMetrics][format]).
//!
//! [format]: https://prometheus.io/docs/specs/om/open_metrics_spec/

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counters and gauges of one server.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    /// One counter for each of [`STATUSES`].
    requests: Vec<(u16, Counter)>,
    pub(super) connections: Gauge,
    pub(super) turned_away: Counter,
    pub(super) documents: Gauge,
    pub(super) document_bytes: Gauge,
    pub(super) rendered: Counter,
    pub(super) catalog_failures: Counter,
}

/// The media type of the metrics.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All statuses that the server sends.
const STATUSES: [u16; 13] = [200, 204, 206, 304, 404, 405, 406, 410, 412, 414, 416, 500, 503];

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("klayers");
        let family = Family::<[(&str, String); 1], Counter>::default();
        registry.register("requests", "Answered requests, by status", family.clone());
        let requests = STATUSES
            .map(|status| (status, family.get_or_create_owned(&[("status", status.to_string())])));
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("connections", "Open connections");
        let documents = gauge("documents", "Cached documents");
        let document_bytes =
            gauge("document_bytes", "Size of the bodies of cached documents, in bytes");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let turned_away = counter("turned_away", "Connections closed because too many were open");
        let rendered = counter("rendered", "Documents read from the catalog");
        let catalog_failures = counter("catalog_failures", "Failed attempts to read the catalog");
        Self {
            requests: requests.into(),
            connections,
            turned_away,
            documents,
            document_bytes,
            rendered,
            catalog_failures,
            registry,
        }
    }

    /// Counts a response.
    pub(super) fn answered(&self, status: u16) {
        if let Some((_, counter)) = self.requests.iter().find(|(known, _)| *known == status) {
            counter.inc();
        }
    }

    /// All metrics as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "could not write the metrics");
        }
        text
    }
}
