//! Proxies and certificates, as the environment names them. They are variables of the whole
//! process, so the command is run with them.

#[cfg(feature = "aws")]
mod aws;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use data_encoding::BASE64;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::command::{klayers, run};
use crate::fixture::{Server, collection, respond};

const PLACE: &str = "latest-arn requests --region us-east-1 --python 3.13";
const ARN: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4\n";

/// A host that no name server knows, so that only a proxy can reach it.
const ELSEWHERE: &str = "http://layers.invalid";

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn with(url: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = klayers(url);
    command.envs(variables.iter().copied());
    command
}

/// A proxy for `http` addresses: it is asked for whole addresses.
fn proxy() -> Server {
    Server::start(|address, stream| {
        let path = address.strip_prefix(ELSEWHERE).unwrap_or_default();
        match collection(path) {
            Some(body) => respond(stream, 200, "application/json", &body),
            None => respond(stream, 502, "text/plain", ""),
        }
    })
}

#[test]
fn a_proxy_is_asked_unless_the_host_is_excepted() {
    let proxy = proxy();
    let server = Server::collection();
    let host = server.url().replace("http://", "");
    let host = host.split(':').next().expect("a host");
    let https_only = [("HTTPS_PROXY", "http://127.0.0.1:9")];
    for (url, variables, requests) in [
        (ELSEWHERE, &[("HTTP_PROXY", proxy.url().as_str())][..], 1),
        (ELSEWHERE, &[("http_proxy", &proxy.url())], 1),
        (ELSEWHERE, &[("ALL_PROXY", &proxy.url())], 1),
        (ELSEWHERE, &[("ALL_PROXY", "http://127.0.0.1:9"), ("HTTP_PROXY", &proxy.url())], 1),
        (&server.url(), &[("ALL_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", host)], 0),
        // A star is all hosts, also those that are given as an address.
        (&server.url(), &[("ALL_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "*")], 0),
        (&server.url(), &[("ALL_PROXY", "http://127.0.0.1:9"), ("no_proxy", "a.example, *")], 0),
        (&server.url(), &https_only, 0),
    ] {
        let before = proxy.asked().len();
        let output = run(&mut with(url, variables), PLACE);
        assert_eq!(out(&output), ARN, "{variables:?}: {output:?}");
        assert_eq!(proxy.asked().len() - before, requests, "{variables:?}");
    }
}

/// A SOCKS proxy that resolves names itself and connects to the one server that there is.
fn socks(server: &Server) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("socks5h://{}", listener.local_addr().expect("an address"));
    let behind = server.url().replace("http://", "");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = relay(stream, &behind);
        }
    });
    url
}

/// [RFC 1928](https://www.rfc-editor.org/rfc/rfc1928), for a client that needs no login.
fn relay(mut client: TcpStream, behind: &str) -> io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; greeting[1].into()])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 5];
    client.read_exact(&mut request)?;
    assert_eq!(request[..4], [5, 1, 0, 3], "a connection to a host by its name");
    let mut host = vec![0; usize::from(request[4]) + 2];
    client.read_exact(&mut host)?;
    assert!(host.starts_with(b"layers.invalid"));
    let mut server = TcpStream::connect(behind)?;
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80])?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    io::copy(&mut server, &mut client).map(drop)
}

#[test]
fn a_socks_proxy_resolves_the_name() {
    let server = Server::collection();
    let output = run(&mut with(ELSEWHERE, &[("ALL_PROXY", &socks(&server))]), PLACE);
    assert_eq!(out(&output), ARN, "{output:?}");
}

#[test]
fn an_error_behind_a_proxy_names_the_proxy_and_its_variable() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let gone = format!("127.0.0.1:{}", listener.local_addr().expect("an address").port());
    drop(listener);
    let proxy = format!("http://me:secret@{gone}");
    for (variable, url) in [("HTTPS_PROXY", "https://layers.invalid"), ("ALL_PROXY", ELSEWHERE)] {
        let output = run(&mut with(url, &[(variable, &proxy)]), PLACE);
        let path = "/api/v2/p3.13/layers/us-east-1/requests";
        assert_eq!(
            err(&output),
            format!(
                "error: could not ask {url}{path} through the proxy http://{gone} ({variable}): no \
                 connection; check the address of the proxy, and that it is there\n  \
                 caused by: Connection refused (os error 111)\n"
            )
        );
        assert_eq!(output.status.code(), Some(1));
    }
}

