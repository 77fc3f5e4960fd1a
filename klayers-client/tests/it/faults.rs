//! Faults of servers and networks that the client must survive.

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

/// A server that gives the same answer to every request.
fn answering(status: u16, content_type: &'static str, body: impl Into<String>) -> Server {
    let body = body.into();
    Server::start(move |_, stream| respond(stream, status, content_type, &body))
}

fn begin(stream: &mut TcpStream, length: usize) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n[")
}

/// Sends nothing until the client closes the connection.
fn be_silent(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

#[tokio::test]
async fn web_page_with_status_200_is_an_error() {
    let server = answering(200, "text/html", "<!doctype html><title>Log in</title>");
    let error = fail(client(&server)).await;
    assert_eq!(
        error.to_string(),
        format!(
            "could not use the answer of {}{LIST}: it is not the list of layers expected (content \
             type text/html, a web page such as the login page of a network); check that this is the \
             API of a collection",
            server.url()
        )
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn truncated_or_malformed_json_is_an_error() {
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
async fn arns_that_were_not_requested_are_an_error() {
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
async fn arns_of_other_accounts_are_an_error_if_accounts_are_set() {
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
async fn one_invalid_row_makes_the_list_an_error() {
    let path = "/api/v2/p3.13/layers/latest/us-east-1";
    let bad = collection(path).expect("a body").replace("p313-numpy", "p313-pandas");
    let server = answering(200, "application/json", bad);
    let rows = client(&server).latest(&region(), &target()).await;
    assert!(matches!(rows, Err(Error::Body { .. })), "{rows:?}");
}

#[tokio::test]
async fn error_statuses_are_reported_with_the_servers_explanation() {
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
        (
            403,
            "application/json",
            "{}",
            "answered 403 Forbidden; check that you are allowed to use it",
        ),
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
async fn endless_body_stops_at_the_limit() {
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
async fn too_long_content_length_fails_at_once() {
    let server = Server::start(|_, stream| {
        begin(stream, 1 << 40)?;
        be_silent(stream)
    });
    let error = fail(client(&server)).await;
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn silent_server_fails_after_the_read_timeout() {
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
async fn slow_body_fails_after_the_total_timeout() {
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

/// The request for suggestions shares the timeout of the call.
#[tokio::test]
async fn total_timeout_includes_all_requests_of_a_call() {
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
async fn refused_connection_is_reported_with_its_cause() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let client = Client::builder().base_url(&url).build().expect("a client");
    let error = fail(client).await;
    let Error::Transport { failure, .. } = &error else { unreachable!("{error}") };
    assert_eq!(*failure, TransportFailure::Connect);
    assert!(error.to_string().starts_with(&format!("could not reach {url}{LIST}: ")));
    assert!(error.source().is_some());
}

#[tokio::test]
async fn unresolvable_host_name_is_reported() {
    let url = "http://layers.invalid";
    let client = Client::builder().base_url(url).build().expect("a client");
    let error = fail(client).await;
    assert!(
        matches!(error, Error::Transport { failure: TransportFailure::Resolve, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn server_without_tls_is_a_failed_connection() {
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
async fn interrupted_answer_is_an_error() {
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
async fn redirects_are_followed_and_loops_end() {
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

    let redirect_loop = Server::start(|path, stream| {
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let error = fail(client(&redirect_loop)).await;
    assert!(
        matches!(error, Error::Transport { failure: TransportFailure::Redirect, .. }),
        "{error:?}"
    );
}

#[test]
fn build_rejects_invalid_options() {
    let error = Client::builder().base_url("api.klayers.cloud").build();
    assert_eq!(
        error.expect_err("no URL").to_string(),
        "\"api.klayers.cloud\" is not the base URL of an API: an http or https URL expected, as in \
         https://api.klayers.cloud"
    );
    let error = Client::builder().user_agent("a\nb").build();
    assert!(matches!(error, Err(Error::Setup { .. })), "{error:?}");
}
