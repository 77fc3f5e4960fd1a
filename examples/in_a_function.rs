//! Finds a layer for the Lambda function that this program runs in.
//!
//! Run with `cargo run -p klayers-examples --bin in_a_function`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program reads its environment and prints its result"
)]

use std::error::Error;

use klayers_client::{Client, LambdaEnvironment};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::from_env()?;
    let environment = LambdaEnvironment::new(|name| std::env::var(name).ok());
    let region = environment.region()?.ok_or("AWS_REGION is not set")?;
    let python = environment.python()?.ok_or("this is no function with a Python runtime")?;
    let target = klayers_client::Target::new(python, klayers_client::Architecture::X86_64);
    println!("{}", client.latest_arn("requests", &region, &target).await?);
    Ok(())
}
