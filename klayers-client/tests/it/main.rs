//! The client and the command against a server on loopback, which answers well and badly.

#[path = "../support/fixture.rs"]
mod fixture;

mod blocking;
#[cfg(feature = "cli")]
mod command;
mod faults;
mod lookup;

use klayers_client::{Client, ClientBuilder, Region, Target};

use crate::fixture::Server;

fn region() -> Region {
    "us-east-1".parse().expect("a region")
}

fn target() -> Target {
    "p3.13".parse().expect("a target")
}

fn builder(server: &Server) -> ClientBuilder {
    Client::builder().base_url(server.url())
}

fn client(server: &Server) -> Client {
    builder(server).build().expect("a client")
}
