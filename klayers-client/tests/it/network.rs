//! Proxies and certificates that the environment names. The variables affect a whole process, so these
//! tests run the command.

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

/// A host that does not resolve, so that only a proxy can reach it.
const UNRESOLVABLE: &str = "http://layers.invalid";

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

/// A proxy for `http` addresses. Its requests have complete addresses.
fn proxy() -> Server {
    Server::start(|address, stream| {
        let path = address.strip_prefix(UNRESOLVABLE).unwrap_or_default();
        match collection(path) {
            Some(body) => respond(stream, 200, "application/json", &body),
            None => respond(stream, 502, "text/plain", ""),
        }
    })
}

#[test]
fn proxy_is_used_unless_no_proxy_lists_the_host() {
    let proxy = proxy();
    let server = Server::collection();
    let host = server.url().replace("http://", "");
    let host = host.split(':').next().expect("a host");
    let https_only = [("HTTPS_PROXY", "http://127.0.0.1:9")];
    for (url, variables, requests) in [
        (UNRESOLVABLE, &[("HTTP_PROXY", proxy.url().as_str())][..], 1),
        (UNRESOLVABLE, &[("http_proxy", &proxy.url())], 1),
        (UNRESOLVABLE, &[("ALL_PROXY", &proxy.url())], 1),
        (UNRESOLVABLE, &[("ALL_PROXY", "http://127.0.0.1:9"), ("HTTP_PROXY", &proxy.url())], 1),
        (&server.url(), &[("ALL_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", host)], 0),
        // A star means all hosts, including IP addresses.
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

/// A SOCKS proxy that resolves names itself and always connects to this server.
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

/// Implements [RFC 1928](https://www.rfc-editor.org/rfc/rfc1928) without authentication.
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
fn socks_proxy_resolves_the_host_name() {
    let server = Server::collection();
    let output = run(&mut with(UNRESOLVABLE, &[("ALL_PROXY", &socks(&server))]), PLACE);
    assert_eq!(out(&output), ARN, "{output:?}");
}

#[test]
fn connection_error_names_the_proxy_and_its_variable() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let gone = format!("127.0.0.1:{}", listener.local_addr().expect("an address").port());
    drop(listener);
    let proxy = format!("http://me:secret@{gone}");
    for (variable, url) in [("HTTPS_PROXY", "https://layers.invalid"), ("ALL_PROXY", UNRESOLVABLE)]
    {
        let output = run(&mut with(url, &[(variable, &proxy)]), PLACE);
        let path = "/api/v2/p3.13/layers/us-east-1/requests";
        assert_eq!(
            err(&output),
            format!(
                "error: could not reach {url}{path} through the proxy http://{gone} ({variable}): no \
                 connection; check the address of the proxy, and that the proxy is running\n  \
                 caused by: Connection refused (os error 111)\n"
            )
        );
        assert_eq!(output.status.code(), Some(1));
    }
}

/// For addresses of both schemes.
#[test]
fn proxy_that_requires_a_login_is_reported_with_advice() {
    let proxy = Server::start(|_, stream| {
        write!(
            stream,
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let address = proxy.url().replace("http://", "");
    for (variable, url) in [("HTTPS_PROXY", "https://layers.invalid"), ("HTTP_PROXY", UNRESOLVABLE)]
    {
        let before = proxy.asked().len();
        let output = run(&mut with(url, &[(variable, &proxy.url())]), PLACE);
        let text = err(&output);
        assert!(
            text.contains(&format!(
                "through the proxy http://{address} ({variable}): the proxy requires a user \
                 name and a password (407); put the user name and the password into {variable}, as in \
                 {variable}=http://USER:PASSWORD@{address}\n"
            )),
            "{text}"
        );
        assert_eq!(proxy.asked().len() - before, 1, "no retry");
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
fn certificates_from_variables_are_trusted() {
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
            let named = format!("only the certificates of {variable}={file} are trusted");
            assert!(text.contains(&named), "{text}");
        }
    }
}

#[test]
fn missing_certificate_file_is_reported_with_its_variable() {
    let output = run(&mut with(UNRESOLVABLE, &[("SSL_CERT_FILE", "/no/such/file.pem")]), PLACE);
    assert_eq!(
        err(&output),
        "error: could not use the certificates in /no/such/file.pem, which SSL_CERT_FILE names: it \
         cannot be read; correct the variable, or unset it to trust the system's certificates\n  \
         caused by: No such file or directory (os error 2)\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn api_url_may_end_with_the_api_path() {
    let server = Server::collection();
    for end in ["/api/v2", "/api/v2/"] {
        let output = run(&mut klayers(&format!("{}{end}", server.url())), PLACE);
        assert_eq!(out(&output), ARN, "{output:?}");
    }
    let url = format!("{}/api/v2", server.url());
    let output = run(&mut klayers(&url), "open --print --region us-east-1 --python 3.13");
    assert_eq!(out(&output), format!("{url}/p3.13/layers/latest/us-east-1/html\n"));
}
