//! Changes of the catalog while the server runs.

use std::time::Duration;

use klayers_catalog::Catalog as _;
use klayers_core::Yank;

use super::{Served, soon};
use crate::samples::{arn, at, build};

/// Requests a path until its body fulfils a condition.
async fn until(served: &Served, path: &str, condition: impl Fn(&str) -> bool) {
    soon(async {
        while !condition(&served.body(path).await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn metric(served: &Served, name: &str) -> u64 {
    let metrics = served.body("/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().unwrap()
}

#[tokio::test]
async fn only_stale_documents_are_rendered_again() {
    let served = Served::with_layers().await;
    let unchanged =
        ["/api/v2/p3.12-arm64/layers/latest/eu-west-1", "/api/v2/p3.12/layers/eu-west-1/pillow"];
    let latest = "/api/v2/p3.12/layers/latest/eu-west-1";
    let versions = "/api/v2/p3.12/layers/eu-west-1/requests";
    for path in unchanged.iter().chain([&latest, &versions]) {
        served.body(path).await;
    }
    let before = metric(&served, "klayers_rendered_total").await;
    served.publish(&build("p3.12", "requests", "3.0"), "eu-west-1", 4).await;
    until(&served, latest, |body| body.contains("\"3.0\"")).await;
    // Both documents were rendered before either was shown.
    assert!(served.body(versions).await.contains("\"3.0\""));
    for path in unchanged {
        served.body(path).await;
    }
    assert_eq!(metric(&served, "klayers_rendered_total").await - before, 2);
}

#[tokio::test]
async fn yanked_version_is_shown_with_its_reason() {
    let served = Served::with_layers().await;
    let path = "/api/v2/p3.12/layers/eu-west-1/requests";
    assert!(!served.body(path).await.contains("yanked"));
    let latest = arn(&build("p3.12", "requests", "2.32.5"), "eu-west-1", 3);
    let yank = Yank { reason: "it leaks".to_owned(), at: at("2026-11-20T10:00:00Z") };
    served.catalog.yank(&latest, &yank, at("2027-11-20T10:00:00Z")).await.unwrap();
    until(&served, path, |body| body.contains("\"yanked\":\"it leaks\"")).await;
}

#[tokio::test]
async fn deleted_version_leaves_every_list() {
    let served = Served::with_layers().await;
    let paths = ["/api/v2/p3.12/layers/eu-west-1/requests", "/api/v2/packages/requests"];
    let older = arn(&build("p3.12", "requests", "2.32.4"), "eu-west-1", 2);
    for path in paths {
        assert!(served.body(path).await.contains(&older.to_string()));
    }
    served.catalog.begin_deletion(&older, at("2027-11-20T10:00:00Z")).await.unwrap();
    for path in paths {
        until(&served, path, |body| !body.contains(&older.to_string())).await;
    }
}

#[tokio::test]
async fn lists_of_unknown_packages_are_not_cached() {
    let served = Served::with_layers().await;
    served.body("/api/v2/targets").await;
    let kept = metric(&served, "klayers_documents").await;
    for number in 0..50 {
        let path = format!("/api/v2/p3.12/layers/eu-west-1/no-such-package-{number}");
        assert_eq!(served.body(&path).await, "[]");
    }
    assert_eq!(metric(&served, "klayers_documents").await, kept);
}

#[tokio::test]
async fn layer_published_after_its_first_request_is_shown() {
    let served = Served::with_layers().await;
    let path = "/api/v2/p3.12/layers/eu-west-1/numpy";
    assert_eq!(served.body(path).await, "[]");
    served.publish(&build("p3.12", "numpy", "2.4"), "eu-west-1", 1).await;
    until(&served, path, |body| body.contains("Klayers-p312-numpy:1")).await;
}
