//! Answers that do not fit into the socket's buffers.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::{Served, soon};
use crate::samples::build;

const LIST: &str = "/api/v2/p3.12/layers/latest/eu-west-1";

/// A server with lists of more than 16 KiB.
async fn with_long_lists() -> Served {
    let served = Served::empty().await;
    for number in 0..200 {
        let name = format!("package-{number:03}-{}", "x".repeat(60));
        served.publish(&build("p3.12", &name, "1.0"), "eu-west-1", 1).await;
    }
    served
}

/// Sends many requests at once, reads the answers slowly, and compares each with the expected body.
async fn ask_and_compare(served: &Served, asked: &[(String, Vec<u8>)]) {
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4096).unwrap();
    let (mut reader, mut writer) = client.connect(served.address).await.unwrap().into_split();
    let requests: String = asked.iter().map(|(request, _)| request.as_str()).collect();
    let sending = tokio::spawn(async move {
        writer.write_all(requests.as_bytes()).await.unwrap();
        writer
    });
    let (mut received, mut some) = (Vec::new(), vec![0; 5003]);
    for (number, (request, expected)) in asked.iter().enumerate() {
        let head = loop {
            if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            let read = soon(reader.read(&mut some)).await.unwrap();
            assert!(read > 0, "{number}: {request}");
            received.extend_from_slice(&some[..read]);
        };
        let body = received.split_off(head);
        assert!(received.starts_with(b"HTTP/1.1 20"), "{number}: {request}");
        received = body;
        while received.len() < expected.len() {
            let read = soon(reader.read(&mut some)).await.unwrap();
            assert!(read > 0, "{number}: {request}");
            received.extend_from_slice(&some[..read]);
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let rest = received.split_off(expected.len());
        assert!(received == *expected, "{number}: a byte differs in the answer to {request}");
        received = rest;
    }
    assert!(received.is_empty());
    drop(soon(sending).await.unwrap());
}

#[tokio::test]
async fn pipelined_requests_get_the_right_bytes_when_read_slowly() {
    let served = with_long_lists().await;
    let csv = format!("{LIST}/csv");
    let (list, table) =
        (served.body(LIST).await.into_bytes(), served.body(&csv).await.into_bytes());
    assert!(list.len() > 33_000 && table.len() > 20_000, "{} {}", list.len(), table.len());
    let gzip = served.client.get(served.url(LIST)).header("accept-encoding", "gzip");
    let gzip = gzip.send().await.unwrap().bytes().await.unwrap().to_vec();
    assert!(gzip.starts_with(&[0x1f, 0x8b]));

    let request = |method: &str, path: &str, fields: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
    };
    let last = list.len() - 1;
    let kinds = [
        (request("GET", LIST, ""), list.clone()),
        (request("HEAD", LIST, ""), Vec::new()),
        (request("GET", &csv, ""), table.clone()),
        (request("GET", LIST, "Range: bytes=1000-20999\r\n"), list[1000..21_000].to_vec()),
        (request("GET", LIST, "Accept-Encoding: gzip\r\n"), gzip),
        (request("GET", LIST, "Range: bytes=-17000\r\n"), list[last - 16_999..].to_vec()),
        (request("GET", LIST, "Range: bytes=5-9\r\n"), list[5..10].to_vec()),
        (request("GET", "/healthz", ""), b"ok\n".to_vec()),
        (request("GET", LIST, ""), list.clone()),
    ];
    let asked: Vec<_> = kinds.iter().cycle().take(300).cloned().collect();
    ask_and_compare(&served, &asked).await;

    // A client that is reading the old list receives all of it; later requests get the new list.
    let early = TcpSocket::new_v4().unwrap();
    early.set_recv_buffer_size(4096).unwrap();
    let mut early = early.connect(served.address).await.unwrap();
    let close = request("GET", LIST, "Connection: close\r\n");
    early.write_all(close.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    soon(early.read_exact(&mut first)).await.unwrap();
    served.publish(&build("p3.12", "package-000", "2.0"), "eu-west-1", 2).await;
    let new = soon(async {
        loop {
            let now = served.body(LIST).await.into_bytes();
            if now != list {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let new = new.await;
    ask_and_compare(&served, &vec![(request("GET", LIST, ""), new); 40]).await;
    let mut rest = Vec::new();
    soon(early.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.ends_with(&list), "the old list is sent to its end");
}
