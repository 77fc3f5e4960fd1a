//! The HTTP API v2, over real sockets.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use klayers_catalog::{Catalog, SqliteCatalog};
use klayers_core::{Build, LayerVersion};
use klayers_site::serve::{Limits, ServeError, Server};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::samples::{arn, at, build, published};

mod bodies;
mod changes;
mod crowds;
mod limits;
mod long_bodies;
mod misses;
mod negotiation;
mod pages;
mod sockets;

/// A server whose catalog is written through another connection.
struct Served {
    folder: TempDir,
    catalog: SqliteCatalog,
    address: SocketAddr,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    async fn empty() -> Self {
        Self::with_limits(Limits::default()).await
    }

    async fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("klayers.db");
        let catalog = SqliteCatalog::open(&file).unwrap();
        let reader = Arc::new(SqliteCatalog::open_read_only(&file).unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(address, reader).await.unwrap();
        let server = server.with_limits(limits).with_shutdown_timeout(Duration::from_millis(300));
        let (stop, stopped) = oneshot::channel();
        Self {
            folder,
            catalog,
            address: server.local_addr(),
            // A proxy from the environment cannot reach this machine's loopback.
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            stop,
            running: tokio::spawn(server.run(async {
                let _ = stopped.await;
            })),
        }
    }

    /// A server with two packages in two regions. One of them has two targets and three versions: a
    /// deleted, a deprecated and the latest one.
    async fn with_layers() -> Self {
        let served = Self::empty().await;
        for place in ["us-east-1", "eu-west-1"] {
            for for_target in ["p3.12-arm64", "p3.12"] {
                for (version, number) in [("2.31.0", 1), ("2.32.4", 2), ("2.32.5", 3)] {
                    let requests = build(for_target, "requests", version);
                    served.publish(&requests, place, number).await;
                }
                let oldest = arn(&build(for_target, "requests", "2.31.0"), place, 1);
                let deleted = served.catalog.begin_deletion(&oldest, at("2027-11-07T02:00:00Z"));
                deleted.await.unwrap();
            }
            let pillow = Build {
                license: Some("=cmd|'/c calc'!A0 <script>alert(1)</script>\r\n\u{202e}".to_owned()),
                ..build("p3.12", "Pillow", "12.0.0")
            };
            served.publish(&pillow, place, 41).await;
        }
        served
    }

    async fn publish(&self, build: &Build, region: &str, number: u64) {
        self.catalog.record_build(build).await.unwrap();
        let version: LayerVersion = published(build, region, number);
        let expires_at = at("2027-11-01T02:00:00.987654321Z");
        self.catalog.complete(&version, expires_at).await.unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    async fn body(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// Sends bytes and reads until the connection ends.
    async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(request.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        soon(connection.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// Fails the test if the future takes longer than 20 seconds.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let deadline = Duration::from_secs(20);
    tokio::time::timeout(deadline, what).await.expect("in time")
}
