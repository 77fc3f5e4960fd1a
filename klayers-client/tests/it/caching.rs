//! What is cached, when the server is asked again, and when a stale answer is used.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use klayers_client::{Cache, Client, Error};

use crate::fixture::{Server, collection};
use crate::{builder, region, target};

/// A server whose answers the test sets.
struct ScriptedServer {
    server: Server,
    script: Arc<Mutex<Script>>,
}

struct Script {
    headers: String,
    status: u16,
    body: Option<String>,
}

impl ScriptedServer {
    fn new(headers: &str) -> Self {
        let script = Script { headers: headers.to_owned(), status: 200, body: None };
        let script = Arc::new(Mutex::new(script));
        let played = Arc::clone(&script);
        let server = Server::start(move |path, stream| {
            let (headers, status, body) = {
                let script = played.lock().expect("no thread panics");
                let body = script.body.clone().or_else(|| collection(path));
                (script.headers.clone(), script.status, body)
            };
            answer(stream, status, &headers, &body.unwrap_or_else(|| "[]".to_owned()))
        });
        Self { server, script }
    }

    fn set_answer(&self, status: u16, headers: &str, body: Option<&str>) {
        let mut script = self.script.lock().expect("no thread panics");
        *script = Script { headers: headers.to_owned(), status, body: body.map(str::to_owned) };
    }

    fn asked(&self) -> usize {
        self.server.asked().len()
    }

    fn client(&self, cache: Cache) -> Client {
        builder(&self.server).cache(cache).build().expect("a client")
    }
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let body = if status == 304 { "" } else { body };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{headers}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

const FRESH: &str = "Cache-Control: public, max-age=300\r\n";

async fn version(client: &Client) -> Result<u64, Error> {
    Ok(client.latest_arn("requests", &region(), &target()).await?.version())
}

#[tokio::test]
async fn fresh_answers_cost_no_request() {
    for (headers, requests) in [
        (FRESH, 1),
        ("", 10),
        ("Cache-Control: no-store, max-age=300\r\n", 10),
        ("Cache-Control: no-cache\r\n", 10),
        ("Cache-Control: s-maxage=300\r\n", 10),
        ("Cache-Control: max-age=300\r\nAge: 300\r\n", 10),
        ("Cache-Control: max-age=300\r\nVary: *\r\n", 10),
    ] {
        let server = ScriptedServer::new(headers);
        let client = server.client(Cache::memory());
        for _ in 0..10 {
            assert_eq!(version(&client).await.expect("an ARN"), 4);
        }
        assert_eq!(server.asked(), requests, "{headers}");
    }
    let server = ScriptedServer::new("");
    let client = server.client(Cache::memory().assume_fresh(Duration::from_mins(1)));
    for _ in 0..10 {
        assert_eq!(version(&client).await.expect("an ARN"), 4);
    }
    assert_eq!(server.asked(), 1);
    let server = ScriptedServer::new(FRESH);
    let client = server.client(Cache::none());
    for _ in 0..10 {
        assert_eq!(version(&client).await.expect("an ARN"), 4);
    }
    assert_eq!(server.asked(), 10);
}

#[tokio::test]
async fn all_spellings_share_one_cached_answer() {
    let server = ScriptedServer::new(FRESH);
    let client = server.client(Cache::memory());
    for spelling in ["pillow", "PILLOW", "Pillow", "pillow"] {
        let arn = client.latest_arn(spelling, &region(), &target()).await.expect("an ARN");
        assert_eq!(arn.name().as_str(), "Klayers-p313-Pillow");
    }
    let layers = "/api/v2/p3.13/layers";
    assert_eq!(
        server.server.asked(),
        [
            format!("{layers}/us-east-1/pillow"),
            format!("{layers}/latest/us-east-1"),
            format!("{layers}/us-east-1/Pillow"),
        ]
    );
}

/// An unchanged answer is not sent again, and is fresh again.
#[tokio::test]
async fn stale_answer_is_revalidated_with_its_etag() {
    let conditions = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&conditions);
    let server = Server::start_with_head(move |head, stream| {
        let condition = head.iter().find(|line| line.to_lowercase().starts_with("if-none-match"));
        seen.lock().expect("no thread panics").push(condition.cloned());
        let status = if condition.is_some() { 304 } else { 200 };
        let path = head[0].split(' ').nth(1).expect("a path");
        answer(stream, status, "ETag: \"a\"\r\n", &collection(path).expect("a known path"))
    });
    let client = builder(&server).build().expect("a client");
    for _ in 0..3 {
        assert_eq!(version(&client).await.expect("an ARN"), 4);
    }
    let sent = conditions.lock().expect("no thread panics").clone();
    let condition = Some("if-none-match: \"a\"".to_owned());
    assert_eq!(sent, [None, condition.clone(), condition]);
}

