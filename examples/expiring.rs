//! Lists the layer versions of a package that will be deleted, the earliest first.
//!
//! Run with `cargo run -p klayers-examples --bin expiring`.
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
    let versions = client.versions("requests", &"us-east-1".parse()?, &"p3.13".parse()?).await?;
    let mut expiring: Vec<_> =
        versions.iter().filter_map(|row| Some((row.expiry_date?, &row.arn))).collect();
    expiring.sort_by_key(|(expires, _)| *expires);
    for (expires, arn) in expiring {
        println!("{expires}  {arn}");
    }
    Ok(())
}
