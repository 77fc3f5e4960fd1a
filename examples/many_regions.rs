//! Asks many regions at once, and goes on where one of them fails.
//!
//! `cargo run -p klayers-examples --bin many_regions`; `KLAYERS_API_URL` names another collection than
//! the public one.

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
    // Each came as soon as it was there.
    lines.sort();
    println!("{}", lines.join("\n"));
    Ok(())
}
