//! Turning a request into a response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE, RETRY_AFTER, VARY,
};
use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use klayers_core::api::Problem;

use super::documents::Documents;
use super::encoded::{EncodedDocument, Variant, insert};
use super::encoding::Accepted;
use super::metrics::{self, Metrics};
use super::range::{Part, part};
use crate::{Address, AddressError};
use klayers_catalog::CatalogError;

const METHODS: &str = "GET, HEAD, OPTIONS";

/// Answers requests with documents of a catalog.
#[derive(Debug)]
pub(super) struct Responder {
    pub(super) documents: Documents,
    pub(super) metrics: Arc<Metrics>,
    /// Whether the last attempt to read the catalog succeeded.
    pub(super) healthy: AtomicBool,
}

impl Responder {
    /// Answers a request.
    ///
    /// A well-formed path gets what the catalog has, which may be an empty list. A malformed path is
    /// not found, whatever the method. Methods other than GET, HEAD and OPTIONS are not allowed.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let mut response = self.respond(request).await;
        if request.method() == Method::HEAD {
            // The header fields stay those of GET.
            *response.body_mut() = Body::empty();
        }
        self.metrics.answered(response.status().as_u16());
        response
    }

    async fn respond<B>(&self, request: &Request<B>) -> Response<Body> {
        let path = request.uri().path();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        // Most requests end here: they use the canonical path of a cached document.
        if reads && let Some(entry) = self.documents.cached(path) {
            return document(request.headers(), &entry.document);
        }
        let operational = match path {
            "/healthz" => Some(self.health()),
            "/metrics" => Some(text(StatusCode::OK, metrics::CONTENT_TYPE, self.metrics.text())),
            _ => None,
        };
        let address = match path.parse::<Address>() {
            Err(error) if error.is_too_long() => {
                return problem(StatusCode::URI_TOO_LONG, &error.to_string());
            }
            // A preflight always succeeds, so that the page can read the error of the real request.
            _ if request.method() == Method::OPTIONS => return preflight(),
            Err(error) if operational.is_none() => return not_found(&error),
            _ if !reads => return not_allowed(),
            Err(error) => return operational.unwrap_or_else(|| not_found(&error)),
            Ok(address) => address,
        };
        match self.documents.get(&address).await {
            Ok(entry) => document(request.headers(), &entry.document),
            Err(error) => self.failed(path, &error),
        }
    }

    fn health(&self) -> Response<Body> {
        if self.healthy.load(Ordering::Relaxed) {
            text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned())
        } else {
            problem(StatusCode::SERVICE_UNAVAILABLE, "could not read the catalog")
        }
    }

    /// Tells the client only whether to ask again later. The reason goes to the operator's log.
    fn failed(&self, path: &str, error: &CatalogError) -> Response<Body> {
        self.metrics.catalog_failures.inc();
        let cause = error as &dyn std::error::Error;
        tracing::error!(error = cause, path, "could not answer a request");
        match error {
            CatalogError::Storage(_) | CatalogError::Open { .. } => {
                let detail = "could not read the catalog; ask again later";
                let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, detail);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
                response
            }
            _ => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the server failed; the reason is in its log",
            ),
        }
    }
}

/// The response for a document: encoded, in part, or without a body if the client has it already.
fn document(request: &HeaderMap, encoded: &EncodedDocument) -> Response<Body> {
    let accepted = field(request, &ACCEPT_ENCODING).map_or(Accepted::IDENTITY, Accepted::parse);
    let Some(variant) = encoded.choose(accepted) else {
        let detail = "the request accepts none of the available encodings: br, gzip, identity";
        return problem(StatusCode::NOT_ACCEPTABLE, detail);
    };
    if field(request, &IF_MATCH).is_some_and(|tags| !is_among(&variant.etag, tags)) {
        return problem(StatusCode::PRECONDITION_FAILED, "the document has changed");
    }
    if field(request, &IF_NONE_MATCH).is_some_and(|tags| is_among(&variant.etag, tags)) {
        return not_modified(variant);
    }
    let unchanged = field(request, &IF_RANGE).is_none_or(|tag| variant.etag == tag);
    match field(request, &RANGE).filter(|_| unchanged) {
        Some(range) => in_part(variant, range),
        None => whole(variant),
    }
}

/// The first value of a field, if it is text.
fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a list of entity tags holds this one. Weak tags count as well: proxies that encode a body
/// weaken its tag.
fn is_among(etag: &HeaderValue, tags: &str) -> bool {
    let tag = |text: &str| etag == text.trim().trim_start_matches("W/");
    tags.trim() == "*" || tags.split(',').any(tag)
}

fn not_modified(variant: &Variant) -> Response<Body> {
    let mut headers = variant.headers.clone();
    for name in variant.headers.keys() {
        let kept = [CACHE_CONTROL, ETAG, VARY].contains(name)
            || name.as_str().starts_with("access-control-");
        if !kept {
            headers.remove(name);
        }
    }
    with(StatusCode::NOT_MODIFIED, headers, Bytes::new())
}

fn whole(variant: &Variant) -> Response<Body> {
    with(StatusCode::OK, variant.headers.clone(), variant.body.clone())
}

fn in_part(variant: &Variant, range: &str) -> Response<Body> {
    let length = variant.body.len();
    match part(range, length) {
        Part::Whole => whole(variant),
        Part::Bytes(range) => {
            let mut headers = variant.headers.clone();
            let (first, last) = (range.start, range.end - 1);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
            insert(&mut headers, CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            with(StatusCode::PARTIAL_CONTENT, headers, variant.body.slice(range))
        }
        Part::Beyond => {
            let detail = format!("the body has {length} bytes");
            let mut response = problem(StatusCode::RANGE_NOT_SATISFIABLE, &detail);
            insert(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{length}"));
            response
        }
    }
}

/// 410 for the former API v1, 404 for every other unknown path.
fn not_found(error: &AddressError) -> Response<Body> {
    let status = if error.is_gone() { StatusCode::GONE } else { StatusCode::NOT_FOUND };
    problem(status, &error.to_string())
}

fn not_allowed() -> Response<Body> {
    let detail = format!("allowed methods: {METHODS}");
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &detail);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
    response
}

/// The answer to a CORS preflight: pages of any origin may ask.
fn preflight() -> Response<Body> {
    let fields = [
        ("allow", METHODS),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", "*"),
        ("access-control-max-age", "86400"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ];
    with(StatusCode::NO_CONTENT, plain(fields), Bytes::new())
}

pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::to_string(&Problem::new(status.as_u16(), title, detail));
    text(status, Problem::CONTENT_TYPE, body.unwrap_or_default())
}

/// A response that must not be cached.
fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut headers = plain([
        ("content-type", content_type),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "*"),
        ("x-content-type-options", "nosniff"),
    ]);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    with(status, headers, body.into())
}

fn plain<const N: usize>(fields: [(&'static str, &'static str); N]) -> HeaderMap {
    let field = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.map(field).into_iter().collect()
}

fn with(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
