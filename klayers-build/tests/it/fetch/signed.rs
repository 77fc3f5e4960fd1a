//! Tests indexes with signed links: the signature gives access to a file, and must not be stored
//! anywhere.

use std::path::Path;

use super::*;
use crate::support::command::{Home, environment, uv_is_there};

const SECRET: &str = "hunter2";
const SIGNATURE: &str = "X-Amz-Signature=hunter2&X-Amz-Expires=900";
const PASSWORD: &str = "Basic dXNlcjpodW50ZXIy";

/// An index that asks for a login and signs its links.
async fn server() -> WheelServer {
    let manner = Manner {
        login: Some(PASSWORD.to_owned()),
        signature: Some(SIGNATURE.to_owned()),
        ..Manner::default()
    };
    let alpha = WheelFile::new("alpha", "1.0").requires("beta").file("alpha.py", "a = 1\n");
    WheelServer::with_manner(&[alpha, wheel("beta")], manner).await
}

/// The URL of a page on a server, with a login.
fn with_login(server: &WheelServer, path: &str) -> String {
    format!("http://user:{SECRET}@{}/{path}", server.address)
}

/// The files below a folder that contain the secret, except uv's own cache.
fn leaks(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("caches/uv") {
            found.extend(leaks(&path));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

/// Wraps uv in a script that records its arguments.
fn watch_uv(home: &Home) {
    let folders = environment("PATH").unwrap();
    let uv = std::env::split_paths(&folders).map(|folder| folder.join("uv"));
    let uv = uv.into_iter().find(|uv| uv.is_file()).unwrap();
    let seen = home.path("arguments");
    home.fake_uv(&format!("echo \"$@\" >> {}\nexec {} \"$@\"", seen.display(), uv.display()));
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_from_a_signed_index_contains_no_secret() {
    if !uv_is_there() {
        return;
    }
    let server = server().await;
    let mut home = Home::new();
    // The only file that may contain the secret is the configuration.
    home.collection(&[("p3.12", &["alpha"])], &["us-east-1"]);
    let index = with_login(&server, "simple");
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let config = config.replace("no_index = true", &format!("index_url = \"{index}\""));
    fs::write(home.path("klayers.toml"), config.replace("find_links = [\"wheels\"]\n", ""))
        .unwrap();
    watch_uv(&home);
    home.tell("KLAYERS_LOG", "trace");
    for command in [
        &["plan"][..],
        &["run"],
        &["run", "--force-build", "--log-format", "json"],
        &["report", "--json"],
        &["export", "--out", "static"],
    ] {
        let outcome = home.run(command).ended_with(0);
        assert!(!(outcome.stdout + &outcome.stderr).contains(SECRET), "{command:?}");
    }
    assert_eq!(leaks(&home.path("")), [home.path("klayers.toml")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn layer_from_a_signed_index_is_verified_by_index_and_file_name() {
    if !uv_is_there() {
        return;
    }
    let server = server().await;
    let home = Home::new();
    watch_uv(&home);
    let index = with_login(&server, "simple");
    let build = ["build", "alpha", "--python", "3.12", "--bytecode", "off", "--out", "out"];
    home.run(&[&build[..], &["--index-url", &index]].concat()).ended_with(0);
    assert_eq!(leaks(&home.path("")), Vec::<PathBuf>::new());
    let zip =
        zip::ZipArchive::new(fs::File::open(home.path("out/Klayers-p312-alpha.zip")).unwrap());
    let mut zip = zip.unwrap();
    for index in 0..zip.len() {
        let text = std::io::read_to_string(zip.by_index(index).unwrap()).unwrap_or_default();
        assert!(!text.contains(SECRET));
    }
    let verify = ["verify", "out/Klayers-p312-alpha.zip"];
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let verified = home.run(&[&verify[..], &["--index-url", &index]].concat()).ended_with(0);
    assert!(verified.stdout.starts_with("reproduced "), "{}", verified.stdout);
    // Without the index there is no signature.
    fs::remove_dir_all(home.path("caches/klayers")).unwrap();
    let refused = home.run(&verify).ended_with(1);
    let expected = "the server answered 401; if its index asks for a login or signs its links, name \
                    it with --index-url\n";
    assert!(refused.stderr.ends_with(expected), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn login_of_find_links_pages_is_passed_only_to_uv() {
    if !uv_is_there() {
        return;
    }
    let server = server().await;
    let home = Home::new();
    watch_uv(&home);
    let (alpha, beta) = (with_login(&server, "simple/alpha/"), with_login(&server, "simple/beta/"));
    let build = ["build", "alpha", "--python", "3.12", "--out", "out", "--no-index"];
    let links = ["--find-links", &alpha, "--find-links", &beta];
    home.run(&[&build[..], &links].concat()).ended_with(0);
    assert!(home.path("arguments").exists());
    assert_eq!(leaks(&home.path("")), Vec::<PathBuf>::new());

    // uv's error about a page that it cannot fetch.
    let wrong = with_login(&server, "nowhere?X-Amz-Signature=hunter2");
    let outcome = home.run(&[&build[..], &["--find-links", &wrong]].concat()).ended_with(1);
    assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
}

#[test]
fn find_links_folders_may_have_unusual_names() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    for folder in ["with space", "with,comma", "with%2Ccode"] {
        wheel("alpha").write(&home.path(folder));
        let build = ["build", "alpha", "--python", "3.12", "--out", "out", "--no-index"];
        home.run(&[&build[..], &["--find-links", folder]].concat()).ended_with(0);
        fs::remove_dir_all(home.path(folder)).unwrap();
    }
}

#[test]
fn error_about_malformed_lock_does_not_show_its_secrets() {
    let home = Home::new();
    let url = format!("https://user:{SECRET}@index.example/a.whl?{SIGNATURE}");
    for text in [
        format!("lock-version = \"1.0\"\nurl = \"{url}\" x"),
        format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1.0\"\nwheels = [{{ name = \"a-1.0-py3-none-any.whl\", url = \"ftp{url}\", hashes = {{ sha256 = \"{}\" }} }}]",
            "0".repeat(64)
        ),
    ] {
        home.write("pylock.toml", text);
        let build = ["build", "a", "--python", "3.12", "--out", "out", "--lock", "pylock.toml"];
        for more in [&[][..], &["--verbose"]] {
            let outcome = home.run(&[&build[..], more].concat()).ended_with(2);
            assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
        }
    }
}
