//! Lists the layer versions of a package and when they expire, without async code.
//!
//! Run with `cargo run -p klayers-examples --bin lookup_blocking`.
//!
//! `KLAYERS_API_URL` selects a collection other than the public one.

#![expect(clippy::print_stdout, reason = "a program prints its result")]

use std::error::Error;

use klayers_client::{DeployStatus, Region, Target, blocking};

fn main() -> Result<(), Box<dyn Error>> {
    let client = blocking::Client::from_env()?;

    let region: Region = "us-east-1".parse()?;
    let target: Target = "p3.13".parse()?;
    for version in client.versions("requests", &region, &target)? {
        let until = match (version.deploy_status, version.expiry_date) {
            (DeployStatus::Latest, _) => "latest".to_owned(),
            (DeployStatus::Deprecated, Some(date)) => format!("until {date}"),
            (DeployStatus::Deprecated, None) => "deprecated".to_owned(),
        };
        println!("{}  {}  {until}", version.arn, version.package_version);
    }
    Ok(())
}
