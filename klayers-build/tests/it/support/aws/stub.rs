//! A stub of Lambda that answers from memory with a fixed delay. For measuring our side, where an
//! emulator would be the bottleneck.

mod layers;
mod upload;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use futures::StreamExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use url::Url;

use super::call::{Call, Operation};
use super::fault::Answer;
use super::server::Server;
use layers::Layers;
use upload::Upload;

/// Size limit for bodies other than layers, in bytes.
const SMALL_BODY: usize = 1 << 20;

/// Accepts every region and account, taken from signatures without checking them. It keeps the
/// digest of a zip instead of the zip, so nothing can be downloaded, and holds only one chunk of a
/// body at a time.
pub(crate) struct StubLambda {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    delay: Duration,
    layers: Mutex<Layers>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    calls: Vec<Call>,
    received: u64,
    now: usize,
    most_at_once: usize,
}

impl StubLambda {
    /// Answers each call this long after reading it.
    pub(crate) async fn start(delay: Duration) -> Self {
        let shared = Arc::new(Shared { delay, layers: Mutex::default(), counts: Mutex::default() });
        let answering = Arc::clone(&shared);
        let server = Server::start(move |request| handle(Arc::clone(&answering), request)).await;
        Self { server, shared }
    }

    /// URL that clients use in place of AWS.
    pub(crate) fn url(&self) -> Url {
        self.server.url()
    }

    /// Number of calls of an operation, in one region or in all.
    pub(crate) fn count(&self, region: Option<&str>, operation: Operation) -> usize {
        let counts = self.shared.counts.lock().unwrap();
        let here = |call: &&Call| region.is_none_or(|region| region == call.region);
        counts.calls.iter().filter(here).filter(|call| call.operation == operation).count()
    }

    /// Total body size of all calls, in bytes.
    pub(crate) fn received(&self) -> u64 {
        self.shared.counts.lock().unwrap().received
    }

    /// Highest number of concurrent calls.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.counts.lock().unwrap().most_at_once
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let call = Call::of(&parts);
    let _under_way = UnderWay::new(&shared, call.clone());
    let (body, upload) = if call.operation == Operation::PublishLayerVersion {
        let upload = read(&shared, Body::new(body)).await?;
        (upload.rest().to_vec(), Some(upload))
    } else {
        let body = to_bytes(Body::new(body), SMALL_BODY).await.map_err(io::Error::other)?;
        shared.counts.lock().unwrap().received += body.len() as u64;
        (body.to_vec(), None)
    };
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let answer = shared.layers.lock().unwrap().answer(&call, &body, upload);
    tokio::time::sleep(shared.delay).await;
    if call.operation == Operation::Sts {
        let account = call.account.unwrap_or_else(|| "000000000000".to_owned());
        let identity = format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{account}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        return Ok(Response::builder()
            .header("content-type", "text/xml")
            .body(identity.into())
            .unwrap());
    }
    Ok(match answer {
        Ok((status, body)) => Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(if body.is_null() { Body::empty() } else { body.to_string().into() })
            .unwrap(),
        Err(answer) => answer.response(call.operation),
    })
}

async fn read(shared: &Shared, body: Body) -> io::Result<Upload> {
    let mut upload = Upload::default();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(io::Error::other)?;
        shared.counts.lock().unwrap().received += piece.len() as u64;
        upload.push(&piece);
    }
    Ok(upload)
}

/// Counts a call, which is under way while this lives.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn new(shared: &Arc<Shared>, call: Call) -> Self {
        let mut counts = shared.counts.lock().unwrap();
        counts.calls.push(call);
        counts.now += 1;
        counts.most_at_once = counts.most_at_once.max(counts.now);
        Self(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.counts.lock().unwrap().now -= 1;
    }
}

/// The answer for a missing resource.
fn not_found() -> Answer {
    let message = "The resource you requested does not exist.";
    Answer::new(404, "ResourceNotFoundException", message)
}
