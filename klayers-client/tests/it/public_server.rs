//! Answers as the public server gives them: unsorted rows, old layer names, few fields, builds without
//! a package, and only the first lists of API v2.

use futures::StreamExt;
use klayers_client::{Error, Target};

use crate::fixture::{Server, collection, respond};
use crate::{builder, client, region, target};

const BUILDS: &str = r#"[
{"package":"requests","packageVersion":"2.32.5","dependencies":["idna==3.11","requests==2.32.5"],"createdDateTime":"2025-11-02T02:01:14"},
{"packageVersion":"12.0.0","dependencies":["pillow==12.0.0"],"createdDateTime":"2025-11-02T02:03:40.123456"},
{"package":"numpy","packageVersion":"2.3.4","dependencies":["numpy==2.3.4"],"createdDateTime":"2025-11-02T02:02:51"}
]"#;

/// A server behind Amazon API Gateway, like the public one.
fn gateway() -> Server {
    Server::start(|path, stream| match (path, collection(path)) {
        ("/api/v2/p3.13/builds/latest", _) => respond(stream, 200, "application/json", BUILDS),
        (_, Some(body)) => respond(stream, 200, "application/json", &body),
        (path, None) if path.contains("/layers/") => respond(stream, 200, "application/json", "[]"),
        _ => respond(
            stream,
            403,
            "application/json",
            r#"{"message":"Missing Authentication Token"}"#,
        ),
    })
}

#[tokio::test]
async fn builds_are_sorted_with_unnamed_packages_last() {
    let server = gateway();
    let rows = client(&server).packages(&target()).await.expect("rows");
    let packages: Vec<_> =
        rows.iter().map(|row| row.package.as_ref().map(ToString::to_string)).collect();
    assert_eq!(packages, [Some("numpy".to_owned()), Some("requests".to_owned()), None]);
    assert_eq!(rows[2].created_date_time, "2025-11-02T02:03:40Z".parse().ok());
}

#[tokio::test]
async fn missing_lists_are_reported_as_unsupported() {
    let absent =
        Server::start(|_, stream| respond(stream, 404, "text/html", "<h1>404 Not Found</h1>"));
    for server in [gateway(), absent] {
        let client = client(&server);
        let errors = [
            client.targets().await.map(drop),
            client.regions().await.map(drop),
            client.package("requests").await.map(drop),
        ];
        for error in errors.map(|answer| answer.expect_err("no such list")) {
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(!error.is_transient() && !error.is_not_found());
            assert!(error.to_string().contains("this server does not have"), "{error}");
        }
    }
    // Without the gateway's text, 403 means that access is denied.
    let closed = Server::start(|_, stream| respond(stream, 403, "application/json", "{}"));
    let error = client(&closed).targets().await.expect_err("403");
    assert!(matches!(error, Error::Status { status: 403, .. }), "{error}");
}

#[tokio::test]
async fn lists_of_a_klayers_server_are_read() {
    let server = Server::start(|path, stream| {
        let row = |region: &str, target: &str, name: &str, version: u64| {
            format!(
                r#"{{"package":"Requests","target":"{target}","deployStatus":"latest",
                "arn":"arn:aws:lambda:{region}:770693421928:layer:Klayers-{name}-Requests:{version}",
                "packageVersion":"2.32.5","dependencies":[],"region":"{region}","extra":1}}"#
            )
        };
        let body = match path {
            "/api/v2/targets" => {
                r#"[{"target":"p3.13","pythonVersion":"3.13","architecture":"x86_64"},
                {"target":"p3.12-arm64","pythonVersion":"3.12","architecture":"arm64"}]"#
                    .to_owned()
            }
            "/api/v2/regions" => {
                r#"[{"region":"us-east-1","name":"US East (N. Virginia)","partition":"aws"},
                {"region":"eu-west-1","partition":"aws"}]"#
                    .to_owned()
            }
            "/api/v2/packages/requests" => {
                let rows = [
                    row("us-east-1", "p3.13", "p313", 3),
                    row("eu-west-1", "p3.13", "p313", 2),
                    row("eu-west-1", "p3.12-arm64", "p312-arm64", 9),
                ];
                format!("[{}]", rows.join(","))
            }
            // The layer's name contradicts the target.
            _ => format!("[{}]", row("us-east-1", "p3.13", "p312", 3)),
        };
        respond(stream, 200, "application/json", &body)
    });
    let client = client(&server);
    let targets = client.targets().await.expect("targets");
    assert_eq!(targets.iter().map(Target::to_string).collect::<Vec<_>>(), ["p3.12-arm64", "p3.13"]);
    let regions = client.regions().await.expect("regions");
    let codes: Vec<&str> = regions.iter().map(klayers_client::Region::as_str).collect();
    assert_eq!(codes, ["eu-west-1", "us-east-1"]);
    let rows = client.package("requests").await.expect("rows");
    let versions: Vec<u64> = rows.iter().map(|row| row.version.arn.version()).collect();
    assert_eq!(versions, [9, 2, 3]);
    let error = client.package("numpy").await;
    assert!(matches!(error, Err(Error::Body { .. })), "{error:?}");
}

#[tokio::test]
async fn layer_is_found_by_package_version_or_layer_version() {
    let server = Server::collection();
    let client = client(&server);
    for (spec, number) in
        [("requests", 4), ("Requests==2.32.*", 4), ("requests~=2.31,<2.32.5", 3), ("requests:1", 1)]
    {
        let row = client.layer(spec, &region(), &target()).await.expect(spec);
        assert_eq!(row.arn.version(), number, "{spec}");
    }
    for (spec, end) in [
        ("requests>=3", "is requests>=3; there are 2.32.5, 2.32.3, 2.31.0"),
        ("requests:2", "is requests:2; there are 4, 3, 1"),
    ] {
        let error = client.layer(spec, &region(), &target()).await.expect_err(spec);
        assert!(error.is_not_found());
        assert!(error.to_string().ends_with(end), "{error}");
    }
    let error = client.layer("reqeusts>=2", &region(), &target()).await.expect_err("misspelt");
    assert!(matches!(error, Error::UnknownPackage { .. }), "{error}");
    let error = client.layer("requests;x", &region(), &target()).await;
    assert!(matches!(error, Err(Error::Parse(_))), "{error:?}");
}

#[tokio::test]
async fn failed_region_does_not_affect_the_others() {
    let server = Server::start(|path, stream| match collection(path) {
        Some(body) => respond(stream, 200, "application/json", &body),
        None => respond(stream, 500, "text/plain", ""),
    });
    let client = builder(&server).build().expect("a client");
    let regions = ["us-east-1", "eu-west-1"].map(|code| code.parse().expect("a region"));
    let mut answers: Vec<_> = client.latest_in(regions, &target()).collect().await;
    answers.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(matches!(answers[0].1, Err(Error::Status { status: 500, .. })));
    assert_eq!(answers[1].1.as_ref().expect("rows").len(), 3);
}
