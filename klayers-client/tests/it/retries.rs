//! Which requests are retried, and for how long. `survived` tries every status.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use klayers_client::{Client, Error, RetryPolicy, TransportFailure};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::fixture::{Server, collection, respond};
use crate::{builder, quick, region, target};

/// A server that fails its first requests and answers the later ones.
fn failing(
    times: usize,
    fail: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |path, stream| {
        if asked.fetch_add(1, Ordering::SeqCst) < times {
            return fail(stream);
        }
        respond(stream, 200, "application/json", &collection(path).expect("a known path"))
    })
}

fn status(code: u16, headers: &'static str) -> impl Fn(&mut TcpStream) -> std::io::Result<()> {
    move |stream| {
        write!(
            stream,
            "HTTP/1.1 {code} Status\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
    }
}

async fn version(client: &Client) -> Result<u64, Error> {
    Ok(client.latest_arn("requests", &region(), &target()).await?.version())
}

#[tokio::test]
async fn last_error_is_returned_after_all_attempts() {
    let server = failing(usize::MAX, status(503, ""));
    for attempts in [1, 2, 5] {
        let before = server.asked().len();
        let client = builder(&server).retry_policy(quick().attempts(attempts)).build();
        let error = version(&client.expect("a client")).await.expect_err("503");
        assert!(matches!(error, Error::Status { status: 503, .. }), "{error}");
        assert!(error.is_transient());
        assert_eq!(server.asked().len() - before, usize::try_from(attempts).expect("few"));
    }
}

#[tokio::test]
async fn broken_connections_are_retried() {
    let faults: [fn(&mut TcpStream) -> std::io::Result<()>; 4] = [
        |_| Ok(()),
        |stream| write!(stream, "HTTP/1.1 20"),
        |stream| write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n["),
        |stream| write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n["),
    ];
    for fault in faults {
        let server = failing(3, fault);
        let client = builder(&server).build().expect("a client");
        assert_eq!(version(&client).await.expect("an ARN"), 4);
        assert_eq!(server.asked().len(), 4);
    }
}

#[tokio::test]
async fn read_timeout_is_retried() {
    let server = failing(1, |stream| stream.read_to_end(&mut Vec::new()).map(drop));
    let client = builder(&server).read_timeout(Duration::from_millis(200)).build();
    assert_eq!(version(&client.expect("a client")).await.expect("an ARN"), 4);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn retry_after_is_respected() {
    let server = failing(1, status(429, "Retry-After: 1\r\n"));
    let client = builder(&server).build().expect("a client");
    let started = Instant::now();
    assert_eq!(version(&client).await.expect("an ARN"), 4);
    assert!(started.elapsed() >= Duration::from_secs(1));

    // The date is compared with the server's clock.
    let date = "Date: Sun, 01 Nov 2026 02:00:00 GMT\r\n\
                Retry-After: Sun, 01 Nov 2026 02:00:01 GMT\r\n";
    let server = failing(1, status(503, date));
    let client = builder(&server).build().expect("a client");
    let started = Instant::now();
    assert_eq!(version(&client).await.expect("an ARN"), 4);
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(10), "{waited:?}");
}

#[tokio::test]
async fn retry_after_beyond_the_deadline_fails_at_once() {
    let server = failing(usize::MAX, status(429, "Retry-After: 3600\r\n"));
    let client = builder(&server).build().expect("a client");
    let started = Instant::now();
    let error = version(&client).await.expect_err("429");
    assert!(matches!(error, Error::Status { status: 429, .. }), "{error}");
    assert_eq!(server.asked().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn all_attempts_together_respect_the_total_timeout() {
    let server = failing(usize::MAX, status(500, ""));
    let policy = RetryPolicy::default()
        .attempts(u32::MAX)
        .first_delay(Duration::from_millis(50))
        .longest_delay(Duration::from_millis(50));
    let client = builder(&server).retry_policy(policy).total_timeout(Duration::from_millis(600));
    let started = Instant::now();
    let error = version(&client.build().expect("a client")).await.expect_err("500");
    // The time may run out between two attempts or within one.
    let last = matches!(error, Error::Status { status: 500, .. });
    assert!(last || error.is_timeout(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(server.asked().len() > 2, "{}", server.asked().len());
}

/// A retry cannot fix a certificate, and the server may be an attacker.
#[tokio::test]
async fn untrusted_certificate_is_not_retried() {
    let (url, connected) = untrusted();
    let client = Client::builder().base_url(url).retry_policy(quick()).build().expect("a client");
    let error = version(&client).await.expect_err("an untrusted server");
    let Error::Transport { failure, .. } = &error else { unreachable!("{error:?}") };
    assert_eq!(*failure, TransportFailure::Tls, "{error:?}");
    assert!(!error.is_transient());
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(connected.load(Ordering::SeqCst), 1);
}

/// A TLS server with a self-signed certificate, and the number of its connections.
pub(crate) fn untrusted() -> (String, Arc<AtomicUsize>) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.into()], key.into())
        .expect("a configuration");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let (config, connected) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&connected);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, Ordering::SeqCst);
            let mut connection =
                rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
        }
    });
    (url, connected)
}
