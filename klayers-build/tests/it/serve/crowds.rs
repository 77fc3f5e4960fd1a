//! Many clients at once. Requests for a document wait neither for requests of unknown packages nor for
//! other documents.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Request;
use klayers_catalog::{Catalog as _, SqliteCatalog};
use klayers_site::serve::Site;
use tempfile::TempDir;

use crate::samples::{at, build, published};

/// A site with this many packages and no cached documents.
async fn site(packages: usize) -> (TempDir, Site) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("klayers.db");
    let catalog = SqliteCatalog::open(&file).unwrap();
    for number in 0..packages {
        let build = build("p3.12", &format!("package-{number}"), "1.0");
        catalog.record_build(&build).await.unwrap();
        let version = published(&build, "eu-west-1", 1);
        catalog.complete(&version, at("2027-11-01T02:00:00Z")).await.unwrap();
    }
    let readers = SqliteCatalog::open_for_many_readers(&file).unwrap();
    (folder, Site::new(Arc::new(readers), 1 << 30))
}

async fn ask(site: &Site, path: &str) -> (u16, Duration) {
    let begun = Instant::now();
    let answer = site.answer(&Request::get(path).body(()).unwrap()).await;
    (answer.status().as_u16(), begun.elapsed())
}

/// The median response time.
async fn median(site: &Site, paths: impl Iterator<Item = String>) -> Duration {
    let mut times = Vec::new();
    for path in paths {
        let (status, time) = ask(site, &path).await;
        assert_eq!(status, 200, "{path}");
        times.push(time);
    }
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_for_unknown_packages_delay_no_other_requests() {
    const CALLERS: usize = 4000;
    const SOON: Duration = Duration::from_millis(50);
    let (_folder, site) = site(60).await;
    let list = "/api/v2/p3.12/layers/latest/eu-west-1";
    ask(&site, list).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let site = site.clone();
            tokio::spawn(async move {
                let mut longest = Duration::ZERO;
                for path in [
                    format!("/packages/no-such-package-{number}"),
                    format!("/api/v2/p3.12/layers/eu-west-1/no-such-package-{number}"),
                    format!("/api/v2/packages/no-such-package-{number}"),
                ] {
                    let (status, time) = ask(&site, &path).await;
                    assert_eq!(status, 200, "{path}");
                    longest = longest.max(time);
                    tokio::task::yield_now().await;
                }
                longest
            })
        })
        .collect();
    let kept = median(&site, (0..20).map(|_| list.to_owned())).await;
    let made =
        median(&site, (0..20).map(|number| format!("/api/v2/packages/package-{number}"))).await;
    let mut answered = 0;
    for caller in callers {
        caller.await.unwrap();
        answered += 1;
    }
    assert_eq!(answered, CALLERS);
    assert!(kept < SOON, "a cached list took {kept:?}");
    assert!(made < SOON, "a document that was not cached took {made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_packages_are_answered_without_the_catalog() {
    let (folder, site) = site(1).await;
    ask(&site, "/api/v2/targets").await;
    // From now on every query of the catalog fails.
    let connection = rusqlite::Connection::open(folder.path().join("klayers.db")).unwrap();
    connection.execute_batch("ALTER TABLE layer_versions RENAME TO elsewhere").unwrap();
    for (path, status) in [
        ("/api/v2/p3.12/layers/eu-west-1/package-0", 503),
        ("/api/v2/p3.12/layers/eu-west-1/nobody", 200),
        ("/api/v2/p3.12/renovate/eu-west-1/nobody", 200),
        ("/api/v2/p3.12/layers/latest/eu-west-1/nobody", 200),
        ("/api/v2/p3.12/layers/latest/us-east-1/csv", 200),
        ("/api/v2/packages/nobody", 200),
        ("/packages/nobody", 200),
        ("/lists/p3.9.md", 200),
    ] {
        assert_eq!(ask(&site, path).await.0, status, "{path}");
    }
}
