//! Addresses, slow clients, shutdown and concurrent readers.

use std::sync::Arc;
use std::time::Duration;

use klayers_catalog::SqliteCatalog;
use klayers_core::api::{DeployStatus, LatestRow, VersionRow};
use klayers_site::serve::{ServeError, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Served, soon};
use crate::samples::build;

#[tokio::test]
async fn error_names_an_address_in_use() {
    let served = Served::empty().await;
    let catalog = SqliteCatalog::open(served.folder.path().join("klayers.db")).unwrap();
    let error = Server::bind(served.address, Arc::new(catalog)).await.unwrap_err();
    assert!(
        matches!(error, ServeError::AddressInUse { address } if address == served.address),
        "{error:?}"
    );
    assert!(error.to_string().contains(&served.address.to_string()));
}

#[tokio::test]
async fn error_names_an_address_of_another_machine() {
    let served = Served::empty().await;
    let catalog = SqliteCatalog::open(served.folder.path().join("klayers.db")).unwrap();
    // An address reserved for documentation, which no machine has.
    let elsewhere = "192.0.2.1:0".parse().unwrap();
    let error = Server::bind(elsewhere, Arc::new(catalog)).await.unwrap_err();
    assert!(matches!(error, ServeError::Listen { address, .. } if address == elsewhere));
}

#[tokio::test]
async fn slow_clients_delay_no_other_clients() {
    let served = Served::with_layers().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut connection = TcpStream::connect(served.address).await.unwrap();
        connection.write_all(b"GET /api/v2/tar").await.unwrap();
        slow.push(connection);
    }
    for _ in 0..20 {
        soon(served.body("/api/v2/p3.12/layers/latest/eu-west-1")).await;
    }
    let mut first = slow.swap_remove(0);
    let rest = b"gets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    first.write_all(rest).await.unwrap();
    let mut answer = String::new();
    soon(first.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn shutdown_closes_idle_connections_at_once() {
    let served = Served::with_layers().await;
    let client = served.client.clone();
    let answer = client.get(served.url("/api/v2/targets")).send().await.unwrap();
    answer.text().await.unwrap();
    served.stop.send(()).unwrap();
    soon(served.running).await.unwrap().unwrap();
    let refused = client.get(format!("http://{}/api/v2/targets", served.address));
    assert!(refused.send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn shutdown_waits_for_requests_in_progress_up_to_its_timeout() {
    let served = Served::with_layers().await;
    let mut ending = TcpStream::connect(served.address).await.unwrap();
    let mut never = TcpStream::connect(served.address).await.unwrap();
    ending.write_all(b"GET /api/v2/targets HTTP/1.1\r\n").await.unwrap();
    never.write_all(b"GET /api/v2/targets HTTP/1.1\r\n").await.unwrap();
    // Ensures that the server has accepted both before the shutdown.
    soon(served.body("/api/v2/targets")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    served.stop.send(()).unwrap();
    ending.write_all(b"Host: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon(ending.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    soon(served.running).await.unwrap().unwrap();
    drop(never);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_readers_see_either_the_old_or_the_new_list() {
    let served = Arc::new(Served::empty().await);
    served.publish(&build("p3.12", "requests", "1.0"), "eu-west-1", 1).await;
    let last = 40;
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let served = Arc::clone(&served);
            tokio::spawn(async move {
                let mut seen = 0;
                while seen < last {
                    let body = served.body("/api/v2/p3.12/layers/latest/eu-west-1").await;
                    let rows: Vec<LatestRow> = serde_json::from_str(&body).unwrap();
                    let [row] = rows.as_slice() else { panic!("{body}") };
                    assert!(row.arn.version() >= seen);
                    seen = row.arn.version();
                    assert_eq!(row.package_version.to_string(), format!("{seen}.0"));

                    let body = served.body("/api/v2/p3.12/layers/eu-west-1/requests").await;
                    let rows: Vec<VersionRow> = serde_json::from_str(&body).unwrap();
                    let newest = rows.last().unwrap().arn.version();
                    assert!(newest >= seen);
                    assert_eq!(newest, rows.len() as u64);
                    let latest = |row: &&VersionRow| row.deploy_status == DeployStatus::Latest;
                    assert_eq!(rows.iter().filter(latest).count(), 1, "{body}");
                }
            })
        })
        .collect();
    for number in 2..=last {
        let next = build("p3.12", "requests", &format!("{number}.0"));
        served.publish(&next, "eu-west-1", number).await;
    }
    for reader in readers {
        soon(reader).await.unwrap();
    }
}
