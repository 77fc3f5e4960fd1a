//! What goes wrong, where and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;

use super::call::{Call, Operation};

/// What happens to a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Nothing: for rules that let some calls pass before a later rule applies.
    Pass,
    /// The connection is closed before the body was read; nothing reaches AWS.
    Refuse,
    /// AWS does what was asked for, and the connection is closed without an answer.
    AnswerDropped,
    /// AWS does what was asked for; the answer ends after its headers and half of its body.
    AnswerCut,
    /// AWS does what was asked for, and its answer comes after this time.
    AnswerDelayed(Duration),
    /// AWS does what was asked for, and another answer comes.
    AnswerReplaced(Answer),
    /// The request reaches AWS after this time, even if nobody waits for the answer any more.
    Delayed(Duration),
    /// AWS answers this, and does nothing.
    Answered(Answer),
}

/// An answer of AWS, mostly one that says what went wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    status: u16,
    kind: &'static str,
    message: String,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(crate) fn new(status: u16, kind: &'static str, message: &str) -> Self {
        Self { status, kind, message: message.to_owned(), headers: Vec::new() }
    }

    /// That something was made, with this JSON.
    pub(crate) fn created(json: &str) -> Self {
        Self::new(201, "", json)
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Too many calls; the time to wait is in seconds.
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

    /// Something failed within AWS.
    pub(crate) fn service_error() -> Self {
        Self::new(500, "ServiceException", "An internal error occurred.")
    }

    /// The credentials were good once.
    pub(crate) fn expired_token() -> Self {
        let message = "The security token included in the request is expired";
        Self::new(403, "ExpiredTokenException", message)
    }

    /// As Lambda writes it; S3 and STS write XML instead.
    pub(super) fn response(&self, operation: Operation) -> Response<Body> {
        let (kind, message) = (self.kind, &self.message);
        let code = kind.trim_end_matches("Exception");
        let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        let (content_type, body) = if self.status < 300 {
            ("application/json", message.clone())
        } else if operation == Operation::Sts {
            ("text/xml", format!("<ErrorResponse>{error}</ErrorResponse>"))
        } else if operation.is_of_s3() {
            ("application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{error}"))
        } else {
            // The kind is in the header, where SDKs look for it first.
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

/// A fault, for some calls.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    fault: Fault,
    region: Option<String>,
    operation: Option<Operation>,
    times: Option<u32>,
    /// How often it was applied in each region.
    applied: BTreeMap<String, u32>,
}

impl Rule {
    /// The fault for all calls, always.
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, region: None, operation: None, times: None, applied: BTreeMap::new() }
    }

    /// For calls to one region alone.
    pub(crate) fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// For one operation alone.
    pub(crate) fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// For the first so many calls to each region.
    pub(crate) fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The fault for this call, which counts as one of its times.
    fn apply(&mut self, call: &Call) -> Option<Fault> {
        let fits = self.region.as_ref().is_none_or(|region| *region == call.region)
            && self.operation.is_none_or(|operation| operation == call.operation);
        let applied = self.applied.get(&call.region).copied().unwrap_or_default();
        if !fits || self.times.is_some_and(|times| applied >= times) {
            return None;
        }
        self.applied.insert(call.region.clone(), applied + 1);
        Some(self.fault.clone())
    }
}

/// The fault that the first rule for this call says.
pub(super) fn fault_for(rules: &mut [Rule], call: &Call) -> Fault {
    rules.iter_mut().find_map(|rule| rule.apply(call)).unwrap_or(Fault::Pass)
}
