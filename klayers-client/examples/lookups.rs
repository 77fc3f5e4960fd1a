//! Benchmarks of the client, for `make bench`: `lookups cached N` looks up a cached ARN N times,
//! `lookups callers N` sends the same lookup from N simultaneous callers, `lookups decode N` parses a
//! list of 300 packages N times.

#![expect(clippy::print_stdout, reason = "a program prints its result")]

#[path = "../tests/support/fixture.rs"]
mod fixture;

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use klayers_client::{Client, PackageName, Region, Target};

use crate::fixture::{Server, collection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [benchmark, times] = &arguments[..] else {
        return Err("usage: lookups cached|callers|decode N".into());
    };
    let times: u32 = times.parse()?;
    match benchmark.as_str() {
        "cached" => cached(times).await,
        "callers" => callers(times).await,
        "decode" => decode(times).await,
        _ => Err("usage: lookups cached|callers|decode N".into()),
    }
}

/// A server whose answers are fresh for an hour.
fn server(body: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |path, stream| {
        let body = body(path);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )
    })
}

fn region_and_target() -> Result<(Region, Target), Box<dyn Error>> {
    Ok(("us-east-1".parse()?, "p3.13".parse()?))
}

async fn cached(times: u32) -> Result<(), Box<dyn Error>> {
    let server = server(|path| collection(path).unwrap_or_default());
    let client = Client::builder().base_url(server.url()).build()?;
    let (region, target) = region_and_target()?;
    let package: PackageName = "requests".parse()?;
    client.latest_arn(package.clone(), &region, &target).await?;
    let mut versions = 0;
    let started = Instant::now();
    for _ in 0..times {
        versions += client.latest_arn(package.clone(), &region, &target).await?.version();
    }
    let took = started.elapsed();
    assert_eq!(versions, 4 * u64::from(times));
    assert_eq!(server.asked().len(), 1);
    println!(
        "{times} lookups, {} ns each, {:.0} a second",
        (took / times).as_nanos(),
        f64::from(times) / took.as_secs_f64()
    );
    Ok(())
}

async fn callers(times: u32) -> Result<(), Box<dyn Error>> {
    let server = server(|path| {
        std::thread::sleep(Duration::from_millis(50));
        collection(path).unwrap_or_default()
    });
    let client = Client::builder().base_url(server.url()).build()?;
    let (region, target) = region_and_target()?;
    let calls: Vec<_> = (0..times)
        .map(|_| {
            let (client, region) = (client.clone(), region.clone());
            tokio::spawn(async move { client.latest_arn("requests", &region, &target).await })
        })
        .collect();
    for call in calls {
        call.await??;
    }
    println!("{times} callers, {} request", server.asked().len());
    Ok(())
}

async fn decode(times: u32) -> Result<(), Box<dyn Error>> {
    let row = |number: u32| {
        format!(
            r#"{{"package":"package-{number}","packageVersion":"1.2.{number}","arn":
            "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-package-{number}:1"}}"#
        )
    };
    let rows: Vec<String> = (0..300).map(row).collect();
    let body = format!("[{}]", rows.join(","));
    let size = body.len();
    let server = server(move |_| body.clone());
    let (region, target) = region_and_target()?;
    // Without a cache, each list is requested and parsed. The time includes the request on loopback.
    let cache = klayers_client::Cache::none();
    let client = Client::builder().base_url(server.url()).cache(cache).build()?;
    let started = Instant::now();
    for _ in 0..times {
        assert_eq!(client.latest(&region, &target).await?.len(), 300);
    }
    let each = started.elapsed() / times;
    println!("a list of 300 packages, {size} bytes: {} µs, with its request", each.as_micros());
    Ok(())
}
