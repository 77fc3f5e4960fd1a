//! Serving a catalog: the HTTP API v2, and pages for people.

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
mod encoding;
mod metrics;
mod prepared;
mod range;
mod timed_stream;

use answer::Answers;
use documents::Documents;
use metrics::Metrics;

/// What clients may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How many connections are open at most; who comes then is turned away.
    pub connections: usize,
    /// How long the head of a request may take to arrive.
    pub header: Duration,
    /// How large it may be, in bytes. What is larger is refused by whoever reads it, without a
    /// word on why.
    pub head: usize,
    /// How long a connection may lie still between requests.
    pub idle: Duration,
    /// How long a client may take to accept the next part of an answer.
    pub stalled: Duration,
    /// About how much memory the bodies may take that are kept, in bytes.
    pub kept: usize,
}

impl Default for Limits {
    /// 16,384 connections; 10 seconds for a head of 64 KiB, 75 between requests, 30 for a part of an
    /// answer; 512 MiB.
    fn default() -> Self {
        Self {
            connections: 16_384,
            header: Duration::from_secs(10),
            head: 64 << 10,
            idle: Duration::from_secs(75),
            stalled: Duration::from_secs(30),
            kept: 512 << 20,
        }
    }
}

/// A server of a collection's public face over one catalog.
///
/// It only reads the catalog. What another process commits is seen within a second; until
/// then all answers are those from before.
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
    patience: Duration,
}

impl Server {
    /// How long [`run`](Self::run) lets requests end that are under way when it is told to stop.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// How often it looks whether the catalog changed.
    const LOOKS_EVERY: Duration = Duration::from_millis(250);

    /// Takes an address; with port 0, a free port of it. Requests wait from then on, and are
    /// answered by [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the address is not to be had.
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
            patience: Self::PATIENCE,
        })
    }

    /// The same with another time than [`PATIENCE`](Self::PATIENCE).
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The address that it listens on, with the port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is ready. Then it takes no more, and returns when those
    /// under way are answered or its patience is at an end; what is still open after that ends
    /// with the runtime.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`] if no more connections can be taken.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Self { listener, address, catalog, limits, patience } = self;
        let site = Site::new(catalog, limits.kept);
        let answers = Arc::clone(&site.answers);
        let serving = connections::serve(listener, answers, limits, shutdown, patience);
        tokio::select! {
            ended = serving => ended.map_err(|source| ServeError::Listen { address, source }),
            () = site.keep_up() => Ok(()),
        }
    }
}

/// What a server answers, without its sockets.
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
    answers: Arc<Answers>,
}

impl Site {
    /// A site that keeps about `kept` bytes of bodies at most.
    pub fn new(catalog: Arc<dyn Catalog>, kept: usize) -> Self {
        let metrics = Arc::new(Metrics::new());
        let documents = Documents::new(catalog, kept, Arc::clone(&metrics));
        let healthy = AtomicBool::new(true);
        Self { answers: Arc::new(Answers { documents, metrics, healthy }) }
    }

    /// Answers a request.
    pub async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        self.answers.answer(request).await
    }

    /// Brings what is kept up to date with the catalog. If the catalog cannot be read, what is kept
    /// stays.
    pub async fn refresh(&self) {
        let outcome = self.answers.documents.refresh().await;
        let was_healthy = self.answers.healthy.swap(outcome.is_ok(), Ordering::Relaxed);
        if let Err(error) = outcome {
            self.answers.metrics.catalog_failures.inc();
            if was_healthy {
                let error = &error as &dyn std::error::Error;
                error!(error, "the catalog cannot be read; what was read before is served on");
            }
        }
    }

    /// Does so again and again.
    async fn keep_up(&self) {
        loop {
            self.refresh().await;
            tokio::time::sleep(Server::LOOKS_EVERY).await;
        }
    }
}

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another program has the address.
    #[error("another program listens on {address}; choose another port, or 0 for a free one")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// It cannot listen.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}
