//! The ways in which a server can fail, and what has to become of each.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use klayers_client::{Error, RetryPolicy, TransportFailure};

use super::Line;
use crate::fixture::{collection, respond};

pub(super) type Fault = Arc<dyn Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync>;

/// What the client does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Then {
    /// It asks again; an older answer stands in.
    AskedAgain,
    /// It is told at once; an older answer stands in.
    StandsIn,
    /// There is no time left to ask again; an older answer stands in.
    OutOfTime,
    /// It tells the error, whatever it has.
    Told,
}

pub(super) struct Case {
    pub(super) line: Line,
    pub(super) name: String,
    pub(super) status: Option<u16>,
    pub(super) fault: Fault,
    /// Whether an error is the one that it has to be told as.
    pub(super) told: Box<dyn Fn(&Error) -> bool>,
    pub(super) then: Then,
    /// How long the server may be silent.
    pub(super) patience: Duration,
}

pub(super) fn cases() -> Vec<Case> {
    statuses().map(of_status).chain(broken()).chain(slow()).chain(not_the_answer()).collect()
}

/// Those that send elsewhere are another matter.
pub(super) fn statuses() -> impl Iterator<Item = u16> {
    (201..=299).chain(400..=599)
}

pub(super) fn status(code: u16) -> Fault {
    Arc::new(move |_, stream| respond(stream, code, "text/plain", ""))
}

/// As the table in the documentation of `RetryPolicy` says.
fn of_status(code: u16) -> Case {
    let then = match code {
        408 | 425 | 429 | 500 | 502 | 503 | 504 => Then::AskedAgain,
        _ => Then::Told,
    };
    assert_eq!(RetryPolicy::retries_status(code), then == Then::AskedAgain, "{code}");
    let told =
        move |error: &Error| matches!(error, Error::Status { status, .. } if *status == code);
    let name = format!("status {code}");
    Case { status: Some(code), ..Case::new(Line::Network, name, status(code), told, then) }
}

impl Case {
    fn new(
        line: Line,
        name: impl Into<String>,
        fault: Fault,
        told: impl Fn(&Error) -> bool + 'static,
        then: Then,
    ) -> Self {
        let (name, told) = (name.into(), Box::new(told));
        Self { line, name, status: None, fault, told, then, patience: Duration::from_secs(10) }
    }
}

fn begin(stream: &mut TcpStream, length: usize) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n[")
}

/// Says nothing until the client has gone.
fn be_silent(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn is(expected: TransportFailure) -> impl Fn(&Error) -> bool {
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
        let told = is(TransportFailure::Interrupted);
        Case::new(Line::Network, name, fault, told, Then::AskedAgain)
    })
}

fn slow() -> Vec<Case> {
    let silent = |name, fault: Fault| Case {
        patience: Duration::from_millis(300),
        ..Case::new(Line::Slow, name, fault, Error::is_timeout, Then::AskedAgain)
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
        Case::new(Line::Slow, "a body that drips", drip, Error::is_timeout, Then::OutOfTime),
        Case::new(Line::Slow, "an endless body", endless, too_large, Then::StandsIn),
        Case::new(Line::Slow, "a body of a terabyte", announced, too_large, Then::StandsIn),
    ]
}

/// Status 200, and yet not what was asked for.
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
    // What is no list of layers is not the API's: it may be the page of a network's login.
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
    // Layers that were not asked for are.
    let wrong = [
        ("us-east-1:", "us-east-2:"),
        ("770693421928", "000000000000"),
        ("p313-requests:1", "p313-requests-oauthlib:1"),
        ("p313-requests:4", "p313-numpy:4"),
        ("p313-", "p312-"),
        ("p313-", "p313-arm64-"),
    ]
    .map(swap);
    let body = |name: String, body: String, then| {
        let fault: Fault =
            Arc::new(move |_, stream| respond(stream, 200, "application/json", &body));
        let told = |error: &Error| matches!(error, Error::Body { .. });
        Case::new(Line::NotTheAnswer, name, fault, told, then)
    };
    let malformed = cuts.into_iter().chain(shapes).chain(malformed);
    let mut cases: Vec<Case> =
        malformed.map(|(name, text)| body(name, text, Then::StandsIn)).collect();
    cases.extend(wrong.map(|(name, text)| body(name, text, Then::Told)));
    for (name, header, bytes) in [
        ("an encoding that was not asked for", "zstd", b"[]".as_slice()),
        ("gzip that is none", "gzip", b"[]"),
        ("gzip that is cut", "gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
        ("br that is none", "br", b"\xff\xff\xff\xff"),
    ] {
        let fault: Fault = Arc::new(move |_, stream| {
            let length = bytes.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Encoding: {header}\r\nContent-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(bytes)
        });
        let told = move |error: &Error| {
            matches!(error, Error::Body { .. }) && error.to_string().contains(header)
        };
        cases.push(Case::new(Line::NotTheAnswer, name, fault, told, Then::StandsIn));
    }
    cases
}
