//! The public collection's API on loopback: plain rows, in no order, and what can go wrong with it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{BuildOf, Row};

/// How requests to paths that contain a text are answered, and how many of them.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(crate) path: &'static str,
    pub(crate) times: usize,
    pub(crate) status: u16,
    /// The body; none for the right one.
    pub(crate) body: Option<String>,
}

struct Shared {
    rows: Vec<Row>,
    builds: Vec<BuildOf>,
    wrong: Mutex<Vec<Wrong>>,
    asked: Mutex<Vec<String>>,
}

pub(crate) struct PublicApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl PublicApi {
    pub(crate) fn new(rows: Vec<Row>, builds: Vec<BuildOf>) -> Self {
        let (wrong, asked) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { rows, builds, wrong, asked });
        let runtime = Runtime::new().unwrap();
        let socket = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = socket.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { address, shared, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn answer_wrongly(&self, wrong: Wrong) {
        self.shared.wrong.lock().unwrap().push(wrong);
    }

    /// How often paths that contain a text were asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.shared.asked.lock().unwrap().iter().filter(|asked| asked.contains(path)).count()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    shared.asked.lock().unwrap().push(path.clone());
    let wrong = {
        let mut all = shared.wrong.lock().unwrap();
        let fits = |wrong: &&mut Wrong| wrong.times > 0 && path.contains(wrong.path);
        all.iter_mut().find(fits).map(|wrong| {
            wrong.times -= 1;
            wrong.clone()
        })
    };
    let right = serde_json::to_string(&list(&shared, &path)).unwrap();
    let (status, body) = match wrong {
        Some(Wrong { status, body, .. }) => (status, body.unwrap_or(right)),
        None => (200, right),
    };
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// As the public server has it: what it does not know is an empty list, and a package is found under
/// the spelling that is listed alone.
fn list(shared: &Shared, path: &str) -> Vec<Value> {
    let parts: Vec<&str> = path.trim_start_matches("/api/v2/").split('/').collect();
    let existing = || shared.rows.iter().filter(|row| !row.deleted);
    match parts[..] {
        [target, "layers", "latest", region] => existing()
            .filter(|row| (row.target, row.region) == (target, region) && row.expires.is_none())
            .map(Row::latest_row)
            .collect(),
        [target, "layers", region, package] => existing()
            .filter(|row| (row.target, row.region, row.package) == (target, region, package))
            .map(Row::version_row)
            .collect(),
        [target, "builds", "latest"] => {
            shared.builds.iter().filter(|build| build.target == target).map(BuildOf::row).collect()
        }
        _ => Vec::new(),
    }
}
