//! The faults of servers, and the required reaction to each.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use klayers_client::{Error, RetryPolicy, TransportFailure};

use super::Category;
use crate::fixture::{collection, respond};

pub(super) type Fault = Arc<dyn Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync>;

/// How the client must react.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Reaction {
    /// Retries; uses a stale answer if there is one.
    Retries,
    /// Does not retry; uses a stale answer if there is one.
    UsesStaleAnswer,
    /// Has no time left to retry; uses a stale answer if there is one.
    OutOfTime,
    /// Fails even if there is a stale answer.
    Fails,
}

pub(super) struct Case {
    pub(super) category: Category,
    pub(super) name: String,
    pub(super) status: Option<u16>,
    pub(super) fault: Fault,
    /// Whether an error is the expected one.
    pub(super) expected: Box<dyn Fn(&Error) -> bool>,
    pub(super) reaction: Reaction,
    pub(super) read_timeout: Duration,
}

pub(super) fn cases() -> Vec<Case> {
    statuses().map(status_case).chain(broken()).chain(slow()).chain(not_the_answer()).collect()
}

/// All error statuses. Redirects are tested elsewhere.
pub(super) fn statuses() -> impl Iterator<Item = u16> {
    (201..=299).chain(400..=599)
}

pub(super) fn status(code: u16) -> Fault {
    Arc::new(move |_, stream| respond(stream, code, "text/plain", ""))
}

/// The case of a status, according to the table in the documentation of `klayers_core::retry`.
fn status_case(code: u16) -> Case {
    let reaction = match code {
        408 | 425 | 429 | 500 | 502..=504 | 509 | 512..=599 => Reaction::Retries,
        _ => Reaction::Fails,
    };
    assert_eq!(RetryPolicy::retries_status(code), reaction == Reaction::Retries, "{code}");
    let expected =
        move |error: &Error| matches!(error, Error::Status { status, .. } if *status == code);
    let name = format!("status {code}");
    Case {
        status: Some(code),
        ..Case::new(Category::Network, name, status(code), expected, reaction)
    }
}

impl Case {
    fn new(
        category: Category,
        name: impl Into<String>,
        fault: Fault,
        expected: impl Fn(&Error) -> bool + 'static,
        reaction: Reaction,
    ) -> Self {
        let (name, expected) = (name.into(), Box::new(expected));
        Self {
            category,
            name,
            status: None,
            fault,
            expected,
            reaction,
            read_timeout: Duration::from_secs(10),
        }
    }
}

fn begin(stream: &mut TcpStream, length: usize) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n[")
}

/// Sends nothing until the client closes the connection.
fn be_silent(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn is_failure(expected: TransportFailure) -> impl Fn(&Error) -> bool {
    move |error| matches!(error, Error::Transport { failure, .. } if *failure == expected)
}

type Break = fn(&mut TcpStream) -> io::Result<()>;

/// Connections that end too early.
fn broken() -> impl Iterator<Item = Case> {
    let faults: [(&str, Break); 5] = [
        ("closed at once", |_| Ok(())),
        ("closed in the head", |stream| write!(stream, "HTTP/1.1 20")),
        ("closed in the body", |stream| begin(stream, 1000)),
        ("closed in a chunk", |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[")
        }),
        ("no HTTP", |stream| write!(stream, "SSH-2.0-server\r\n\r\n")),
    ];
    faults.into_iter().map(|(name, fault)| {
        let fault: Fault = Arc::new(move |_, stream| fault(stream));
        let expected = is_failure(TransportFailure::Interrupted);
        Case::new(Category::Network, name, fault, expected, Reaction::Retries)
    })
}

fn slow() -> Vec<Case> {
    let silent = |name, fault: Fault| Case {
        read_timeout: Duration::from_millis(300),
        ..Case::new(Category::Slow, name, fault, Error::is_timeout, Reaction::Retries)
    };
    let too_large = |error: &Error| matches!(error, Error::TooLarge { .. });
    let drip: Fault = Arc::new(|_, stream| {
        begin(stream, 1_000_000)?;
        loop {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(b" ")?;
        }
    });
    let endless: Fault = Arc::new(|_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 8192])?;
        }
    });
    let announced: Fault = Arc::new(|_, stream| {
        begin(stream, 1 << 40)?;
        be_silent(stream)
    });
    vec![
        silent("silent at once", Arc::new(|_, stream| be_silent(stream))),
        silent(
            "silent in the body",
            Arc::new(|_, stream| {
                begin(stream, 100)?;
                be_silent(stream)
            }),
        ),
        Case::new(
            Category::Slow,
            "a body that drips",
            drip,
            Error::is_timeout,
            Reaction::OutOfTime,
        ),
        Case::new(Category::Slow, "an endless body", endless, too_large, Reaction::UsesStaleAnswer),
        Case::new(
            Category::Slow,
            "a body of a terabyte",
            announced,
            too_large,
            Reaction::UsesStaleAnswer,
        ),
    ]
}

