//! AWS on loopback: LocalStack and moto, which `tools/with-localstack` and `tools/with-moto` start,
//! a fault-injecting proxy, a stub that answers at once, and the view of boto3.

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

/// Returns the URL of LocalStack. If it was not started, reports that the test is skipped, or fails
/// if all tests are required to run.
#[track_caller]
pub(crate) fn localstack() -> Option<Url> {
    emulator("KLAYERS_TEST_LOCALSTACK", "tools/with-localstack")
}

/// Returns the URL of moto, in the same way.
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
