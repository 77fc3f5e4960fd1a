//! User names and passwords go to the index that they are for, and nowhere else.

use super::*;
use crate::support::command::{Home, uv_is_there};

/// `user:secret`, as HTTP has it.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";
/// `us@er:pa:ss word`, as HTTP has it.
const BASIC_ODD: &str = "Basic dXNAZXI6cGE6c3Mgd29yZA==";
/// An empty name and `token`.
const BASIC_TOKEN: &str = "Basic OnRva2Vu";

async fn fetched_with(login: Url, lock: &Lock) -> Result<Vec<FetchedWheel>, FetchError> {
    Fetcher::new(Cache::new().0.path(), Some(login)).unwrap().fetch(lock).await
}

#[tokio::test]
async fn the_login_of_the_index_url_opens_its_server() {
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
async fn a_wrong_login_is_an_error_that_does_not_tell_it() {
    let wheels = [wheel("alpha")];
    let server = WheelServer::behind(BASIC, &wheels).await;
    let lock = lock(&server, &wheels);
    let error = fetched_with(login(&server, "user:hidden"), &lock).await.unwrap_err();
    assert!(error.to_string().contains("the server answered 401; if its index"), "{error}");
    assert!(!format!("{error}").contains("hidden"));
    // The wheel, and then the page of the index that could tell another place.
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn another_server_is_told_no_login() {
    let wheels = [wheel("alpha")];
    let (index, files) = (WheelServer::of(&wheels).await, WheelServer::of(&wheels).await);
    let lock = lock(&files, &wheels);
    fetched_with(login(&index, "user:secret"), &lock).await.unwrap();
    assert_eq!(files.asked()[0].login, None);
    assert_eq!(index.asked(), []);
}

#[tokio::test]
async fn a_redirection_to_another_server_takes_no_login_along() {
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
async fn a_layer_from_an_index_with_a_login_does_not_tell_it() {
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
