//! Tests that user names and passwords go only to the index that they are for.

use super::*;
use crate::support::command::{Home, uv_is_there};

/// `user:secret` as an HTTP header.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";
/// `us@er:pa:ss word` as an HTTP header.
const BASIC_ODD: &str = "Basic dXNAZXI6cGE6c3Mgd29yZA==";
/// An empty name and `token` as an HTTP header.
const BASIC_TOKEN: &str = "Basic OnRva2Vu";

async fn fetched_with(login: Url, lock: &Lock) -> Result<Vec<FetchedWheel>, FetchError> {
    Fetcher::new(Cache::new().0.path(), Some(login)).unwrap().fetch(lock).await
}

#[tokio::test]
async fn login_of_the_index_url_is_sent_to_its_server() {
    let wheels = [wheel("alpha")];
    for (user, header) in
        [("user:secret", BASIC), ("us%40er:pa%3Ass%20word", BASIC_ODD), (":token", BASIC_TOKEN)]
    {
        let server = WheelServer::behind(header, &wheels).await;
        let lock = lock(&server, &wheels);
        fetched_with(login(&server, user), &lock).await.unwrap();
        assert_eq!(server.asked()[0].login.as_deref(), Some(header));
    }
}

#[tokio::test]
async fn error_about_wrong_login_does_not_show_it() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::behind(BASIC, &wheels).await;
    let lock = lock(&server, &wheels);
    let error = fetched_with(login(&server, "user:hidden"), &lock).await.unwrap_err();
    assert!(error.to_string().contains("the server answered 401; if its index"), "{error}");
    assert!(!format!("{error}").contains("hidden"));
    // The wheel, and then the page of the index, which might list another URL.
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn login_is_not_sent_to_another_server() {
    let wheels = [wheel("alpha")];
    let (index, files) = (WheelServer::of(&wheels).await, WheelServer::of(&wheels).await);
    let lock = lock(&files, &wheels);
    fetched_with(login(&index, "user:secret"), &lock).await.unwrap();
    assert_eq!(files.asked()[0].login, None);
    assert_eq!(index.asked(), []);
}

#[tokio::test]
async fn login_is_not_sent_after_redirection_to_another_server() {
    let wheels = [wheel("alpha")];
    let (index, files) =
        (WheelServer::behind(BASIC, &wheels).await, WheelServer::of(&wheels).await);
    index.next([Answer::Elsewhere(files.url("alpha-1.0-py3-none-any.whl"))]);
    let lock = lock(&index, &wheels);
    fetched_with(login(&index, "user:secret"), &lock).await.unwrap();
    assert_eq!(index.asked()[0].login.as_deref(), Some(BASIC));
    assert_eq!(files.asked()[0].login, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn layer_from_an_index_with_a_login_does_not_contain_it() {
    if !uv_is_there() {
        return;
    }
    let wheels =
        [wheel("alpha"), WheelFile::new("beta", "1.0").requires("alpha").file("beta.py", "x\n")];
    let server = WheelServer::behind(BASIC, &wheels).await;
    let home = Home::new();
    let index = login(&server, "user:secret");
    let arguments =
        ["build", "beta", "--python", "3.12", "--out", "out", "--index-url", index.as_str()];
    let outcome = home.run(&arguments).ended_with(0);
    assert!(!(outcome.stdout + &outcome.stderr).contains("secret"));
    let zip = fs::File::open(home.path("out/Klayers-p312-beta.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(zip).unwrap();
    let lock = archive.by_name("klayers/Klayers-p312-beta/pylock.toml").unwrap();
    let lock = std::io::read_to_string(lock).unwrap();
    let place = format!("url = \"http://{}/files/beta-1.0-py3-none-any.whl\"", server.address);
    assert!(lock.contains(&place), "{lock}");

    let wrong = login(&server, "user:hidden").to_string();
    let outcome = home.run(&[&arguments[..7], &[&wrong]].concat()).ended_with(1);
    assert!(!outcome.stderr.contains("hidden"), "{}", outcome.stderr);
}
