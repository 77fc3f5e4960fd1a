//! Faults: their kind, place and frequency.
//!
//! | fault | AWS gets the request | the caller gets |
//! | --- | --- | --- |
//! | [`Fault::Refuse`], before | no | a closed connection |
//! | [`Fault::AnswerDropped`], after | yes | a closed connection |
//! | [`Fault::AnswerCut`], cut | yes | half an answer |
//! | [`Fault::Answered`], status | no | an error of AWS: 5xx, throttled, denied, … |
//! | [`Fault::Delayed`], delay | late | the answer, if it still waits |
//! | [`Fault::AnswerDelayed`], delay | yes | the answer, late |
//! | [`Fault::Doubled`], doubled | twice | the second answer |
//! | [`Fault::AnswerReplaced`], forged | yes | another answer |
//! | [`Fault::Stale`], stale list | no | the list before the last change, if it was seen |
//! | [`Fault::Lagging`], stale list | no | the same, but only within 3 s of a change |
//! | [`Fault::EmptyPage`], empty page | the next page | a page without items, and a marker |
//! | [`Fault::Silent`], silence | no | nothing, until [`speak`](super::FaultProxy::speak) |
//!
//! A [`Rule`] applies a fault to an operation, a region, the first calls or the nth call. A
//! [random](Rule::random) rule chooses calls and faults from a seed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;

use super::call::{Call, Operation};
use crate::support::random::Random;

/// The fault of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// None: for rules that let some calls pass before a later rule applies.
    Pass,
    /// The connection is closed before the body was read; nothing reaches AWS.
    Refuse,
    /// AWS carries out the call, but the connection is closed without an answer.
    AnswerDropped,
    /// AWS carries out the call, but the answer ends after its headers and half of its body.
    AnswerCut,
    /// AWS carries out the call, and its answer arrives after this time.
    AnswerDelayed(Duration),
    /// AWS carries out the call, but the caller receives a different answer.
    AnswerReplaced(Answer),
    /// The request reaches AWS after this time, even if the caller has gone.
    Delayed(Duration),
    /// AWS gives this answer and does nothing else.
    Answered(Answer),
    /// AWS gets the request twice.
    Doubled,
    /// The caller receives the list as it was before its last change, or an empty list if the
    /// proxy has not seen it.
    Stale,
    /// Like `Stale`, if a version was created or deleted in the region within the last 3 seconds.
    Lagging,
    /// A list begins with a page without items.
    EmptyPage,
    /// The request is read but not answered. Once the proxy speaks, it is passed on.
    Silent,
}

/// An answer of AWS, usually an error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    status: u16,
    /// Whether it is an error; S3 can send errors with status 200.
    is_error: bool,
    kind: &'static str,
    message: String,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(crate) fn new(status: u16, kind: &'static str, message: &str) -> Self {
        let is_error = status >= 300;
        Self { status, is_error, kind, message: message.to_owned(), headers: Vec::new() }
    }

    /// An answer with status 201 and this JSON.
    pub(crate) fn created(json: &str) -> Self {
        Self::new(201, "", json)
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Too many calls; `retry_after` is in seconds.
    pub(crate) fn throttled(retry_after: u32) -> Self {
        Self::new(429, "TooManyRequestsException", "Rate exceeded")
            .with("retry-after", &retry_after.to_string())
    }

    /// The account's storage in the region is full.
    pub(crate) fn full() -> Self {
        Self::new(400, "CodeStorageExceededException", "Code storage limit exceeded.")
    }

    /// The account has not opted in to the region.
    pub(crate) fn not_opted_in() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::new(403, "UnrecognizedClientException", message)
    }

    /// An internal error of AWS.
    pub(crate) fn service_error() -> Self {
        Self::new(500, "ServiceException", "An internal error occurred.")
    }

    /// S3 sent status 200 before it was done, and then an error.
    pub(crate) fn error_after_status_200() -> Self {
        let message = "We encountered an internal error. Please try again.";
        Self { is_error: true, ..Self::new(200, "InternalError", message) }
    }

    /// The credentials have expired.
    pub(crate) fn expired_token() -> Self {
        let message = "The security token included in the request is expired";
        Self::new(403, "ExpiredTokenException", message)
    }

    /// Formats the answer like Lambda; S3 and STS use XML instead.
    pub(super) fn response(&self, operation: Operation) -> Response<Body> {
        let (kind, message) = (self.kind, &self.message);
        let code = kind.trim_end_matches("Exception");
        let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        let (content_type, body) = if !self.is_error {
            ("application/json", message.clone())
        } else if operation == Operation::Sts {
            ("text/xml", format!("<ErrorResponse>{error}</ErrorResponse>"))
        } else if operation.is_of_s3() {
            ("application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{error}"))
        } else {
            // The type of the error is in a header, where SDKs look first.
            let body = serde_json::json!({ "Type": "User", "message": message });
            ("application/json", body.to_string())
        };
        let mut response = Response::builder()
            .status(self.status)
            .header("content-type", content_type)
            .header("x-amzn-errortype", kind)
            .header("x-amzn-requestid", "00000000-0000-0000-0000-000000000000");
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(body)).unwrap()
    }
}

