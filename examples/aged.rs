//! Prints the age of an answer, and why no newer answer is available.
//!
//! Run with `cargo run -p klayers-examples --bin aged`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program reads its environment and prints its result"
)]

use std::error::Error;

use klayers_client::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let api_url = std::env::var("KLAYERS_API_URL").unwrap_or(Client::PUBLIC_URL.to_owned());
    let client = Client::builder().base_url(api_url).build()?;
    let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
    let answer = client.answers().latest_arn("requests", &region, &target).await?;
    match &answer.stale_because {
        None => println!("{}", answer.value),
        Some(reason) => println!("{}, {} s old: {reason}", answer.value, answer.age.as_secs()),
    }
    Ok(())
}
