//! Retries for up to a minute, and tells the kinds of failures apart.
//!
//! Run with `cargo run -p klayers-examples --bin patient`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(clippy::print_stdout, reason = "a program prints its result")]

use std::error::Error;
use std::time::Duration;

use klayers_client::{ClientBuilder, RetryPolicy};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let policy = RetryPolicy::default().attempts(6).longest_delay(Duration::from_secs(10));
    let client = ClientBuilder::from_env()
        .retry_policy(policy)
        .read_timeout(Duration::from_secs(5))
        .total_timeout(Duration::from_mins(1))
        .build()?;
    let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
    match client.latest_arn("requests", &region, &target).await {
        Ok(arn) => println!("{arn}"),
        Err(error) if error.is_timeout() => println!("it took too long: {error}"),
        Err(error) if error.is_transient() => println!("later, perhaps: {error}"),
        Err(error) => println!("asking again will not help: {error}"),
    }
    Ok(())
}
