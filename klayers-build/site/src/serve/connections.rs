//! Accepting connections, within the limits on their number and on how long each may take.

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
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::Limits;
use super::answer::Responder;
use super::timed_stream::TimedStream;

/// Accepts connections and answers their requests until `shutdown` is ready. Then it accepts no
/// more, and returns when the requests in progress are answered, or after `shutdown_timeout`.
pub(super) async fn serve(
    listener: TcpListener,
    responder: Arc<Responder>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
    shutdown_timeout: Duration,
) -> io::Result<()> {
    let free = Arc::new(Semaphore::new(limits.connections));
    let open = GracefulShutdown::new();
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
                // Usually the process has too many open files. Some will be closed soon.
                warn!(%error, "could not accept a connection; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            // The connection is closed without a response, which would take as long as an answer.
            responder.metrics.turned_away.inc();
            continue;
        };
        // A small answer must not wait until the client acknowledges the previous one.
        let _ = stream.set_nodelay(true);
        let metrics = Arc::clone(&responder.metrics);
        let connection = open.watch(connection(stream, Arc::clone(&responder), &limits));
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
        () = tokio::time::sleep(shutdown_timeout) => {}
    }
    Ok(())
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn connection(
    stream: TcpStream,
    responder: Arc<Responder>,
    limits: &Limits,
) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
    let stream = TimedStream::new(stream, limits.idle_timeout, limits.send_timeout);
    let service = service_fn(move |request: Request<Incoming>| {
        let responder = Arc::clone(&responder);
        async move { Ok::<Response<Body>, Infallible>(responder.answer(&request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), service)
}
