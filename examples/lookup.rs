//! Finds the layers of a Lambda function with concurrent requests.
//!
//! Run with `cargo run -p klayers-examples --bin lookup`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(clippy::print_stdout, reason = "a program prints its result")]

use std::error::Error;

use klayers_client::{Client, Region, Target};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::from_env()?;

    let region: Region = "us-east-1".parse()?;
    let target: Target = "p3.13".parse()?;
    let (requests, pillow) = tokio::join!(
        client.latest_arn("requests", &region, &target),
        client.latest_arn("pillow", &region, &target),
    );
    println!("requests  {}", requests?);
    println!("pillow    {}", pillow?);

    // The error for an unknown name suggests similar names.
    match client.latest_arn("reqeusts", &region, &target).await {
        Err(error) if error.is_not_found() => println!("reqeusts  {error}"),
        other => println!("reqeusts  {}", other?),
    }
    Ok(())
}
