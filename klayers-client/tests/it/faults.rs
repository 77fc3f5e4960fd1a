//! What the client must survive; each of these is a line of the list of faults.

use std::error::Error as _;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use klayers_client::{Client, Error, TransportFailure};

use crate::fixture::{Server, collection, respond};
use crate::{builder, client, region, target};

const LIST: &str = "/api/v2/p3.13/layers/us-east-1/requests";

async fn fail(client: Client) -> Error {
    client
        .latest_arn("requests", &region(), &target())
        .await
        .expect_err("a bad answer gives no ARN")
}

/// A server that answers everything with this.
fn answering(status: u16, content_type: &'static str, body: impl Into<String>) -> Server {
    let body = body.into();
    Server::start(move |_, stream| respond(stream, status, content_type, &body))
}

fn begin(stream: &mut TcpStream, length: usize) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n[")
}

/// Says nothing until the client has gone.
fn be_silent(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

#[tokio::test]
async fn a_page_with_status_200_is_no_answer() {
    let server = answering(200, "text/html", "<!doctype html><title>Log in</title>");
    let error = fail(client(&server)).await;
    assert_eq!(
        error.to_string(),
        format!(
            "the answer of {}{LIST} cannot be used: it is not the list of layers expected \
             (content type text/html, a web page as of a network that asks for a login); check that this is the API of a collection",
            server.url()
        )
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn json_that_is_cut_or_of_another_shape_is_no_answer() {
    let good = collection(LIST).expect("a body");
    for body in [
        good[..good.len() - 1].to_owned(),
        good[..good.len() / 2].to_owned(),
        "{}".to_owned(),
        r#"{"message": "Internal server error"}"#.to_owned(),
        "null".to_owned(),
        String::new(),
    ] {
        let error = fail(client(&answering(200, "application/json", body))).await;
        assert!(matches!(error, Error::Body { .. }), "{error}");
    }
}

#[tokio::test]
async fn arns_of_something_else_are_no_answer() {
    for (from, to) in [
        ("us-east-1:", "us-east-2:"),
        ("p313-requests:1", "p313-requests-oauthlib:1"),
        ("p313-requests:4", "p313-numpy:4"),
        ("p313-", "p312-"),
        ("p313-", "p313-arm64-"),
        ("arn:aws:", "arn:aws-cn:"),
        ("arn:aws:lambda", "arn:aws:s3"),
        ("770693421928", "77069342192"),
        (":4\"", ":0\""),
        (":4\"", "\""),
    ] {
        let good = collection(LIST).expect("a body");
        let bad = good.replace(from, to);
        assert_ne!(good, bad);
        let error = fail(client(&answering(200, "application/json", bad))).await;
        assert!(matches!(error, Error::Body { .. }), "{from} {to}: {error}");
        assert!(error.to_string().contains(LIST), "{error}");
    }
}

#[tokio::test]
async fn arns_of_another_account_are_no_answer_where_the_accounts_are_set() {
    let server = Server::collection();
    for (account, accepted) in [("770693421928", true), ("000000000000", false)] {
        let client = builder(&server)
            .accounts([account.parse().expect("an account")])
            .build()
            .expect("a client");
        let arn = client.latest_arn("requests", &region(), &target()).await;
        assert_eq!(arn.is_ok(), accepted, "{arn:?}");
    }
}

#[tokio::test]
async fn a_bad_row_spoils_the_list_of_latest_layers() {
    let path = "/api/v2/p3.13/layers/latest/us-east-1";
    let bad = collection(path).expect("a body").replace("p313-numpy", "p313-pandas");
    let server = answering(200, "application/json", bad);
    let rows = client(&server).latest(&region(), &target()).await;
    assert!(matches!(rows, Err(Error::Body { .. })), "{rows:?}");
}

#[tokio::test]
async fn other_statuses_are_told_with_what_the_server_said() {
    let problem =
        r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no such path"}"#;
    for (status, content_type, body, end) in [
        (
            404,
            "application/problem+json",
            problem,
            "answered 404 Not Found (no such path); check that this is the API of a collection",
        ),
        (
            404,
            "text/html",
            "<h1>404</h1>",
            "answered 404 Not Found; check that this is the API of a collection",
        ),
        (403, "application/json", "{}", "answered 403 Forbidden; check that you may use it"),
        (429, "text/plain", "", "answered 429 Too Many Requests; try again later"),
        (
            500,
            "text/plain",
            "",
            "answered 500 Internal Server Error; the server has a fault, try again later",
        ),
        (204, "text/plain", "", "answered 204 No Content"),
    ] {
        let server = answering(status, content_type, body);
        let error = fail(client(&server)).await;
        assert_eq!(error.to_string(), format!("{}{LIST} {end}", server.url()));
        assert!(!error.is_not_found());
    }
}

#[tokio::test]
async fn an_endless_body_is_read_to_a_limit() {
    let server = Server::start(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 8192])?;
        }
    });
    let error = fail(client(&server)).await;
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_body_that_is_too_long_by_its_own_account_is_not_waited_for() {
    let server = Server::start(|_, stream| {
        begin(stream, 1 << 40)?;
        be_silent(stream)
    });
    let error = fail(client(&server)).await;
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_left_after_the_read_timeout() {
    let before = |_: &str, stream: &mut TcpStream| be_silent(stream);
    let within = |_: &str, stream: &mut TcpStream| {
        begin(stream, 100)?;
        be_silent(stream)
    };
    for server in [Server::start(before), Server::start(within)] {
        let client = builder(&server).read_timeout(Duration::from_millis(200));
        let started = Instant::now();
        let error = fail(client.build().expect("a client")).await;
        assert!(error.is_timeout(), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_body_that_drips_is_left_after_the_total_timeout() {
    let server = Server::start(|_, stream| {
        begin(stream, 1_000_000)?;
        loop {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(b" ")?;
        }
    });
    let client = builder(&server).total_timeout(Duration::from_millis(400));
    let started = Instant::now();
    let error = fail(client.build().expect("a client")).await;
    assert!(error.is_timeout(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(
        error.to_string().ends_with("no answer in time; try again, or allow more time"),
        "{error}"
    );
}

/// The time for suggestions is that of the call, so that a call never takes twice as long.
#[tokio::test]
async fn the_total_timeout_holds_for_all_requests_of_a_call() {
    let server = Server::start(|path, stream| {
        if path.contains("/latest/") {
            return be_silent(stream);
        }
        thread::sleep(Duration::from_millis(200));
        respond(stream, 200, "application/json", "[]")
    });
    let client = builder(&server).total_timeout(Duration::from_millis(500));
    let started = Instant::now();
    let error = fail(client.build().expect("a client")).await;
    assert!(matches!(error, Error::UnknownPackage { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_is_down_is_told_with_its_cause() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let client = Client::builder().base_url(&url).build().expect("a client");
    let error = fail(client).await;
    let Error::Transport { failure, .. } = &error else { unreachable!("{error}") };
    assert_eq!(*failure, TransportFailure::Connect);
    assert!(error.to_string().starts_with(&format!("could not ask {url}{LIST}: ")));
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told() {
    let url = "http://layers.invalid";
    let client = Client::builder().base_url(url).build().expect("a client");
    let error = fail(client).await;
    assert!(
        matches!(error, Error::Transport { failure: TransportFailure::Resolve, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_not_taken_for_one_with() {
    let server = Server::collection();
    let url = server.url().replace("http:", "https:");
    let client = Client::builder().base_url(url).build().expect("a client");
    let error = fail(client).await;
    assert!(
        matches!(error, Error::Transport { failure: TransportFailure::Connect, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let within_body = |_: &str, stream: &mut TcpStream| begin(stream, 100);
    let within_head = |_: &str, stream: &mut TcpStream| write!(stream, "HTTP/1.1 20");
    let at_once = |_: &str, _: &mut TcpStream| Ok(());
    for server in [Server::start(within_body), Server::start(within_head), Server::start(at_once)] {
        let error = fail(client(&server)).await;
        assert!(
            matches!(error, Error::Transport { failure: TransportFailure::Interrupted, .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn redirections_are_followed_and_circles_left() {
    let there = Server::collection();
    let here = {
        let url = there.url();
        Server::start(move |path, stream| {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {url}{path}\r\nContent-Length: 0\r\n\r\n"
            )
        })
    };
    let arn = client(&here).latest_arn("requests", &region(), &target()).await;
    assert_eq!(arn.expect("an ARN").version(), 4);

    let circle = Server::start(|path, stream| {
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let error = fail(client(&circle)).await;
    assert!(
        matches!(error, Error::Transport { failure: TransportFailure::Redirect, .. }),
        "{error:?}"
    );
}

#[test]
fn options_that_cannot_be_are_refused_by_build() {
    let error = Client::builder().base_url("api.klayers.cloud").build();
    assert_eq!(
        error.expect_err("no URL").to_string(),
        "\"api.klayers.cloud\" is not the base URL of an API: an http or https URL expected, as in \
         https://api.klayers.cloud"
    );
    let error = Client::builder().user_agent("a\nb").build();
    assert!(matches!(error, Err(Error::Setup { .. })), "{error:?}");
}