#[tokio::test]
async fn invalid_answers_are_not_cached_and_keep_the_last_valid_one() {
    let good = collection("/api/v2/p3.13/layers/us-east-1/requests").expect("a body");
    // A body that is not a list, such as a login page, makes the last valid answer stale. A list of
    // layers that were not requested is an error.
    let bad = [
        ("<!doctype html>".to_owned(), true),
        (good[..good.len() / 2].to_owned(), true),
        ("{}".to_owned(), true),
        (good.replace("us-east-1:", "us-west-2:"), false),
        (good.replace("p313-requests", "p313-numpy"), false),
    ];
    let faults = bad.len();
    let server = ScriptedServer::new("Cache-Control: max-age=0\r\n");
    let folder = tempfile::tempdir().expect("a folder");
    let client = server.client(Cache::memory().folder(folder.path()));
    let mut wrong = 0;
    for (body, stale_is_used) in bad {
        server.set_answer(200, "", None);
        assert_eq!(version(&client).await.expect("an ARN"), 4);
        server.set_answer(200, FRESH, Some(&body));
        let answer = client.answers().latest_arn("requests", &region(), &target()).await;
        let error = match answer {
            Ok(answer) if stale_is_used => {
                assert_eq!(answer.value.version(), 4);
                answer.stale_because.expect("a reason")
            }
            Err(error) if !stale_is_used => error,
            answer => unreachable!("{body}: {answer:?}"),
        };
        assert!(matches!(error, Error::Body { .. }), "{error}");
        // The invalid answer is neither in memory nor on the disk.
        server.set_answer(503, "", None);
        let other = server.client(Cache::memory().folder(folder.path()));
        for client in [&client, &other] {
            let answer = client.answers().latest_arn("requests", &region(), &target()).await;
            let answer = answer.expect("the last valid one");
            assert!(answer.is_stale());
            wrong += usize::from(answer.value.version() != 4);
        }
    }
    println!("bad bodies {faults}, wrong answers {wrong}");
    assert_eq!(wrong, 0);
}

#[tokio::test]
async fn stale_answer_is_used_with_its_age_if_the_server_fails() {
    let server = ScriptedServer::new("Cache-Control: max-age=10\r\nAge: 100\r\n");
    let client = server.client(Cache::memory());
    assert_eq!(version(&client).await.expect("an ARN"), 4);
    server.set_answer(503, "Content-Type: text/plain\r\n", Some("down"));
    let answer = client.answers().latest_arn("requests", &region(), &target()).await;
    let answer = answer.expect("the last valid one");
    assert_eq!(answer.value.version(), 4);
    assert!((100..110).contains(&answer.age.as_secs()), "{:?}", answer.age);
    let reason = answer.stale_because.expect("a reason");
    assert!(matches!(reason, Error::Status { status: 503, .. }), "{reason}");
    // `Client::latest_arn` does not tell the age.
    assert_eq!(version(&client).await.expect("an ARN"), 4);

    // An error that a retry would not fix is returned.
    server.set_answer(403, "", None);
    let error = version(&client).await.expect_err("403");
    assert!(matches!(error, Error::Status { status: 403, .. }), "{error}");
}

#[tokio::test]
async fn stale_answer_on_error_respects_all_limits() {
    for (headers, limit, stale_is_used) in [
        ("Cache-Control: max-age=1\r\nAge: 3000\r\n", 3600, true),
        ("Cache-Control: max-age=1\r\nAge: 4000\r\n", 3600, false),
        ("Cache-Control: max-age=1, stale-if-error=100\r\nAge: 3000\r\n", 3600, false),
        ("Cache-Control: max-age=1, must-revalidate\r\nAge: 10\r\n", 3600, false),
        ("", 0, false),
    ] {
        let server = ScriptedServer::new(headers);
        let client = server.client(Cache::memory().stale_if_error(Duration::from_secs(limit)));
        assert_eq!(version(&client).await.expect("an ARN"), 4);
        server.set_answer(500, "", None);
        assert_eq!(version(&client).await.is_ok(), stale_is_used, "{headers}");
    }
}

