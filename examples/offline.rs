//! Caches answers in a folder, and works without the server.
//!
//! Run with `cargo run -p klayers-examples --bin offline`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program reads its environment and prints its result"
)]

use std::error::Error;

use klayers_client::{Cache, Client};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let api_url = std::env::var("KLAYERS_API_URL").unwrap_or(Client::PUBLIC_URL.to_owned());
    let folder = std::env::temp_dir().join(format!("klayers-example-{}", std::process::id()));
    let builder = Client::builder().base_url(api_url).cache(Cache::memory().folder(&folder));
    let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);

    let online = builder.clone().build()?;
    online.latest_arn("requests", &region, &target).await?;

    // This could be another process without a network.
    let offline = builder.offline(true).build()?;
    println!("requests  {}", offline.latest_arn("requests", &region, &target).await?);
    if let Err(error) = offline.latest_arn("pillow", &region, &target).await {
        println!("pillow    kept: {}", !matches!(error, klayers_client::Error::Offline { .. }));
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
