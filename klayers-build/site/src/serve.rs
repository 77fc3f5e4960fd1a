//! An HTTP server for a catalog: API v2, and pages for people.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use tokio::net::TcpListener;
use tracing::error;

use klayers_catalog::Catalog;

mod answer;
mod connections;
mod documents;
mod encoded;
mod encoding;
mod metrics;
mod range;
mod timed_stream;

use answer::Responder;
use documents::Documents;
use metrics::Metrics;

/// Limits on what clients may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The largest number of open connections. Further connections are closed at once.
    pub connections: usize,
    /// How long the head of a request (request line and header fields) may take to arrive.
    pub head_timeout: Duration,
    /// The largest head of a request, in bytes. Larger heads are refused without an explanation.
    pub head_bytes: usize,
    /// How long a connection may stay idle between requests.
    pub idle_timeout: Duration,
    /// How long a client may take to accept the next part of a response.
    pub send_timeout: Duration,
    /// The approximate limit on memory for cached bodies, in bytes.
    pub cache_bytes: usize,
}

impl Default for Limits {
    /// 16,384 connections, 10 seconds for a head of at most 64 KiB, 75 seconds between requests, 30
    /// seconds for a part of a response, 512 MiB of cached bodies.
    fn default() -> Self {
        Self {
            connections: 16_384,
            head_timeout: Duration::from_secs(10),
            head_bytes: 64 << 10,
            idle_timeout: Duration::from_secs(75),
            send_timeout: Duration::from_secs(30),
            cache_bytes: 512 << 20,
        }
    }
}

/// An HTTP server for the API and the pages of one collection.
///
/// The server only reads the catalog. It shows changes by other processes within a second; until
/// then all its responses are from before the change.
///
/// ```
/// use std::sync::Arc;
///
/// use klayers_catalog::SqliteCatalog;
/// use klayers_site::serve::Server;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// let catalog = SqliteCatalog::open(folder.path().join("klayers.db"))?;
/// let server = Server::bind("127.0.0.1:0".parse()?, Arc::new(catalog)).await?;
/// let address = server.local_addr();
/// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
/// let running = tokio::spawn(server.run(async { drop(stopped.await) }));
///
/// let answer = reqwest::Client::builder().no_proxy().build()?
///     .get(format!("http://{address}/api/v2/p3.13/layers/latest/eu-west-1"))
///     .send().await?;
/// assert_eq!(answer.text().await?, "[]");
///
/// drop(stop);
/// running.await??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    catalog: Arc<dyn Catalog>,
    limits: Limits,
    shutdown_timeout: Duration,
}

impl Server {
    /// How long [`run`](Self::run) waits at shutdown for requests in progress.
    pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

    /// The interval between checks for changes of the catalog.
    const LOOKS_EVERY: Duration = Duration::from_millis(250);

    /// Binds an address; port 0 chooses a free port. Requests are queued from then on, and
    /// [`run`](Self::run) answers them.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the address cannot be bound.
    pub async fn bind(address: SocketAddr, catalog: Arc<dyn Catalog>) -> Result<Self, ServeError> {
        let unavailable = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::AddressInUse { address },
            _ => ServeError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(unavailable)?;
        Ok(Self {
            address: listener.local_addr().map_err(unavailable)?,
            listener,
            catalog,
            limits: Limits::default(),
            shutdown_timeout: Self::SHUTDOWN_TIMEOUT,
        })
    }

    /// Replaces the default [`SHUTDOWN_TIMEOUT`](Self::SHUTDOWN_TIMEOUT).
    #[must_use]
    pub fn with_shutdown_timeout(self, shutdown_timeout: Duration) -> Self {
        Self { shutdown_timeout, ..self }
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The bound address, with the actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is ready. Then the server accepts no more connections, and
    /// returns when the requests in progress are answered or the shutdown timeout is over. Connections
    /// that are still open then end with the runtime.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`] if the server can accept no more connections.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Self { listener, address, catalog, limits, shutdown_timeout } = self;
        let site = Site::new(catalog, limits.cache_bytes);
        let responder = Arc::clone(&site.responder);
        let serving = connections::serve(listener, responder, limits, shutdown, shutdown_timeout);
        tokio::select! {
            ended = serving => ended.map_err(|source| ServeError::Listen { address, source }),
            () = site.keep_up() => Ok(()),
        }
    }
}

/// The responses of a server, without its sockets.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::http::Request;
/// use klayers_catalog::SqliteCatalog;
/// use klayers_site::serve::Site;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let site = Site::new(Arc::new(SqliteCatalog::in_memory()?), 1 << 20);
/// let answer = site.answer(&Request::get("/api/v2/targets").body(())?).await;
/// assert_eq!(answer.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Site {
    responder: Arc<Responder>,
}

impl Site {
    /// Creates a site that caches at most about `cache_bytes` bytes of bodies.
    pub fn new(catalog: Arc<dyn Catalog>, cache_bytes: usize) -> Self {
        let metrics = Arc::new(Metrics::new());
        let documents = Documents::new(catalog, cache_bytes, Arc::clone(&metrics));
        let healthy = AtomicBool::new(true);
        Self { responder: Arc::new(Responder { documents, metrics, healthy }) }
    }

    /// Answers a request.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        self.responder.answer(request).await
    }

    /// Updates the cached documents to the catalog's latest change. If the catalog cannot be read,
    /// they stay as they are.
    pub async fn refresh(&self) {
        let outcome = self.responder.documents.refresh().await;
        let was_healthy = self.responder.healthy.swap(outcome.is_ok(), Ordering::Relaxed);
        if let Err(error) = outcome {
            self.responder.metrics.catalog_failures.inc();
            if was_healthy {
                let error = &error as &dyn std::error::Error;
                error!(error, "could not read the catalog; cached documents are served unchanged");
            }
        }
    }

    /// Refreshes at regular intervals, forever.
    async fn keep_up(&self) {
        loop {
            self.refresh().await;
            tokio::time::sleep(Server::LOOKS_EVERY).await;
        }
    }
}

/// The reason why a server cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another program listens on the address.
    #[error("another program listens on {address}; choose another port, or 0 for a free one")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The server cannot listen on the address.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
}
