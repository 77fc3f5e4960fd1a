//! Builds a layer from your own wheels: a package in a folder of wheels, with its dependencies.
//!
//! Run with `cargo run -p klayers-examples --bin build_layer -- PACKAGE TARGET WHEELS OUT`,
//! for example with `greeting p3.13-arm64 dist layers`.

#![expect(clippy::print_stdout, reason = "a program prints its result")]

use std::error::Error;
use std::path::Path;

use klayers_build::layer::builder::Builder;
use klayers_build::layer::fetch::Fetcher;
use klayers_build::layer::resolve::{Resolver, Sources};
use klayers_core::{LayerName, Requirement, Runtimes, Target};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [package, target, wheels, out] = arguments.as_slice() else {
        return Err("usage: build_layer PACKAGE TARGET WHEELS OUT".into());
    };
    let requirement: Requirement = package.parse()?;
    let target: Target = target.parse()?;
    let out = Path::new(out);
    std::fs::create_dir_all(out)?;

    // Choose the wheels, from the folder only and without an index.
    let wheels = std::path::absolute(wheels)?.display().to_string();
    let sources = Sources { find_links: vec![wheels], no_index: true, ..Sources::default() };
    let runtimes = Runtimes::default();
    let runtime = runtimes.get(target.python).ok_or("Lambda has no such Python")?;
    let resolver = Resolver::find(sources).await?;
    let lock = resolver.resolve(std::slice::from_ref(&requirement), target, runtime).await?;
    for pin in lock.pins() {
        println!("{pin}");
    }

    // Verify the wheels, and write the zip. The bytes of the zip are the same each time.
    let builder = Builder::new(Fetcher::new(&out.join("cache"), None)?);
    let name = LayerName::new("Acme", target, &requirement.name().to_string())?;
    let layer = builder.build(&name, &lock, out).await?.zip;
    println!("{} bytes in {} files, SHA-256 {}", layer.unzipped_size, layer.files, layer.digest);
    println!("{}", layer.keep(out)?.display());
    Ok(())
}
