//! Bodies and header fields of successful responses.

use reqwest::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};

use klayers_catalog::Catalog as _;
use klayers_core::Yank;
use klayers_site::Document;

use super::Served;
use crate::samples::{arn, at, build};

#[tokio::test]
async fn bodies_match_snapshots_to_the_byte() {
    let served = Served::with_layers().await;
    for (name, path) in [
        ("latest", "/api/v2/p3.12/layers/latest/eu-west-1"),
        ("latest_html", "/api/v2/p3.12/layers/latest/eu-west-1/html"),
        ("versions", "/api/v2/p3.12/layers/eu-west-1/requests"),
        ("builds", "/api/v2/p3.12/builds/latest"),
        ("targets", "/api/v2/targets"),
        ("regions", "/api/v2/regions"),
        ("package", "/api/v2/packages/requests"),
        ("releases", "/api/v2/p3.12/renovate/eu-west-1/requests"),
        ("list", "/lists/p3.12.md"),
        ("feed", "/feed.atom"),
    ] {
        insta::assert_snapshot!(name, served.body(path).await);
    }
    // Not a snapshot, because snapshots do not distinguish line endings.
    assert_eq!(
        served.body("/api/v2/p3.12/layers/latest/eu-west-1/csv").await,
        "Package,Package Version,arn\r\n\
         Pillow,12.0.0,arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-Pillow:41\r\n\
         requests,2.32.5,arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-requests:3\r\n"
    );
}

#[tokio::test]
async fn all_spellings_of_a_path_get_the_same_body() {
    let served = Served::with_layers().await;
    for (path, spellings) in [
        (
            "/api/v2/p3.12/layers/latest/eu-west-1",
            &[
                "/api/v2/p3.12/layers/latest/eu-west-1/",
                "/api/v2/p3.12/layers/latest/eu-west-1/json",
                "/api/v2/p3.12/layers/latest/eu-west-1/json/",
                "/api/v2/p3.12/layers/latest/eu-west-1?format=csv",
                "/api/v2/p3%2E12/l%61yers/latest/eu%2dwest-1",
            ][..],
        ),
        (
            "/api/v2/p3.12/layers/latest/eu-west-1/csv",
            &["/api/v2/p3.12/layers/latest/eu-west-1/csv/"],
        ),
        (
            "/api/v2/p3.12/layers/latest/eu-west-1/html",
            &["/api/v2/p3.12/layers/latest/eu-west-1/html/"],
        ),
        (
            "/api/v2/p3.12/layers/eu-west-1/pillow",
            &[
                "/api/v2/p3.12/layers/eu-west-1/Pillow",
                "/api/v2/p3.12/layers/eu-west-1/PILLOW/",
                "/api/v2/p3.12/layers/eu-west-1/%50illow",
            ],
        ),
        ("/api/v2/p3.12/builds/latest", &["/api/v2/p3.12/builds/latest/"]),
        ("/api/v2/targets", &["/api/v2/targets/"]),
        ("/api/v2/regions", &["/api/v2/regions/"]),
        ("/api/v2/packages/requests", &["/api/v2/packages/Requests", "/api/v2/packages/requests/"]),
    ] {
        let body = served.body(path).await;
        assert!(body.len() > 2, "{path}");
        for spelling in spellings {
            assert_eq!(served.body(spelling).await, body, "{spelling}");
        }
    }
}