/// Answers with status 200 that are not the requested list.
fn not_the_answer() -> Vec<Case> {
    let good = collection("/api/v2/p3.13/layers/us-east-1/requests").expect("a body");
    let length = good.len();
    let cuts = [0, 1, length / 4, length / 2, length - 2, length - 1];
    let cuts = cuts.map(|end| (format!("cut at {end}"), good[..end].to_owned()));
    let shapes = [
        "<!doctype html><title>Log in</title>",
        "{}",
        "null",
        "[null]",
        "[[]]",
        r#"["requests"]"#,
        r#"{"message": "Internal server error"}"#,
    ]
    .map(|body| (body.to_owned(), body.to_owned()));
    let swap = |(from, to): (&str, &str)| {
        assert!(good.contains(from), "{from}");
        (format!("{to} for {from}"), good.replace(from, to))
    };
    // Anything but a list of layers is not from the API; it may be the login page of a network.
    let malformed = [
        ("770693421928", "77069342192"),
        ("arn:aws:", "arn:aws-cn:"),
        ("arn:aws:lambda", "arn:aws:s3"),
        (":4\"", ":0\""),
        (":4\"", "\""),
        ("\"latest\"", "\"newest\""),
        ("\"dependencies\"", "\"needs\""),
    ]
    .map(swap);
    // A list of layers that were not requested is from the API.
    let wrong = [
        ("us-east-1:", "us-east-2:"),
        ("770693421928", "000000000000"),
        ("p313-requests:1", "p313-requests-oauthlib:1"),
        ("p313-requests:4", "p313-numpy:4"),
        ("p313-", "p312-"),
        ("p313-", "p313-arm64-"),
    ]
    .map(swap);
    let body = |name: String, body: String, reaction| {
        let fault: Fault =
            Arc::new(move |_, stream| respond(stream, 200, "application/json", &body));
        let expected = |error: &Error| matches!(error, Error::Body { .. });
        Case::new(Category::NotTheAnswer, name, fault, expected, reaction)
    };
    let malformed = cuts.into_iter().chain(shapes).chain(malformed);
    let mut cases: Vec<Case> =
        malformed.map(|(name, text)| body(name, text, Reaction::UsesStaleAnswer)).collect();
    cases.extend(wrong.map(|(name, text)| body(name, text, Reaction::Fails)));
    for (name, header, bytes) in [
        ("an encoding that was not requested", "zstd", b"[]".as_slice()),
        ("a body that is not gzip", "gzip", b"[]"),
        ("truncated gzip", "gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
        ("a body that is not br", "br", b"\xff\xff\xff\xff"),
    ] {
        let fault: Fault = Arc::new(move |_, stream| {
            let length = bytes.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Encoding: {header}\r\nContent-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(bytes)
        });
        let expected = move |error: &Error| {
            matches!(error, Error::Body { .. }) && error.to_string().contains(header)
        };
        cases.push(Case::new(
            Category::NotTheAnswer,
            name,
            fault,
            expected,
            Reaction::UsesStaleAnswer,
        ));
    }
    cases
}
