//! Calls to AWS use the same proxies and certificates as all other requests.

use std::io::Write;
use std::process::Output;

use super::{ARN, UNRESOLVABLE, err, secured, socks};
use crate::command::run;
use crate::copies::{described, zip};
use crate::copying::with_aws;
use crate::fixture::{Server, respond};

/// Runs `klayers download` with AWS at an endpoint. The API needs neither a proxy nor a certificate.
fn download(endpoint: &str, variables: &[(&str, &str)]) -> Output {
    let (api, folder) = (Server::collection(), tempfile::tempdir().expect("a folder"));
    let mut command = with_aws(&api, endpoint, folder.path());
    command.env("NO_PROXY", "127.0.0.1").envs(variables.iter().copied());
    run(&mut command, "download requests --region us-east-1 --python 3.13")
}

#[test]
fn calls_to_aws_trust_the_same_certificates() {
    let bytes = zip();
    let (store, pem) = secured({
        let bytes = bytes.clone();
        move |_| bytes.clone()
    });
    let told = described(ARN.trim(), &store, &bytes);
    let (aws, other) = secured(move |_| told.clone().into_bytes());
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (both, half) = (file("both.pem", &format!("{pem}{other}")), file("half.pem", &pem));
    for variable in ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        let output = download(&aws, &[(variable, &both)]);
        assert!(output.status.success(), "{variable}: {output:?}");
        let output = download(&aws, &[(variable, &half)]);
        let named = format!("only the certificates of {variable}={half} are trusted");
        assert!(err(&output).contains(&named), "{output:?}");
        assert_eq!(output.status.code(), Some(1));
    }
    let output = download(&aws, &[("AWS_CA_BUNDLE", "/no/such/file.pem")]);
    assert!(err(&output).contains("/no/such/file.pem, which AWS_CA_BUNDLE names"), "{output:?}");
}

#[test]
fn calls_to_aws_go_through_the_same_proxies() {
    let bytes = zip();
    let told = described(ARN.trim(), &format!("{UNRESOLVABLE}/store"), &bytes);
    let behind = Server::start(move |path, stream| {
        if path.ends_with("/store") {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", bytes.len())?;
            stream.write_all(b"Connection: close\r\n\r\n")?;
            return stream.write_all(&bytes);
        }
        respond(stream, 200, "application/json", &told)
    });
    for (variable, proxy, asked) in
        [("HTTP_PROXY", behind.url(), 2), ("ALL_PROXY", socks(&behind), 4)]
    {
        let output = download(UNRESOLVABLE, &[(variable, &proxy)]);
        assert!(output.status.success(), "{variable}: {output:?}");
        assert_eq!(behind.asked().len(), asked, "AWS and the store");
    }

    let gone = [("HTTP_PROXY", "http://me:secret@127.0.0.1:9")];
    let text = err(&download(UNRESOLVABLE, &gone));
    assert!(text.contains("through the proxy http://127.0.0.1:9 (HTTP_PROXY)"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