#[tokio::test]
async fn each_format_has_its_header_fields() {
    let served = Served::with_layers().await;
    for (format, content_type, disposition) in [
        ("json", "application/json", None),
        (
            "csv",
            "text/csv; charset=utf-8",
            Some("attachment; filename=\"klayers-eu-west-1-p3.12.csv\""),
        ),
        ("html", "text/html; charset=utf-8", None),
    ] {
        let answer = served.get(&format!("/api/v2/p3.12/layers/latest/eu-west-1/{format}")).await;
        let header = |name| {
            let value = answer.headers().get(name);
            value.map(|value| value.to_str().unwrap())
        };
        assert_eq!(header(CONTENT_TYPE), Some(content_type));
        assert_eq!(header(CONTENT_DISPOSITION), disposition);
        assert_eq!(header(ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
        assert_eq!(header(CACHE_CONTROL), Some(Document::CACHE_CONTROL));
        assert_eq!(header(X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        let policy = header(CONTENT_SECURITY_POLICY);
        assert_eq!(
            policy.is_some_and(|policy| policy.starts_with("default-src 'none';")),
            format == "html"
        );
    }
}

#[tokio::test]
async fn unknown_packages_targets_and_regions_get_empty_lists() {
    for served in [Served::empty().await, Served::with_layers().await] {
        for path in [
            "/api/v2/p3.14/layers/latest/eu-west-1",
            "/api/v2/p3.12/layers/latest/ap-southeast-42",
            "/api/v2/p3.12/layers/eu-west-1/no-such-package",
            "/api/v2/p3.14/layers/eu-west-1/requests",
            "/api/v2/p3.12/layers/ap-southeast-42/requests",
            "/api/v2/p3.14/builds/latest",
            "/api/v2/packages/no-such-package",
        ] {
            assert_eq!(served.body(path).await, "[]", "{path}");
        }
        let csv = served.body("/api/v2/p3.14/layers/latest/eu-west-1/csv").await;
        assert_eq!(csv, "Package,Package Version,arn\r\n");
        let html = served.body("/api/v2/p3.14/layers/latest/eu-west-1/html").await;
        assert!(html.contains("<tbody>\n</tbody>"), "{html}");
    }
    let empty = Served::empty().await;
    for path in ["/api/v2/targets", "/api/v2/regions"] {
        assert_eq!(empty.body(path).await, "[]");
    }
}

#[tokio::test]
async fn head_has_the_fields_of_get_without_the_body() {
    let served = Served::with_layers().await;
    let mut paths = vec!["/nowhere".to_owned(), "/api/v2/targets".to_owned()];
    for format in ["json", "csv", "html"] {
        paths.push(format!("/api/v2/p3.12/layers/latest/eu-west-1/{format}"));
    }
    for path in paths {
        let ask = |method| {
            served.raw(format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        };
        let (get, head) = (ask("GET").await, ask("HEAD").await);
        let (get_headers, body) = get.split_once("\r\n\r\n").unwrap();
        let (head_headers, nothing) = head.split_once("\r\n\r\n").unwrap();
        assert_eq!(nothing, "", "{path}");
        let undated = |headers: &str| -> Vec<String> {
            let lines = headers.lines().map(str::to_owned);
            lines.filter(|line| !line.starts_with("date: ")).collect()
        };
        assert_eq!(undated(get_headers), undated(head_headers), "{path}");
        let length = format!("content-length: {}", body.len());
        assert!(get_headers.lines().any(|line| line == length), "{get_headers}");
        assert_eq!(get_headers.matches("content-length").count(), 1);
    }
}

#[tokio::test]
async fn markup_and_formulas_in_licences_stay_data() {
    let served = Served::with_layers().await;
    let latest = "/api/v2/p3.12/layers/latest/eu-west-1";
    let rows: serde_json::Value = serde_json::from_str(&served.body(latest).await).unwrap();
    let license = rows[0]["license"].as_str().unwrap();
    assert!(license.starts_with("=cmd") && license.ends_with("</script>\r\n\u{202e}"));
    for format in ["csv", "html"] {
        let body = served.body(&format!("{latest}/{format}")).await;
        assert!(!body.contains("script") && !body.contains("cmd"), "{body}");
    }
}

#[tokio::test]
async fn yanked_version_shows_its_reason_and_is_no_longer_latest() {
    let served = Served::with_layers().await;
    let arn = arn(&build("p3.12", "requests", "2.32.5"), "eu-west-1", 3);
    let yank = Yank { reason: "it <b>leaks</b>".to_owned(), at: at("2026-11-20T10:00:00Z") };
    served.catalog.yank(&arn, &yank, at("2027-11-20T10:00:00Z")).await.unwrap();
    let read = |body: String| serde_json::from_str::<Vec<serde_json::Value>>(&body).unwrap();
    let rows = read(served.body("/api/v2/p3.12/layers/eu-west-1/requests").await);
    let shown: Vec<_> =
        rows.iter().map(|row| (&row["packageVersion"], &row["deployStatus"])).collect();
    assert_eq!(rows.len(), 2);
    // The latest comes last, although its number is lower.
    assert_eq!(shown[0], (&"2.32.5".into(), &"deprecated".into()));
    assert_eq!(shown[1], (&"2.32.4".into(), &"latest".into()));
    assert_eq!(rows[0]["yanked"], "it <b>leaks</b>");
    assert_eq!(rows[0]["expiryDate"], "2027-11-20T10:00:00");
    assert_eq!((rows[1].get("yanked"), rows[1].get("expiryDate")), (None, None));
    let latest = read(served.body("/api/v2/p3.12/layers/latest/eu-west-1").await);
    assert_eq!(latest[1]["packageVersion"], "2.32.4");
    let everywhere = read(served.body("/api/v2/packages/requests").await);
    let yanked: Vec<_> = everywhere.iter().filter(|row| row.get("yanked").is_some()).collect();
    assert_eq!(yanked.len(), 1);
    assert_eq!(yanked[0]["arn"], arn.to_string());
}