#[tokio::test]
async fn stale_while_revalidate_renews_the_answer_in_the_background() {
    let server =
        ScriptedServer::new("Cache-Control: max-age=1, stale-while-revalidate=60\r\nAge: 5\r\n");
    let client = server.client(Cache::memory());
    assert_eq!(version(&client).await.expect("an ARN"), 4);
    let good = collection("/api/v2/p3.13/layers/us-east-1/requests").expect("a body");
    server.set_answer(200, FRESH, Some(&good.replace("requests:4", "requests:5")));
    assert_eq!(version(&client).await.expect("an ARN"), 4);
    for _ in 0..500 {
        if version(&client).await.expect("an ARN") == 5 {
            assert_eq!(server.asked(), 2);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("it was never renewed");
}

#[tokio::test]
async fn offline_client_uses_cached_answers_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = ScriptedServer::new("Cache-Control: max-age=1\r\nAge: 1000000\r\n");
    let online = server.client(Cache::memory().folder(folder.path()));
    assert_eq!(version(&online).await.expect("an ARN"), 4);
    let asked = server.asked();
    let offline = builder(&server.server)
        .cache(Cache::memory().folder(folder.path()))
        .offline(true)
        .build()
        .expect("a client");
    let answer = offline.answers().latest_arn("requests", &region(), &target()).await;
    let answer = answer.expect("the cached answer");
    assert_eq!(answer.value.version(), 4);
    assert!(answer.age.as_secs() >= 1_000_000);
    assert!(matches!(answer.stale_because, Some(Error::Offline { cached: true, .. })));
    let error = offline.latest(&region(), &target()).await.expect_err("nothing cached");
    assert!(matches!(error, Error::Offline { cached: false, .. }), "{error}");
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn simultaneous_callers_share_one_request() {
    for (status, headers) in [(200, FRESH), (200, "Cache-Control: no-store\r\n"), (404, "")] {
        let server = Server::start(move |path, stream| {
            std::thread::sleep(Duration::from_millis(300));
            answer(stream, status, headers, &collection(path).expect("a known path"))
        });
        let client = builder(&server).build().expect("a client");
        let calls = (0..100).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { version(&client).await.is_ok() })
        });
        let calls: Vec<_> = calls.collect();
        for call in calls {
            assert_eq!(call.await.expect("no panic"), status == 200);
        }
        assert_eq!(server.asked().len(), 1, "{status} {headers}");
    }
    println!("callers 100, requests 1");
}