/// A fault and the calls it applies to.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    source: Source,
    region: Option<String>,
    operation: Option<Operation>,
    /// Which calls to each region it applies to.
    which: Which,
    /// Number of matching calls by region and, for random rules, by operation.
    seen: BTreeMap<(String, Option<Operation>), u32>,
}

#[derive(Clone, Debug)]
enum Source {
    Fixed(Fault),
    /// A random fault for one call in `one_in`.
    Random {
        seed: u64,
        one_in: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Which {
    All,
    First(u32),
    Nth(u32),
}

impl Rule {
    fn of(source: Source) -> Self {
        let seen = BTreeMap::new();
        Self { source, region: None, operation: None, which: Which::All, seen }
    }

    /// Applies the fault to all calls.
    pub(crate) fn new(fault: Fault) -> Self {
        Self::of(Source::Fixed(fault))
    }

    /// Applies a suitable fault to one call in `one_in`. The seed determines the fault of the nth call
    /// of an operation in a region, whatever the order among operations and regions.
    pub(crate) fn random(seed: u64, one_in: usize) -> Self {
        Self::of(Source::Random { seed, one_in })
    }

    /// Applies only to calls to this region.
    pub(crate) fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Applies only to this operation.
    pub(crate) fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Applies only to the first calls to each region.
    pub(crate) fn times(mut self, times: u32) -> Self {
        self.which = Which::First(times);
        self
    }

    /// Applies only to the nth call to each region, counted from 1.
    pub(crate) fn nth(mut self, number: u32) -> Self {
        self.which = Which::Nth(number);
        self
    }

    /// Returns the fault for this call, and counts the call.
    fn apply(&mut self, call: &Call) -> Option<Fault> {
        let fits = self.region.as_ref().is_none_or(|region| *region == call.region)
            && self.operation.is_none_or(|operation| operation == call.operation);
        if !fits {
            return None;
        }
        let by_operation = matches!(self.source, Source::Random { .. }).then_some(call.operation);
        let seen = self.seen.entry((call.region.clone(), by_operation)).or_default();
        *seen += 1;
        let is_meant = match self.which {
            Which::All => true,
            Which::First(times) => *seen <= times,
            Which::Nth(number) => *seen == number,
        };
        match &self.source {
            _ if !is_meant => None,
            Source::Fixed(fault) => Some(fault.clone()),
            Source::Random { seed, one_in } => {
                let mut hasher = DefaultHasher::new();
                (seed, &call.region, format!("{:?}", call.operation), *seen).hash(&mut hasher);
                let mut random = Random(hasher.finish());
                (random.below(*one_in) == 0).then(|| random_fault(call.operation, &mut random))
            }
        }
    }
}

/// Returns a random fault that suits an operation.
fn random_fault(operation: Operation, random: &mut Random) -> Fault {
    let short = Duration::from_millis(u64::try_from(random.below(1500)).unwrap());
    let mut faults = vec![
        Fault::Refuse,
        Fault::AnswerDropped,
        Fault::AnswerCut,
        Fault::AnswerDelayed(short),
        Fault::Delayed(short),
        Fault::Answered(Answer::service_error()),
        Fault::Answered(Answer::throttled(u32::from(random.byte() % 2))),
        Fault::AnswerReplaced(Answer::service_error()),
    ];
    match operation {
        Operation::PublishLayerVersion => faults.push(Fault::Doubled),
        Operation::ListLayerVersions => faults.extend([Fault::Lagging, Fault::EmptyPage]),
        Operation::ListLayers => faults.push(Fault::EmptyPage),
        Operation::GetLayerVersion | Operation::GetLayerVersionPolicy => {
            faults.push(Fault::Answered(Answer::new(404, "ResourceNotFoundException", "")));
        }
        _ => {}
    }
    // Rare, because it costs the most time.
    if random.below(40) == 0 {
        return Fault::Silent;
    }
    random.pick(&faults).clone()
}

/// Returns the fault of the first rule that applies to this call.
pub(super) fn fault_for(rules: &mut [Rule], call: &Call) -> Fault {
    rules.iter_mut().find_map(|rule| rule.apply(call)).unwrap_or(Fault::Pass)
}