/// A proxy that wants to know who asks, for addresses of either scheme.
#[test]
fn a_proxy_that_asks_for_a_login_is_told_with_what_to_do() {
    let proxy = Server::start(|_, stream| {
        write!(
            stream,
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let address = proxy.url().replace("http://", "");
    for (variable, url) in [("HTTPS_PROXY", "https://layers.invalid"), ("HTTP_PROXY", ELSEWHERE)] {
        let before = proxy.asked().len();
        let output = run(&mut with(url, &[(variable, &proxy.url())]), PLACE);
        let text = err(&output);
        assert!(
            text.contains(&format!(
                "through the proxy http://{address} ({variable}): the proxy asks for a user name \
                 and a password (407); put the user name and the password into {variable}, as in \
                 {variable}=http://USER:PASSWORD@{address}\n"
            )),
            "{text}"
        );
        assert_eq!(proxy.asked().len() - before, 1, "it is not asked again");
    }
}

/// The API behind TLS, and its certificate in PEM form.
fn secure() -> (String, String) {
    secured(|path| collection(path).unwrap_or_default().into_bytes())
}

/// A server with TLS that answers each path with a body, and its certificate in PEM form.
fn secured(body: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (String, String) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let der = BASE64.encode(own.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.into()], key.into())
        .expect("a configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection =
                rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let _ = serve(rustls::StreamOwned::new(connection, stream), &body);
        }
    });
    (url, pem)
}

fn serve(
    mut stream: rustls::StreamOwned<rustls::ServerConnection, TcpStream>,
    body: impl Fn(&str) -> Vec<u8>,
) -> io::Result<()> {
    let mut line = String::new();
    let mut reader = BufReader::new(&mut stream);
    reader.read_line(&mut line)?;
    let mut rest = String::new();
    while rest != "\r\n" {
        rest.clear();
        reader.read_line(&mut rest)?;
    }
    let body = body(line.split(' ').nth(1).unwrap_or_default());
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)?;
    stream.conn.send_close_notify();
    stream.flush()
}

#[test]
fn the_certificates_that_a_variable_names_are_trusted() {
    let (url, pem) = secure();
    let (_, other) = secure();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (good, bad) = (file("good.pem", &pem), file("bad.pem", &other));
    let folder = folder.path().display().to_string();
    for (variables, trusted) in [
        (&[][..], false),
        (&[("AWS_CA_BUNDLE", good.as_str())], true),
        (&[("REQUESTS_CA_BUNDLE", &good)], true),
        (&[("CURL_CA_BUNDLE", &good)], true),
        (&[("SSL_CERT_FILE", &good)], true),
        (&[("SSL_CERT_DIR", &folder)], true),
        (&[("SSL_CERT_FILE", &bad), ("SSL_CERT_DIR", &folder)], true),
        (&[("SSL_CERT_FILE", &good), ("CURL_CA_BUNDLE", &bad)], false),
        (&[("CURL_CA_BUNDLE", &good), ("REQUESTS_CA_BUNDLE", &bad)], false),
        (&[("REQUESTS_CA_BUNDLE", &good), ("AWS_CA_BUNDLE", &bad)], false),
    ] {
        let output = run(&mut with(&url, variables), PLACE);
        assert_eq!(output.status.success(), trusted, "{variables:?}: {output:?}");
        if let ([.., (variable, file)], false) = (variables, trusted) {
            let text = err(&output);
            let named = format!("trusted are the certificates of {variable}={file} alone");
            assert!(text.contains(&named), "{text}");
        }
    }
}

#[test]
fn a_file_of_certificates_that_is_missing_is_told_with_its_variable() {
    let output = run(&mut with(ELSEWHERE, &[("SSL_CERT_FILE", "/no/such/file.pem")]), PLACE);
    assert_eq!(
        err(&output),
        "error: SSL_CERT_FILE names /no/such/file.pem for the certificates to trust, and it cannot \
         be read; correct the variable, or unset it to trust those of the system\n  \
         caused by: No such file or directory (os error 2)\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_address_may_end_with_that_of_the_api() {
    let server = Server::collection();
    for end in ["/api/v2", "/api/v2/"] {
        let output = run(&mut klayers(&format!("{}{end}", server.url())), PLACE);
        assert_eq!(out(&output), ARN, "{output:?}");
    }
    let url = format!("{}/api/v2", server.url());
    let output = run(&mut klayers(&url), "open --print --region us-east-1 --python 3.13");
    assert_eq!(out(&output), format!("{url}/p3.13/layers/latest/us-east-1/html\n"));
}
