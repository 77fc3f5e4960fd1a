//! A server on loopback that can close a connection without an answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// A server that runs until it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    running: JoinHandle<()>,
}

impl Server {
    /// Answers each request with the result of `answer`. If that is an error, closes the
    /// connection.
    pub(super) async fn start<A, F>(answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
    {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let answer = Arc::new(answer);
        let running = tokio::spawn(async move {
            // Dropping this ends the connections.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                connections.spawn(converse(stream, Arc::clone(&answer)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, running }
    }

    pub(super) fn url(&self) -> Url {
        format!("http://{}", self.address).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn converse<A, F>(stream: TcpStream, answer: Arc<A>)
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    let service = service_fn(|request| answer(request));
    // Errors are closed connections, which are expected.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
