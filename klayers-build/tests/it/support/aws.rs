//! AWS on loopback: LocalStack and moto as `tools/with-localstack` and `tools/with-moto` start them,
//! a proxy that makes faults, a stub that answers at once, and what boto3 sees.

mod account;
mod boto;
mod call;
mod fault;
mod proxy;
mod server;
mod stub;

use url::Url;

pub(crate) use account::Account;
pub(crate) use boto::{Contents, boto_pointers, boto_view};
pub(crate) use call::Operation;
pub(crate) use fault::{Answer, Fault, Rule};
pub(crate) use proxy::{FaultProxy, Passed};
pub(crate) use stub::StubLambda;

use super::command::{cannot_run, environment};

/// Where LocalStack listens. Where it was not started, it says that the test is not run, and fails
/// if it runs where all tests are to be run.
#[track_caller]
pub(crate) fn localstack() -> Option<Url> {
    emulator("KLAYERS_TEST_LOCALSTACK", "tools/with-localstack")
}

/// Where moto listens, in the same way.
#[track_caller]
pub(crate) fn moto() -> Option<Url> {
    emulator("KLAYERS_TEST_MOTO", "tools/with-moto")
}

#[track_caller]
fn emulator(variable: &str, tool: &str) -> Option<Url> {
    let Some(url) = environment(variable) else {
        let reason = format!("{variable} is not set: run the tests under {tool}");
        cannot_run(&reason);
        return None;
    };
    Some(url.to_str().expect("a URL").parse().expect("a URL"))
}
