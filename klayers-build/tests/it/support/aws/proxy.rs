//! A proxy in front of an emulator that injects faults of the network and of AWS.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use futures::{StreamExt as _, stream};
use hyper::body::Incoming;
use tokio::sync::watch;
use url::Url;

use super::call::{Call, Operation};
use super::fault::{Fault, Rule, fault_for};
use super::server::Server;

/// More than the largest request that Lambda accepts.
const LARGEST_BODY: usize = 100 << 20;

/// A reverse proxy that runs until it is dropped.
pub(crate) struct FaultProxy {
    server: Server,
    shared: Arc<Shared>,
}

/// A call and its outcome.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Passed {
    pub(crate) call: Call,
    pub(crate) fault: Fault,
    /// Size of its body in bytes; 0 if it was not read.
    pub(crate) received: u64,
    /// Status of the emulator's answer; `None` if the call has not reached it.
    pub(crate) applied: Option<StatusCode>,
    /// Time of the emulator's answer.
    pub(crate) applied_at: Option<Instant>,
}

/// How long a list lags behind a change.
const LAG: Duration = Duration::from_secs(3);

/// Marker of the page after an empty page.
const AFTER_EMPTY_PAGE: &str = "after-an-empty-page";

struct Shared {
    upstream: Url,
    client: reqwest::Client,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Vec<Passed>>,
    under_way: watch::Sender<usize>,
    /// Whether silent calls are passed on.
    speaks: watch::Sender<bool>,
    lists: Mutex<Lists>,
    last_changes: Mutex<LastChanges>,
}

/// The last two distinct answers to each list, by account, region and path.
type Lists = BTreeMap<(Option<String>, String, String), [Option<Bytes>; 2]>;

/// When a version was last created or deleted, by account and region.
type LastChanges = BTreeMap<(Option<String>, String), Instant>;

impl FaultProxy {
    /// Passes requests on to `upstream`. The first rule that applies to a call determines its
    /// fault.
    pub(crate) async fn start(upstream: &Url, rules: impl IntoIterator<Item = Rule>) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            upstream: upstream.clone(),
            client,
            rules: Mutex::new(rules.into_iter().collect()),
            log: Mutex::default(),
            under_way: watch::Sender::new(0),
            speaks: watch::Sender::new(false),
            lists: Mutex::default(),
            last_changes: Mutex::default(),
        });
        let answering = Arc::clone(&shared);
        let server = Server::start(move |request| handle(Arc::clone(&answering), request)).await;
        Self { server, shared }
    }

    /// URL that clients use in place of AWS.
    pub(crate) fn url(&self) -> Url {
        self.server.url()
    }

    /// Replaces the rules.
    pub(crate) fn set_rules(&self, rules: impl IntoIterator<Item = Rule>) {
        *self.shared.rules.lock().unwrap() = rules.into_iter().collect();
    }

    /// Passes on all silent calls, now and later.
    pub(crate) fn speak(&self) {
        self.shared.speaks.send_replace(true);
    }

    /// Returns all calls in order of arrival.
    pub(crate) fn log(&self) -> Vec<Passed> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Number of calls of an operation, in one region or in all.
    pub(crate) fn count(&self, region: Option<&str>, operation: Operation) -> usize {
        self.passed(region, operation).count()
    }

    /// Total body size of an operation's calls, in bytes.
    pub(crate) fn received(&self, region: Option<&str>, operation: Operation) -> u64 {
        self.passed(region, operation).map(|passed| passed.received).sum()
    }

    fn passed(&self, region: Option<&str>, operation: Operation) -> impl Iterator<Item = Passed> {
        let region = region.map(str::to_owned);
        self.log().into_iter().filter(move |passed| {
            passed.call.operation == operation
                && region.as_ref().is_none_or(|region| *region == passed.call.region)
        })
    }

    /// Waits until no call is under way, including calls whose caller has gone.
    pub(crate) async fn idle(&self) {
        let mut under_way = self.shared.under_way.subscribe();
        under_way.wait_for(|calls| *calls == 0).await.unwrap();
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let call = Call::of(&parts);
    let fault = fault_for(&mut shared.rules.lock().unwrap(), &call);
    let number = {
        let passed = Passed {
            call: call.clone(),
            fault: fault.clone(),
            received: 0,
            applied: None,
            applied_at: None,
        };
        let mut log = shared.log.lock().unwrap();
        log.push(passed);
        log.len() - 1
    };
    if fault == Fault::Refuse {
        return Err(closed());
    }
    let body = to_bytes(Body::new(body), LARGEST_BODY).await.map_err(io::Error::other)?;
    shared.log.lock().unwrap()[number].received = body.len() as u64;
    match &fault {
        Fault::Answered(answer) => return Ok(answer.response(call.operation)),
        Fault::Stale if is_list(call.operation) => {
            return Ok(json(shared.list_before_last_change(&call)));
        }
        Fault::Lagging if is_list(call.operation) && shared.changed_recently(&call) => {
            return Ok(json(shared.list_before_last_change(&call)));
        }
        Fault::EmptyPage if is_list(call.operation) && !call.path.contains(AFTER_EMPTY_PAGE) => {
            return Ok(json(empty_list(call.operation, Some(AFTER_EMPTY_PAGE))));
        }
        // A caller that gives up drops this.
        Fault::Silent => {
            let mut speaks = shared.speaks.subscribe();
            speaks.wait_for(|speaks| *speaks).await.map_err(io::Error::other)?;
        }
        _ => {}
    }
    // In a task of its own: the request reaches AWS even if the caller does not wait for the
    // answer.
    let under_way = UnderWay::new(&shared);
    let apply = tokio::spawn(async move {
        if let Fault::Delayed(time) = fault {
            tokio::time::sleep(time).await;
        }
        if fault == Fault::Doubled {
            let (method, headers) = (parts.method.clone(), parts.headers.clone());
            let first = under_way.0.forward(&call, method, headers, body.clone()).await;
            drop(first.map_err(io::Error::other)?);
        }
        let answer = under_way.0.forward(&call, parts.method, parts.headers, body).await;
        if let Ok(answer) = &answer {
            under_way.0.record_answer(number, &call, answer.status());
        }
        drop(under_way);
        apply_to_answer(answer.map_err(io::Error::other)?, fault, call.operation).await
    });
    apply.await.map_err(io::Error::other)?
}

