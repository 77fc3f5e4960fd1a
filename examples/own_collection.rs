//! Uses a private collection, and accepts layers of its account only.
//!
//! Run with `cargo run -p klayers-examples --bin own_collection`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(clippy::print_stdout, reason = "a program prints its result")]

use std::error::Error;

use klayers_client::{ClientBuilder, Error as Failure};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
    for account in ["770693421928", "123456789012"] {
        let client = ClientBuilder::from_env().accounts([account.parse()?]).build()?;
        match client.latest_arn("requests", &region, &target).await {
            Ok(arn) => println!("{account}  {arn}"),
            Err(Failure::Body { .. }) => println!("{account}  has not published what it lists"),
            Err(error) => println!("{account}  {error}"),
        }
    }
    Ok(())
}
