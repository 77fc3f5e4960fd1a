//! Pages for people, and endpoints for operators.

use klayers_site::page::{ASSETS, CATALOGUE, CONTENT_SECURITY_POLICY, PACKAGE};

use super::Served;

#[tokio::test]
async fn pages_and_assets_are_served_at_their_paths() {
    let served = Served::with_layers().await;
    for (path, body) in [("/", CATALOGUE), ("/packages/Pillow", PACKAGE), ("/packages/no", PACKAGE)]
    {
        let answer = served.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(answer.headers()["content-security-policy"], CONTENT_SECURITY_POLICY);
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.text().await.unwrap(), body);
    }
    for asset in ASSETS {
        let answer = served.get(asset.path).await;
        assert_eq!(answer.headers()["content-type"], asset.content_type);
        assert_eq!(answer.text().await.unwrap(), asset.body);
    }
}

#[tokio::test]
async fn health_and_metrics_are_served() {
    let served = Served::with_layers().await;
    let healthy = served.get("/healthz").await;
    assert_eq!(healthy.status(), 200);
    assert_eq!(healthy.headers()["cache-control"], "no-store");
    served.get("/nowhere").await;
    served.body("/api/v2/targets").await;
    let answer = served.get("/metrics").await;
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    let metrics = answer.text().await.unwrap();
    for line in [
        "klayers_requests_total{status=\"404\"} 1",
        "klayers_requests_total{status=\"200\"} 2",
        "klayers_catalog_failures_total 0",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
    let open = metrics.lines().find_map(|line| line.strip_prefix("klayers_connections "));
    assert!(open.unwrap().parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn unreadable_catalog_fails_the_health_check_and_cached_documents_stay_available() {
    let served = Served::with_layers().await;
    let path = "/api/v2/p3.12/layers/latest/eu-west-1";
    let before = served.body(path).await;
    let file = served.folder.path().join("klayers.db");
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute_batch("ALTER TABLE changes RENAME COLUMN number TO secret").unwrap();
    super::soon(async {
        while served.get("/healthz").await.status() != 503 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(served.body(path).await, before);
    let other = served.get("/api/v2/p3.12-arm64/layers/latest/eu-west-1").await;
    assert_eq!(other.status(), 503);
    assert_eq!(other.headers()["retry-after"], "10");
    assert!(!other.text().await.unwrap().contains("secret"));
    connection.execute_batch("ALTER TABLE changes RENAME COLUMN secret TO number").unwrap();
    super::soon(async {
        while served.get("/healthz").await.status() != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn openapi_description_lists_every_path_and_each_path_answers() {
    let served = Served::with_layers().await;
    let description: serde_json::Value =
        serde_json::from_str(&served.body("/openapi.json").await).unwrap();
    assert_eq!(description["openapi"], "3.1.1");
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 11);
    for (path, operations) in paths {
        let path = path
            .replace("{target}", "p3.12")
            .replace("{region}", "eu-west-1")
            .replace("{package}", "Pillow");
        let answer = served.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let content = operations["get"]["responses"]["200"]["content"].as_object().unwrap();
        let media_type = answer.headers()["content-type"].to_str().unwrap();
        let bare = media_type.split(';').next().unwrap();
        assert!(content.contains_key(bare), "{path}: {media_type}");
        assert!(answer.text().await.unwrap().len() > 2, "{path}");
    }
}
