//! Error responses.

use klayers_core::api::{LatestRow, Problem};
use reqwest::Method;

use super::Served;

#[tokio::test]
async fn malformed_and_unknown_paths_are_not_found() {
    let served = Served::with_layers().await;
    for path in [
        "/index.html",
        "/openapi.yaml",
        "/assets/",
        "/assets/../Cargo.toml",
        "/lists/p3.12",
        "/packages/a/b",
        "/api/v2",
        "/api/v2/",
        "/api/v2/../v2/targets",
        "/api/v2/./targets",
        "/API/v2/targets",
        "/api/v2/python3.12/layers/latest/eu-west-1",
        "/api/v2/p3.12/layers/latest/eu-west-1/.xml",
        "/api/v2/p3.12/layers/latest/eu-west-1/json/json",
        "/api/v2/p3.12/layers/latest/atlantis",
        "/api/v2/p3.12/layers/eu-west-1/re%20quests",
        "/api/v2/p3.12/layers/eu-west-1/..%2f..%2fetc%2fpasswd",
        "/api/v2/p3.12/layers/eu-west-1/requests%00",
        "/api/v2/p3.12/layers/eu-west-1/%ff%fe",
        "/api/v2/p3.12/layers/eu-west-1/%zz",
        "/api/v2/p3.12/layers/eu-west-1/%3Cscript%3E",
        "/api/v2/p3.12/layers/eu-west-1/requests;x=1",
        "/api/v2/packages/*",
        "/api/v2/packages/",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_problem(&served.raw(request).await, 404, "Not Found");
    }
}

#[tokio::test]
async fn doubled_and_trailing_slashes_are_ignored() {
    let served = Served::with_layers().await;
    for (path, plain) in [
        ("//api/v2/targets", "/api/v2/targets"),
        ("/api/v2//targets", "/api/v2/targets"),
        ("/api/v2/targets//", "/api/v2/targets"),
        (
            "//api/v2/p3.12/layers/latest/eu-west-1/json",
            "/api/v2/p3.12/layers/latest/eu-west-1/json",
        ),
        ("/packages//requests/", "/packages/requests"),
        ("//", "/"),
    ] {
        assert_eq!(served.body(path).await, served.body(plain).await, "{path}");
    }
}

#[tokio::test]
async fn latest_list_of_one_package_has_only_its_row() {
    let served = Served::with_layers().await;
    let list = "/api/v2/p3.12/layers/latest/eu-west-1";
    let all: Vec<LatestRow> = serde_json::from_str(&served.body(list).await).unwrap();
    for name in ["Pillow", "pillow", "requests", "numpy", "JSON"] {
        let path = format!("{list}/{name}");
        let rows: Vec<LatestRow> = serde_json::from_str(&served.body(&path).await).unwrap();
        let expected: Vec<_> =
            all.iter().filter(|row| row.package == name.parse().unwrap()).cloned().collect();
        assert_eq!(rows, expected, "{name}");
    }
}

#[tokio::test]
async fn paths_of_api_v1_are_gone_and_name_their_successors() {
    let served = Served::with_layers().await;
    for (path, successor) in [
        ("/api/v1/layers/latest/us-east-1", "/api/v2/p3.8/layers/latest/us-east-1,"),
        ("//api/v1/layers/us-east-1/requests/", "/api/v2/p3.8/layers/us-east-1/requests,"),
        ("/api/v1/builds/latest", "/api/v2/p3.8/builds/latest,"),
        ("/api/v1/targets", "see /api/v2/{target}/layers/latest/{region}"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = served.raw(request).await;
        assert_problem(&answer, 410, "Gone");
        assert!(answer.contains(successor), "{answer}");
    }
}

#[tokio::test]
async fn odd_requests_get_errors_and_the_server_survives() {
    let served = Served::with_layers().await;
    let long = format!("/api/v2/packages/{}", "a".repeat(8 * 1024));
    let endless = format!("/{}", "a".repeat(100 * 1024));
    for (request, status) in [
        (format!("GET {long} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 414),
        (format!("GET {endless} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 414),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 204),
        ("CONNECT x:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), 404),
        (
            "GET http://x/api/v2/targets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                .to_owned(),
            200,
        ),
        ("GET /api/v2/targets HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET /api/v2/targets\0 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\0".to_owned(), 400),
    ] {
        let answer = served.raw(&request).await;
        let expected = format!("HTTP/1.1 {status}");
        let first = answer.lines().next().unwrap_or_default();
        assert!(
            first.replace("HTTP/1.0", "HTTP/1.1").starts_with(&expected),
            "{first} to {request:.60?}"
        );
    }
    assert!(served.body("/api/v2/targets").await.len() > 2);
}

#[tokio::test]
async fn methods_other_than_get_head_options_are_not_allowed() {
    let served = Served::with_layers().await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
        let method: Method = method.parse().unwrap();
        let url = served.url("/api/v2/p3.12/layers/latest/eu-west-1");
        let request = served.client.request(method.clone(), url).body("x");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS");
        assert_eq!(answer.headers()["content-type"], Problem::CONTENT_TYPE);
        let problem: Problem = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(problem.status, 405);
    }
}

#[tokio::test]
async fn preflight_allows_pages_of_any_origin() {
    let served = Served::with_layers().await;
    let preflight = served
        .client
        .request(Method::OPTIONS, served.url("/api/v2/targets"))
        .header("origin", "https://page.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-requested-with");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
        ("access-control-allow-headers", "*"),
        ("allow", "GET, HEAD, OPTIONS"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn internal_errors_reveal_nothing_to_clients() {
    for (damage, status) in [
        ("UPDATE builds SET version = 'secret'", 500),
        ("ALTER TABLE layer_versions RENAME TO secret", 503),
    ] {
        let served = Served::with_layers().await;
        let file = served.folder.path().join("klayers.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.execute_batch(damage).unwrap();
        let answer = served.get("/api/v2/p3.12/layers/latest/eu-west-1").await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body = answer.text().await.unwrap();
        for inside in ["secret", "layer_versions", "builds", "SQL", "sql", "klayers.db"] {
            assert!(!body.contains(inside), "{body}");
        }
        let problem: Problem = serde_json::from_str(&body).unwrap();
        assert_eq!(problem.status, status);
    }
}

fn assert_problem(answer: &str, status: u16, title: &str) {
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(headers.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(headers.contains("content-type: application/problem+json\r\n"), "{answer}");
    assert!(headers.contains("access-control-allow-origin: *\r\n"), "{answer}");
    let problem: Problem = serde_json::from_str(body).unwrap();
    assert_eq!((problem.status, problem.title.as_str()), (status, title));
    assert_eq!(problem.kind, "about:blank");
    assert!(problem.detail.is_some());
}
