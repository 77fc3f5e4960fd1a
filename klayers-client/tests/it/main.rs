//! Tests of the client and the command against a server on loopback, with correct and faulty answers.

#[path = "../support/fixture.rs"]
mod fixture;

mod blocking;
#[cfg(feature = "disk-cache")]
mod caching;
#[cfg(feature = "cli")]
mod command;
#[cfg(feature = "aws")]
mod copies;
#[cfg(all(feature = "aws", feature = "cli"))]
mod copying;
mod encodings;
#[cfg(all(feature = "cli", unix))]
mod escapes;
#[cfg(feature = "cli")]
mod external;
mod faults;
mod lookup;
#[cfg(feature = "cli")]
mod network;
mod public_server;
#[cfg(feature = "cli")]
mod questions;
mod retries;
#[cfg(feature = "cli")]
mod survived;
#[cfg(feature = "cli")]
mod terminal;

use std::time::Duration;

use klayers_client::{Client, ClientBuilder, Region, RetryPolicy, Target};

use crate::fixture::Server;

fn region() -> Region {
    "us-east-1".parse().expect("a region")
}

fn target() -> Target {
    "p3.13".parse().expect("a target")
}

/// A client with short delays between retries.
fn builder(server: &Server) -> ClientBuilder {
    Client::builder().base_url(server.url()).retry_policy(quick())
}

fn quick() -> RetryPolicy {
    RetryPolicy::default().first_delay(Duration::from_millis(2))
}

fn client(server: &Server) -> Client {
    builder(server).build().expect("a client")
}
