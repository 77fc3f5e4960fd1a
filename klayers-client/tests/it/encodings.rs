//! Compressed answers.

use std::io::{Read, Write};

use flate2::Compression;
use klayers_client::Error;

use crate::fixture::{Server, collection};
use crate::{client, region, target};

/// A server that compresses every answer with these encodings, in this order.
fn encoding(names: &'static str) -> Server {
    Server::start_with_head(move |head, stream| {
        let accepted = head.iter().find(|line| line.to_lowercase().starts_with("accept-encoding"));
        assert_eq!(accepted.map(String::as_str), Some("accept-encoding: br, gzip"));
        let path = head[0].split(' ').nth(1).expect("a path");
        let mut body = collection(path).expect("a known path").into_bytes();
        for name in names.split(", ") {
            body = match name.to_lowercase().as_str() {
                "br" => brotli(&body),
                "gzip" | "x-gzip" => gzip(&body),
                _ => body,
            };
        }
        send(stream, names, &body)
    })
}

fn send(stream: &mut impl Write, encoding: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, Compression::best())
        .read_to_end(&mut packed)
        .expect("in memory");
    packed
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    brotli::CompressorReader::new(bytes, 4096, 5, 22).read_to_end(&mut packed).expect("in memory");
    packed
}

#[tokio::test]
async fn compressed_answers_are_requested_and_decompressed() {
    for names in ["gzip", "br", "identity", "GZIP", "x-gzip", "gzip, br"] {
        let server = encoding(names);
        let arn = client(&server).latest_arn("requests", &region(), &target()).await;
        assert_eq!(arn.expect(names).version(), 4);
    }
}

#[tokio::test]
async fn unknown_encoding_is_named_in_the_error() {
    let server = encoding("zstd");
    let error = client(&server).latest_arn("requests", &region(), &target()).await;
    let error = error.expect_err("it cannot be read");
    let text = error.to_string();
    assert!(text.contains("it is compressed as zstd, which was not requested"), "{text}");
}

/// A few kilobytes that decompress to more than the limit of bodies.
#[tokio::test]
async fn decompression_bomb_stops_at_the_limit_of_bodies() {
    let zeros = vec![b' '; 64 * 1024 * 1024];
    for (name, bomb) in [("gzip", gzip(&zeros)), ("br", brotli(&zeros))] {
        assert!(bomb.len() < 1024 * 1024);
        let server = Server::start(move |_, stream| send(stream, name, &bomb));
        let error = client(&server).latest_arn("requests", &region(), &target()).await;
        assert!(matches!(error, Err(Error::TooLarge { .. })), "{error:?}");
    }
}
