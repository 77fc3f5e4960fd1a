//! Limits on clients, and service to other clients meanwhile.

use std::time::Duration;

use klayers_site::serve::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Served, soon};
use crate::samples::build;

fn short() -> Limits {
    let soon = Duration::from_millis(300);
    Limits { head_timeout: soon, idle_timeout: soon, send_timeout: soon, ..Limits::default() }
}

async fn ends(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset ends the connection as well.
    let _ = soon(connection.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn clients_that_send_a_head_too_slowly_are_disconnected() {
    let served = Served::with_limits(short()).await;
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    let trickle = async {
        // Each byte arrives before the connection counts as idle.
        for byte in b"GET /api/v2/targets HTTP/1.1\r\nx-long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
            if slow.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ends(&mut slow).await;
    };
    soon(trickle).await;
    assert_eq!(served.body("/api/v2/targets").await, "[]");
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let served = Served::with_limits(short()).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ends(&mut silent).await, "");
    // The limit applies between requests as well.
    let mut connection = TcpStream::connect(served.address).await.unwrap();
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = ends(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn clients_that_do_not_read_the_response_are_disconnected() {
    let served = Served::with_limits(short()).await;
    for number in 0..200 {
        let name = format!("package-{number:03}-{}", "x".repeat(60));
        served.publish(&build("p3.12", &name, "1.0"), "eu-west-1", 1).await;
    }
    let mut never = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /api/v2/p3.12/layers/latest/eu-west-1 HTTP/1.1\r\nHost: x\r\n\r\n";
    // The responses far exceed the system's buffers.
    never.write_all(request.repeat(400).as_bytes()).await.unwrap();
    soon(async {
        let open = "klayers_connections ";
        loop {
            let metrics = served.body("/metrics").await;
            let count = metrics.lines().find_map(|line| line.strip_prefix(open)).unwrap();
            if count == "1" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    drop(never);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_until_another_ends() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let served = Served::with_limits(limits).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut connection = TcpStream::connect(served.address).await.unwrap();
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        soon(connection.read_exact(&mut first)).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        open.push(connection);
    }
    let mut late = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ends(&mut late).await, "");
    open.clear();
    soon(async {
        while served.client.get(served.url("/healthz")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(served.body("/metrics").await.contains("klayers_turned_away_total"));
}
