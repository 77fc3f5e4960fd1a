//! The example configuration of nginx, with a real nginx.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use klayers_core::api::Problem;
use klayers_site::serve::Site;

use super::{Collection, path};
use crate::support::command::cannot_run;

struct Nginx {
    process: Child,
    port: u16,
}

impl Nginx {
    /// Starts nginx for a folder. Reports the test as skipped if nginx is not installed.
    async fn start(work: &Path, root: &Path) -> Option<Self> {
        let found = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| {
            let tried = Command::new(program).arg("-v").stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        });
        let Some(program) = found else {
            cannot_run("nginx is not installed");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/nginx/klayers.conf");
        let site = fs::read_to_string(example)
            .unwrap()
            .replace("127.0.0.1:8081", &format!("127.0.0.1:{port}"))
            .replace("/srv/klayers/current", root.to_str().unwrap());
        let work = work.to_str().unwrap();
        let all = format!(
            "daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/error.log;\n\
             events {{ }}\nhttp {{ access_log off;\nclient_body_temp_path {work}/body;\n\
             proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;\n\
             uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;\n{site}\n}}\n"
        );
        let file = format!("{work}/nginx.conf");
        fs::write(&file, all).unwrap();
        let process = Command::new(program)
            .args(["-c", &file, "-p", work, "-e", &format!("{work}/error.log")])
            .spawn()
            .unwrap();
        let mut nginx = Self { process, port };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(nginx);
            }
            assert_eq!(nginx.process.try_wait().unwrap(), None, "nginx ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nginx does not listen");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn nginx_gives_the_same_responses_as_the_server() {
    let collection = Collection::new().await;
    collection.export().await;
    let work = tempfile::tempdir().unwrap();
    let Some(nginx) = Nginx::start(work.path(), &collection.shown()).await else { return };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let site = Site::new(Arc::clone(&collection.catalog) as _, 1 << 30);
    let mut paths: Vec<String> =
        collection.manifest().await.objects.keys().map(|name| path(name)).collect();
    assert!(paths.len() > 50);
    paths.extend(
        [
            // Other spellings, and unknown packages.
            "/api/v2/p3.12/layers/latest/eu-west-1",
            "/api/v2/p3.12/layers/latest/eu-west-1/",
            "/api/v2/p3.12/layers/latest/eu-west-1/csv/",
            "/api/v2/targets/",
            "/api/v2/p3.12/layers/eu-west-1/Zope.Interface/",
            "/api/v2/p3.14/layers/latest/eu-west-1",
            "/api/v2/p3.12/layers/latest/ap-southeast-4/json",
            "/api/v2/p3.12/layers/eu-west-1/no-such-package",
            "/api/v2/p3.14/builds/latest",
            "/api/v2/packages/no-such-package",
            "/api/v2/p3.12/layers/latest/eu-west-1/no-such-package",
            "/api/v2/p3.12/layers/latest/eu-west-1/Zope.Interface",
            "/api/v2/p3.12/layers/latest/eusc-de-east-1",
            // Superfluous slashes.
            "//api/v2/p3.12/layers/latest/eu-west-1/json",
            "/api/v2//targets",
            "/api/v2/targets//",
            "/packages//requests/",
            "//",
            // Paths of API v1.
            "/api/v1",
            "/api/v1/targets",
            "/api/v1/layers/latest/eu-west-1",
            "//api/v1/layers/latest/eu-west-1/Zope.Interface/",
            "/api/v1/layers/eu-west-1/requests",
            "/api/v1/builds/latest",
            // Malformed paths.
            "/nowhere",
            "/api/v2/",
            "/api/v2/p3.12/layers/latest/eu-west-1/.xml",
            "/api/v2/p3.12/layers/latest/atlantis",
            "/api/v2/python3.12/layers/latest/eu-west-1",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        let url = format!("http://127.0.0.1:{}{path}", nginx.port);
        let theirs = client.get(url).send().await.unwrap();
        let ours = site.answer(&Request::get(&path).body(()).unwrap()).await;
        assert_eq!(theirs.status(), ours.status(), "{path}");
        for field in [
            "content-type",
            "cache-control",
            "access-control-allow-origin",
            "x-content-type-options",
            "content-disposition",
            "content-security-policy",
            "referrer-policy",
        ] {
            assert_eq!(theirs.headers().get(field), ours.headers().get(field), "{path}: {field}");
        }
        let body = axum::body::to_bytes(ours.into_body(), usize::MAX).await.unwrap();
        if theirs.status() == 200 {
            assert_eq!(theirs.bytes().await.unwrap(), body, "{path}");
        } else if theirs.status() == 410 {
            let ours: Problem = serde_json::from_slice(&body).unwrap();
            let theirs: Problem = serde_json::from_slice(&theirs.bytes().await.unwrap()).unwrap();
            assert_eq!(theirs, ours, "{path}");
        }
    }
}

#[tokio::test]
async fn nginx_sends_the_precompressed_file() {
    let collection = Collection::new().await;
    collection.export().await;
    let work = tempfile::tempdir().unwrap();
    let Some(nginx) = Nginx::start(work.path(), &collection.shown()).await else { return };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{}/api/v2/p3.12/layers/latest/eu-west-1", nginx.port);
    let answer = client.get(&url).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let name = "api/v2/p3.12/layers/latest/eu-west-1/json.gz";
    let kept = fs::read(collection.shown().join(name)).unwrap();
    let tag = answer.headers()["etag"].clone();
    assert_eq!(answer.bytes().await.unwrap(), kept);
    let again = client.get(&url).header("accept-encoding", "gzip").header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
}
