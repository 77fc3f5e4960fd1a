//! A server on loopback that receives notifications, and can answer incorrectly.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::task::JoinHandle;

/// An answer to a message. Without one, the server accepts it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taken {
    /// This status.
    Status(u16),
    /// A redirection to another path of this server.
    Elsewhere,
    /// No answer.
    Silence,
}

/// A server that runs until it is dropped.
pub(crate) struct Hook {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    next: Mutex<VecDeque<Taken>>,
    told: Mutex<Vec<serde_json::Value>>,
}

impl Hook {
    /// The secret part of the URL.
    pub(crate) const SECRET: &str = "T0SECRET";

    pub(crate) async fn start(next: impl IntoIterator<Item = Taken>) -> Self {
        let shared = Arc::new(Shared::default());
        shared.next.lock().unwrap().extend(next);
        let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let running = tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { address, shared, running }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook/{}", self.address, Self::SECRET)
    }

    /// Returns the messages since the last call.
    pub(crate) fn told(&self) -> Vec<serde_json::Value> {
        std::mem::take(&mut self.shared.told.lock().unwrap())
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    shared.told.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let next = shared.next.lock().unwrap().pop_front();
    match next {
        None => StatusCode::OK.into_response(),
        Some(Taken::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Taken::Elsewhere) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, path)]).into_response()
        }
        Some(Taken::Silence) => {
            tokio::time::sleep(Duration::from_mins(2)).await;
            StatusCode::OK.into_response()
        }
    }
}
