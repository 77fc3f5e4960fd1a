//! A server of wheels on loopback that can answer incorrectly.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use tokio::task::JoinHandle;

use super::WheelFile;

/// An answer to a request. Without one, the server answers correctly.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The requested bytes, but the connection breaks after this number.
    Cut(usize),
    /// The whole file, whatever range was requested.
    Whole,
    /// A range with another start than requested.
    OtherPart,
    /// A status, with a `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Other bytes.
    Other(Vec<u8>),
    /// The file in pieces, with this pause before each.
    Slow(Duration),
    /// The beginning, then silence.
    Silence(usize),
    /// Endless bytes.
    Endless,
    /// A redirection to another server.
    Elsewhere(String),
}

/// A received request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) login: Option<String>,
}

/// The requirements and omissions of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    /// The required `Authorization` header.
    pub(crate) login: Option<String>,
    /// The query that links to files have, and that requests must include.
    pub(crate) signature: Option<String>,
    /// Whether links to files lack the SHA-256.
    pub(crate) without_hashes: bool,
}

/// A server that runs until it is dropped.
pub(crate) struct WheelServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    running: JoinHandle<()>,
}

struct Shared {
    wheels: Vec<(String, Vec<u8>)>,
    manner: Manner,
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

impl WheelServer {
    pub(crate) async fn of(wheels: &[WheelFile]) -> Self {
        Self::start(wheels, [], Manner::default()).await
    }

    /// A server that also has other files.
    pub(crate) async fn with_files(
        wheels: &[WheelFile],
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Self {
        Self::start(wheels, files, Manner::default()).await
    }

    /// A server that requires this `Authorization` header.
    pub(crate) async fn behind(login: &str, wheels: &[WheelFile]) -> Self {
        let login = Some(login.to_owned());
        Self::start(wheels, [], Manner { login, ..Manner::default() }).await
    }

    /// A server with these manners.
    pub(crate) async fn with_manner(wheels: &[WheelFile], manner: Manner) -> Self {
        Self::start(wheels, [], manner).await
    }

    async fn start(
        wheels: &[WheelFile],
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
        manner: Manner,
    ) -> Self {
        let wheels = wheels.iter().map(|wheel| (wheel.filename(), wheel.bytes()));
        let shared = Arc::new(Shared {
            wheels: wheels.chain(files).collect(),
            manner,
            answers: Mutex::default(),
            asked: Mutex::default(),
        });
        let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let running = tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { address, shared, running }
    }

    /// Sets the answers to the next requests, one each. Later requests are answered correctly.
    pub(crate) fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Returns the requests since the last call.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }

    /// Returns the requested ranges since the last call of [`WheelServer::asked`].
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        self.asked().into_iter().map(|asked| asked.range).collect()
    }
}

impl Drop for WheelServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let value = |name| request.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (range, login) = (value(header::RANGE), value(header::AUTHORIZATION));
    let next = shared.answers.lock().unwrap().pop_front();
    let asked = Asked { path: path.clone(), range: range.clone(), login: login.clone() };
    shared.asked.lock().unwrap().push(asked);
    let Manner { login: needed, signature, .. } = &shared.manner;
    if needed.is_some() && login != *needed {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if path.starts_with("simple/") {
        return index(&shared, path.trim_start_matches("simple/").trim_end_matches('/'));
    }
    if signature.is_some() && request.uri().query() != signature.as_deref() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let name = path.rsplit('/').next().unwrap();
    let Some((_, wheel)) = shared.wheels.iter().find(|(filename, _)| filename == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let from = range
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    bytes(wheel, from, next)
}

/// The page of a package in a simple index (PEP 503).
fn index(shared: &Shared, package: &str) -> Response {
    let links: Vec<String> = shared
        .wheels
        .iter()
        .filter(|(filename, _)| filename.starts_with(&format!("{package}-")))
        .map(|(filename, bytes)| {
            let digest = klayers_core::Digest::of(bytes);
            let Manner { signature, without_hashes, .. } = &shared.manner;
            let query = signature.as_ref().map(|signature| format!("?{signature}"));
            let query = query.unwrap_or_default().replace('&', "&amp;");
            let hash = if *without_hashes { String::new() } else { format!("#sha256={digest}") };
            format!("<a href=\"/files/{filename}{query}{hash}\">{filename}</a>")
        })
        .collect();
    if links.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let html = format!("<!DOCTYPE html><html><body>{}</body></html>", links.join("\n"));
    ([(header::CONTENT_TYPE, "text/html")], html).into_response()
}

fn bytes(wheel: &[u8], from: Option<usize>, next: Option<Answer>) -> Response {
    let ok = |body: Body| (StatusCode::OK, body).into_response();
    match next {
        None => part(wheel, from.unwrap_or(0), from.is_some()),
        Some(Answer::Whole) => ok(wheel.to_vec().into()),
        Some(Answer::OtherPart) => part(wheel, 1, true),
        Some(Answer::Other(other)) => ok(other.into()),
        Some(Answer::Status(status, wait)) => {
            let mut headers = HeaderMap::new();
            if let Some(wait) = wait {
                headers.insert(header::RETRY_AFTER, wait.parse().unwrap());
            }
            (StatusCode::from_u16(status).unwrap(), headers).into_response()
        }
        Some(Answer::Cut(length)) => {
            let first = from.unwrap_or(0);
            let begun = Ok(Bytes::copy_from_slice(&wheel[first..][..length]));
            let broken = Err(std::io::Error::other("as told"));
            // Bytes sent before are lost if the connection breaks at the same time.
            let later = stream::once(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                broken
            });
            let body = Body::from_stream(stream::iter([begun]).chain(later));
            part(wheel, first, from.is_some()).map(|_| body)
        }
        Some(Answer::Slow(pause)) => {
            let pieces: Vec<Bytes> = wheel.chunks(97).map(Bytes::copy_from_slice).collect();
            ok(Body::from_stream(stream::iter(pieces).then(move |piece| async move {
                tokio::time::sleep(pause).await;
                Ok::<_, Infallible>(piece)
            })))
        }
        Some(Answer::Silence(length)) => {
            let begun = Ok::<_, Infallible>(Bytes::copy_from_slice(&wheel[..length]));
            ok(Body::from_stream(stream::iter([begun]).chain(stream::pending())))
        }
        Some(Answer::Endless) => {
            let piece = Bytes::from(vec![b'x'; 1 << 16]);
            ok(Body::from_stream(stream::repeat(piece).map(Ok::<_, Infallible>)))
        }
        Some(Answer::Elsewhere(url)) => {
            (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
        }
    }
}

fn part(wheel: &[u8], from: usize, in_part: bool) -> Response {
    if !in_part {
        return (StatusCode::OK, wheel.to_vec()).into_response();
    }
    let Some(rest) = wheel.get(from..).filter(|rest| !rest.is_empty()) else {
        return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    };
    let range = format!("bytes {from}-{}/{}", wheel.len() - 1, wheel.len());
    let headers = [(header::CONTENT_RANGE, range)];
    (StatusCode::PARTIAL_CONTENT, headers, rest.to_vec()).into_response()
}
