//! Serving a catalog: the HTTP API v2.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::handler::HandlerWithoutStateExt as _;
use axum::response::Response;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::catalog::Catalog;

mod answer;

pub use answer::{Answer, answer};

/// A server of the API over one catalog.
///
/// It only reads the catalog, and asks it anew for every request, so that what another process
/// commits is served at once.
///
/// ```
/// use std::sync::Arc;
///
/// use klayers_build::catalog::SqliteCatalog;
/// use klayers_build::serve::Server;
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
    patience: Duration,
}

impl Server {
    /// How long [`run`](Self::run) lets requests end that are under way when it is told to stop.
    pub const PATIENCE: Duration = Duration::from_secs(10);

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
            patience: Self::PATIENCE,
        })
    }

    /// The same with another time than [`PATIENCE`](Self::PATIENCE).
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
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
        let Self { listener, address, catalog, patience } = self;
        let handler = move |request: Request| {
            let catalog = Arc::clone(&catalog);
            async move {
                let (method, path) = (request.method().as_str(), request.uri().path());
                response(answer(method, path, &*catalog).await)
            }
        };
        // A small answer is not to wait for the acknowledgement of the one before it.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let (stopping, stopped) = oneshot::channel();
        let serving =
            axum::serve(listener, handler.into_make_service()).with_graceful_shutdown(async move {
                shutdown.await;
                let _ = stopping.send(());
            });
        tokio::select! {
            ended = async { serving.await } => {
                ended.map_err(|source| ServeError::Listen { address, source })
            }
            () = async {
                // Without a word, the server has ended, and the other branch says how.
                match stopped.await {
                    Ok(()) => tokio::time::sleep(patience).await,
                    Err(_) => std::future::pending().await,
                }
            } => Ok(()),
        }
    }
}

fn response(answer: Answer) -> Response {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer is not one that HTTP can carry");
        let mut internal = Response::new(Body::empty());
        *internal.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        internal
    })
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
