//! Finds a layer by the version of its package, or by the number of the layer version.
//!
//! Run with `cargo run -p klayers-examples --bin pinned`.
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
    for spec in ["requests==2.32.*", "requests<2.32", "requests:3"] {
        let layer = client.layer(spec, &region, &target).await?;
        println!("{spec:<18}{} {}", layer.package_version, layer.arn);
    }
    if let Err(error) = client.layer("requests>=3", &region, &target).await {
        println!("{error}");
    }
    Ok(())
}
