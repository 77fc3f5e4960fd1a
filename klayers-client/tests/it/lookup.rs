use klayers_client::{DeployStatus, Error, PackageName};

use crate::fixture::{Server, collection, respond};
use crate::{client, region, target};

const REQUESTS: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4";

#[tokio::test]
async fn latest_arn_finds_the_latest_layer_of_a_package() {
    let server = Server::collection();
    let arn = client(&server).latest_arn("requests", &region(), &target()).await.expect("an ARN");
    assert_eq!(arn.to_string(), REQUESTS);
    assert_eq!(server.asked(), ["/api/v2/p3.13/layers/us-east-1/requests"]);
}

#[tokio::test]
async fn packages_are_accepted_as_texts_or_names() {
    let server = Server::collection();
    let client = client(&server);
    let name: PackageName = "requests".parse().expect("a name");
    for arn in [
        client.latest_arn(name, &region(), &target()).await,
        client.latest_arn("requests".to_owned(), &region(), &target()).await,
    ] {
        assert_eq!(arn.expect("an ARN").to_string(), REQUESTS);
    }
    let error = client.latest_arn("a b", &region(), &target()).await;
    assert!(matches!(error, Err(Error::Parse(_))), "{error:?}");
}

/// The public server answers `[]` unless the spelling is the collection's.
#[tokio::test]
async fn all_spellings_of_a_package_are_found() {
    let server = Server::collection();
    let client = client(&server);
    for spelling in ["Pillow", "pillow", "PILLOW"] {
        let arn = client.latest_arn(spelling, &region(), &target()).await;
        assert_eq!(arn.expect("an ARN").name().as_str(), "Klayers-p313-Pillow");
        let rows = client.versions(spelling, &region(), &target()).await;
        assert_eq!(rows.expect("rows").len(), 1);
    }
}

#[tokio::test]
async fn layer_names_of_the_old_scheme_are_accepted() {
    let server = Server::collection();
    let target = "p3.8".parse().expect("a target");
    let arn = client(&server).latest_arn("requests", &region(), &target).await;
    assert_eq!(arn.expect("an ARN").name().as_str(), "Klayers-python38-requests");
}

#[tokio::test]
async fn lists_are_sorted() {
    let server = Server::collection();
    let client = client(&server);
    let latest = client.latest(&region(), &target()).await.expect("rows");
    let packages: Vec<&str> = latest.iter().map(|row| row.package.spelling()).collect();
    assert_eq!(packages, ["numpy", "Pillow", "requests"]);

    let rows = client.versions("requests", &region(), &target()).await.expect("rows");
    let versions: Vec<u64> = rows.iter().map(|row| row.arn.version()).collect();
    assert_eq!(versions, [4, 3, 1]);
    assert_eq!(rows[0].deploy_status, DeployStatus::Latest);
    assert_eq!(rows[0].dependencies[0].to_string(), "idna==3.11");
    assert_eq!(rows[1].expiry_date, "2026-11-01T02:00:00Z".parse().ok());
}

#[tokio::test]
async fn region_without_layers_has_an_empty_list() {
    let server = Server::collection();
    let elsewhere = "eu-west-1".parse().expect("a region");
    let rows = client(&server).latest(&elsewhere, &target()).await;
    assert_eq!(rows.expect("rows"), []);
}

#[tokio::test]
async fn misspelt_package_is_unknown_with_suggestions() {
    let server = Server::collection();
    let client = client(&server);
    for (asked, expected) in [("reqeusts", vec!["requests"]), ("tensorflow", vec![])] {
        let arn = client.latest_arn(asked, &region(), &target()).await;
        let error = arn.expect_err("no such package");
        assert!(error.is_not_found());
        let Error::UnknownPackage { suggestions, .. } = error else { unreachable!("{error}") };
        let names: Vec<&str> = suggestions.iter().map(PackageName::spelling).collect();
        assert_eq!(names, expected);
        let rows = client.versions(asked, &region(), &target()).await;
        assert!(rows.expect_err("no such package").is_not_found());
    }
}

#[tokio::test]
async fn package_is_unknown_even_if_suggestions_fail() {
    let server = Server::start(|path, stream| {
        let status = if path.contains("/latest/") { 500 } else { 200 };
        respond(stream, status, "application/json", "[]")
    });
    let arn = client(&server).latest_arn("reqeusts", &region(), &target()).await;
    let Err(Error::UnknownPackage { suggestions, .. }) = arn else { unreachable!("{arn:?}") };
    assert_eq!(suggestions, []);
}

#[tokio::test]
async fn newest_of_several_latest_versions_is_used() {
    for (from, to, expected) in
        [("deprecated", "latest", Some(4)), ("\"latest\"", "\"deprecated\"", None)]
    {
        let server = Server::start(move |path, stream| {
            let body = collection(path).unwrap_or_else(|| "[]".to_owned());
            respond(stream, 200, "application/json", &body.replace(from, to))
        });
        let arn = client(&server).latest_arn("requests", &region(), &target()).await;
        match (arn, expected) {
            (Ok(arn), Some(version)) => assert_eq!(arn.version(), version),
            (Err(error), None) => {
                assert!(error.is_not_found());
                assert!(matches!(error, Error::NoLatest { versions: 3, .. }), "{error}");
            }
            (arn, _) => unreachable!("{arn:?}"),
        }
    }
}

/// The error gives the reason of the withdrawal.
#[tokio::test]
async fn withdrawn_version_is_named_in_the_error() {
    let server = Server::start(|path, stream| {
        let body = collection(path).unwrap_or_else(|| "[]".to_owned());
        let yanked = "\"deployStatus\":\"deprecated\",\"yanked\":\"it leaks\\nconnections\"";
        let body = body.replace("\"deployStatus\":\"latest\"", yanked);
        respond(stream, 200, "application/json", &body)
    });
    let client = client(&server);
    for (layer, expected) in [
        (
            "requests",
            "none of the 3 layer versions of requests for p3.13 in us-east-1 is the latest: 2.32.5 \
             (layer version 4) is withdrawn: it leaks connections; name another version, as in \
             package==1.2",
        ),
        (
            "requests>2.32.3",
            "no layer version for p3.13 in us-east-1 is requests>2.32.3; 2.32.5 (layer version 4) \
             is withdrawn: it leaks connections; there are 2.32.5, 2.32.3, 2.31.0",
        ),
    ] {
        let error = client.layer(layer, &region(), &target()).await.expect_err(layer);
        assert_eq!(error.to_string(), expected);
    }
    let row = client.layer("requests==2.32.5", &region(), &target()).await.expect("named exactly");
    assert_eq!(row.yanked.as_deref(), Some("it leaks\nconnections"));
}