/// Counts a call as under way while this lives.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.under_way.send_modify(|calls| *calls += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|calls| *calls -= 1);
    }
}

impl Shared {
    /// Forwards a request unchanged, with the host it was signed for.
    async fn forward(
        &self,
        call: &Call,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> reqwest::Result<Response<Bytes>> {
        let url = self.upstream.join(&without_marker(&call.path)).unwrap();
        remove_connection(&mut headers);
        headers.remove(header::EXPECT);
        headers.remove(header::CONTENT_LENGTH);
        let mut request = self.client.request(method.clone(), url).headers(headers);
        if !body.is_empty() || method == Method::POST || method == Method::PUT {
            request = request.body(body);
        }
        let mut answer = request.send().await?;
        let (status, mut headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        remove_connection(&mut headers);
        let body = answer.bytes().await?;
        if is_list(call.operation) && status == StatusCode::OK {
            self.remember(call, &body);
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn remember(&self, call: &Call, list: &Bytes) {
        let mut lists = self.lists.lock().unwrap();
        let [before, last] = lists.entry(key_of(call)).or_default();
        if last.as_ref() != Some(list) {
            *before = last.replace(list.clone());
        }
    }

    /// Records the emulator's answer to a call.
    fn record_answer(&self, number: usize, call: &Call, status: StatusCode) {
        let now = Instant::now();
        let passed = &mut self.log.lock().unwrap()[number];
        (passed.applied, passed.applied_at) = (Some(status), Some(now));
        if matches!(call.operation, Operation::PublishLayerVersion | Operation::DeleteLayerVersion)
        {
            let place = (call.account.clone(), call.region.clone());
            self.last_changes.lock().unwrap().insert(place, now);
        }
    }

    /// Whether the versions in a call's region changed so recently that a list may lag.
    fn changed_recently(&self, list: &Call) -> bool {
        let place = (list.account.clone(), list.region.clone());
        let changes = self.last_changes.lock().unwrap();
        changes.get(&place).is_some_and(|at| at.elapsed() < LAG)
    }

    fn list_before_last_change(&self, call: &Call) -> Bytes {
        let lists = self.lists.lock().unwrap();
        let seen = lists.get(&key_of(call)).and_then(|[before, _]| before.clone());
        seen.unwrap_or_else(|| empty_list(call.operation, None))
    }
}

fn key_of(call: &Call) -> (Option<String>, String, String) {
    (call.account.clone(), call.region.clone(), without_marker(&call.path))
}

fn is_list(operation: Operation) -> bool {
    matches!(operation, Operation::ListLayerVersions | Operation::ListLayers)
}

/// A list without items.
fn empty_list(operation: Operation, next: Option<&str>) -> Bytes {
    let items = if operation == Operation::ListLayers { "Layers" } else { "LayerVersions" };
    serde_json::json!({ items: [], "NextMarker": next }).to_string().into()
}

fn json(body: Bytes) -> Response<Body> {
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    response.body(body.into()).unwrap()
}

/// Removes the marker of the page after an empty page, which AWS does not know.
fn without_marker(path: &str) -> String {
    let marker = format!("Marker={AFTER_EMPTY_PAGE}");
    path.replace(&format!("&{marker}"), "").replace(&format!("{marker}&"), "").replace(&marker, "")
}

/// Removes headers that belong to a single connection.
fn remove_connection(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
}

/// Applies a fault to the answer.
async fn apply_to_answer(
    answer: Response<Bytes>,
    fault: Fault,
    operation: Operation,
) -> io::Result<Response<Body>> {
    match fault {
        Fault::AnswerDropped => Err(closed()),
        Fault::AnswerCut => Ok(answer.map(|body| cut(&body))),
        Fault::AnswerReplaced(other) => Ok(other.response(operation)),
        Fault::AnswerDelayed(time) => {
            tokio::time::sleep(time).await;
            Ok(answer.map(Body::from))
        }
        Fault::Pass
        | Fault::Refuse
        | Fault::Delayed(_)
        | Fault::Answered(_)
        | Fault::Doubled
        | Fault::Stale
        | Fault::Lagging
        | Fault::EmptyPage
        | Fault::Silent => Ok(answer.map(Body::from)),
    }
}

fn cut(body: &Bytes) -> Body {
    let begun = Ok(body.slice(..body.len() / 2));
    // Data sent just before is lost if the connection breaks at the same time.
    let broken = stream::once(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(closed())
    });
    Body::from_stream(stream::iter([begun]).chain(broken))
}

fn closed() -> io::Error {
    io::Error::other("closed by a fault")
}
