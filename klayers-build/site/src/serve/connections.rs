//! Connections: how many there are, and how long each may take.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::Limits;
use super::answer::Answers;
use super::files::{Excerpt, Files};
use super::socket::{Ahead, Socket};

/// Takes connections and answers what they ask, until `shutdown` is ready. Then it takes no more,
/// and returns when the requests under way are answered, or after `patience`.
pub(super) async fn serve(
    listener: TcpListener,
    answers: Arc<Answers>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
    patience: Duration,
) -> io::Result<()> {
    let free = Arc::new(Semaphore::new(limits.connections));
    let open = GracefulShutdown::new();
    let files = Arc::new(Files::new());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if concerns_one_connection(&error) => continue,
            Err(error) => {
                // There are too many open files, mostly: some will be closed.
                warn!(%error, "no connection can be taken for now");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            // It is closed without a word: to write one would take as long as to answer.
            answers.metrics.turned_away.inc();
            continue;
        };
        // A small answer is not to wait for the acknowledgement of the one before it.
        let _ = stream.set_nodelay(true);
        let metrics = Arc::clone(&answers.metrics);
        let connection =
            open.watch(connection(stream, Arc::clone(&answers), Arc::clone(&files), &limits));
        metrics.connections.inc();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            metrics.connections.dec();
            drop(permit);
        });
    }
    drop(listener);
    tokio::select! {
        () = open.shutdown() => {}
        () = tokio::time::sleep(patience) => {}
    }
    Ok(())
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn connection(
    stream: TcpStream,
    answers: Arc<Answers>,
    files: Arc<Files>,
    limits: &Limits,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send + 'static {
    let ahead = Ahead::default();
    let socket = Socket::new(stream, ahead.clone(), limits.idle, limits.stalled);
    let service = service_fn(move |request: Request<Incoming>| {
        let (answers, files, ahead) = (Arc::clone(&answers), Arc::clone(&files), ahead.clone());
        async move {
            let mut response = answers.answer(&request).await;
            ahead.put(match response.extensions_mut().remove::<Excerpt>() {
                Some(excerpt) => files.find(excerpt).await,
                None => None,
            });
            Ok::<Response<Body>, Infallible>(response)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(limits.head)
        .serve_connection(TokioIo::new(socket), service)
}