/// The other callers still get the answer if the caller that started the request is cancelled.
#[tokio::test]
async fn cancelled_caller_does_not_cancel_the_others() {
    let server = Server::start(move |path, stream| {
        std::thread::sleep(Duration::from_millis(200));
        answer(stream, 200, FRESH, &collection(path).expect("a known path"))
    });
    let client = builder(&server).build().expect("a client");
    let first = tokio::spawn({
        let client = client.clone();
        async move { version(&client).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = tokio::spawn({
        let client = client.clone();
        async move { version(&client).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    first.abort();
    assert_eq!(second.await.expect("no panic").expect("an ARN"), 4);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn processes_share_a_cache_folder_and_survive_damaged_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = ScriptedServer::new(FRESH);
    let fresh = || server.client(Cache::memory().folder(folder.path()));
    assert_eq!(version(&fresh()).await.expect("an ARN"), 4);
    assert_eq!(version(&fresh()).await.expect("an ARN"), 4);
    assert_eq!(server.asked(), 1);

    let file = fs::read_dir(folder.path()).expect("a folder").next().expect("one").expect("a file");
    let good = fs::read(file.path()).expect("a file");
    let other = String::from_utf8_lossy(&good).replace("us-east-1:", "us-west-2:").into_bytes();
    for bad in [&good[..good.len() - 1], b"", b"\0\0\0", &other] {
        fs::write(file.path(), bad).expect("written");
        let asked = server.asked();
        assert_eq!(version(&fresh()).await.expect("an ARN"), 4);
        assert_eq!(server.asked(), asked + 1, "asked again");
        assert_eq!(version(&fresh()).await.expect("an ARN"), 4);
        assert_eq!(server.asked(), asked + 1, "healed");
    }

    // A folder in place of the file can be neither read nor replaced.
    fs::remove_file(file.path()).expect("removed");
    fs::create_dir(file.path()).expect("a folder");
    assert_eq!(version(&fresh()).await.expect("an ARN"), 4);
    // A file in place of the cache folder.
    let client = server.client(Cache::memory().folder(folder.path().join("file")));
    fs::write(folder.path().join("file"), "").expect("written");
    assert_eq!(version(&client).await.expect("an ARN"), 4);
}

/// Simultaneous writers and readers with separate memory, like processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_partially_written_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = Arc::new(AtomicU64::new(4));
    let server = Server::start({
        let number = Arc::clone(&number);
        move |path, stream| {
            let body = collection(path).expect("a known path");
            let next = number.fetch_add(1, Ordering::SeqCst);
            let body = body.replace("requests:4", &format!("requests:{next}"));
            answer(stream, 200, "", &body)
        }
    });
    let processes: Vec<_> = (0..8)
        .map(|_| {
            let cache = Cache::memory().folder(folder.path());
            let client = builder(&server).cache(cache).build().expect("a client");
            tokio::spawn(async move {
                for _ in 0..25 {
                    assert!(version(&client).await.expect("an ARN") >= 4);
                }
            })
        })
        .collect();
    for process in processes {
        process.await.expect("no panic");
    }
    let left = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 1, "no temporary files");
}

/// A layer that was published a second ago is found, however fresh the earlier answer was.
#[tokio::test]
async fn missing_layer_is_asked_for_again_each_time() {
    let good = collection("/api/v2/p3.13/layers/us-east-1/requests").expect("a body");
    let deprecated = good.replace("\"latest\"", "\"deprecated\"");
    let older = good.replace("2.32.5", "2.32.4");
    for (before, layer) in
        [("[]", "requests"), (&deprecated, "requests"), (&older, "requests==2.32.5")]
    {
        let server = ScriptedServer::new(FRESH);
        let folder = tempfile::tempdir().expect("a folder");
        let client = || server.client(Cache::memory().folder(folder.path()));
        let first = client();
        server.set_answer(200, FRESH, Some(before));
        for client in [&first, &first, &client()] {
            let error = client.layer(layer, &region(), &target()).await.expect_err("none yet");
            assert!(error.is_not_found(), "{error}");
        }
        server.set_answer(200, FRESH, None);
        for client in [&first, &client()] {
            let row = client.layer(layer, &region(), &target()).await.expect("it is published");
            assert_eq!(row.arn.version(), 4, "{layer}");
        }
    }
}

/// The public server only knows the spelling in the list of latest layers, so the list is renewed, too.
#[tokio::test]
async fn name_missing_in_the_cached_list_is_searched_in_a_new_list() {
    let server = ScriptedServer::new(FRESH);
    let client = server.client(Cache::memory());
    server.set_answer(200, FRESH, Some("[]"));
    assert_eq!(client.latest(&region(), &target()).await.expect("a list"), []);
    server.set_answer(200, FRESH, None);
    assert_eq!(client.latest(&region(), &target()).await.expect("a list").len(), 3);
    let arn = client.latest_arn("pillow", &region(), &target()).await.expect("an ARN");
    assert_eq!(arn.version(), 2);
}

/// Each confirmation costs only the head of a response.
#[tokio::test]
async fn missing_layer_is_revalidated_with_its_etag() {
    let conditions = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&conditions);
    let server = Server::start_with_head(move |head, stream| {
        let condition = head.iter().find(|line| line.to_lowercase().starts_with("if-none-match"));
        seen.lock().expect("no thread panics").push(condition.is_some());
        let status = if condition.is_some() { 304 } else { 200 };
        answer(stream, status, "ETag: \"a\"\r\nCache-Control: max-age=300\r\n", "[]")
    });
    let client = builder(&server).build().expect("a client");
    for _ in 0..3 {
        let error = version(&client).await.expect_err("none");
        assert!(matches!(error, Error::UnknownPackage { .. }), "{error}");
    }
    // Three requests for the layer and three for the list of latest layers.
    let sent = conditions.lock().expect("no thread panics").clone();
    assert_eq!(sent, [false, false, true, true, true, true]);
}

/// If the server cannot be reached, an old empty answer does not prove that the layer does not exist.
#[tokio::test]
async fn stale_empty_answer_is_not_used_if_the_server_fails() {
    let server = ScriptedServer::new(FRESH);
    let client = server.client(Cache::memory());
    server.set_answer(200, FRESH, Some("[]"));
    assert!(version(&client).await.expect_err("none").is_not_found());
    server.set_answer(503, "", None);
    let error = version(&client).await.expect_err("503");
    assert!(matches!(error, Error::Status { status: 503, .. }), "{error}");
}
