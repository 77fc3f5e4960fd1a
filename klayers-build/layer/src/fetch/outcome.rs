//! How an HTTP request failed, as the retry policy judges it.

use std::time::SystemTime;

use klayers_core::retry::{Outcome, TransportFailure, parse_retry_after};
use reqwest::Response;
use reqwest::header::{DATE, HeaderName, RETRY_AFTER};

/// The outcome of a request whose answer has an unexpected status.
pub fn of_response(response: &Response) -> Outcome {
    let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
    let retry_after =
        header(RETRY_AFTER).and_then(|value| parse_retry_after(value, header(DATE), now()));
    Outcome::Status { status: response.status().as_u16(), retry_after }
}

/// The outcome of a request without a complete answer. `None` if the request could not be made, so
/// that no repetition helps.
pub fn of_error(error: &reqwest::Error) -> Option<Outcome> {
    let failure = if error.is_builder() {
        return None;
    } else if error.is_timeout() {
        TransportFailure::Timeout
    } else if error.is_dns() {
        TransportFailure::Resolve
    } else if error.is_connect() {
        TransportFailure::while_connecting(error)
    } else if error.is_redirect() {
        TransportFailure::Redirect
    } else {
        TransportFailure::Interrupted
    };
    Some(Outcome::Failure(failure))
}

/// The clock, for servers that give a date to wait for but not their own time.
#[expect(clippy::disallowed_methods, reason = "the edge to the network, where answers arrive")]
fn now() -> SystemTime {
    SystemTime::now()
}
