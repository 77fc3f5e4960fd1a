//! Requests the lists of many regions at once. The failure of one region does not affect the others.
//!
//! Run with `cargo run -p klayers-examples --bin many_regions`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program reads its environment and prints its result"
)]

use std::error::Error;
use std::pin::pin;

use futures::StreamExt;
use klayers_client::{Client, Region};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let api_url = std::env::var("KLAYERS_API_URL").unwrap_or(Client::PUBLIC_URL.to_owned());
    let client = Client::builder().base_url(api_url).build()?;
    let regions: Vec<Region> = vec!["us-east-1".parse()?, "eu-west-1".parse()?];
    let mut answers = pin!(client.latest_in(regions, &"p3.13".parse()?));
    let mut lines = Vec::new();
    while let Some((region, rows)) = answers.next().await {
        lines.push(match rows {
            Ok(rows) => format!("{region}  {} layers", rows.len()),
            Err(error) => format!("{region}  {error}"),
        });
    }
    // The answers arrive in any order.
    lines.sort();
    println!("{}", lines.join("\n"));
    Ok(())
}
