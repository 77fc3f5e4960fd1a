//! `planning fill FILE` creates a catalog with 1,000,000 layer versions. `planning plan FILE` plans a
//! month with nothing to do for that catalog, as `run` does after resolving. `planning locks` only
//! parses the locks that `plan` starts with; parsing belongs to resolving, so the benchmark subtracts
//! its time.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use futures::{StreamExt as _, stream};
use klayers_build::pipeline::Records;
use klayers_build::plan::{BuildStep, Contents, Force, Republish, Wanted};
use klayers_catalog::{Catalog as _, SqliteCatalog};
use klayers_core::{Build, Content, Digest, LayerName, Origin, Region, Runtimes, Target};
use klayers_layer::lock::Lock;
use rusqlite::{Connection, params};

const PACKAGES: usize = 300;
const REGIONS: usize = 34;
/// The number of layer versions in the catalog.
const VERSIONS: i64 = 1_000_000;
/// The number of builds of each layer before the latest one.
const OLDER: i64 = 8;
/// The number of layers planned at once, as in a run.
const PARALLEL: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [command, file] if command == "fill" => fill(Path::new(file)).await,
        [command, file] if command == "plan" => plan(Path::new(file)).await,
        [command] if command == "locks" => {
            print(&format!("{} locks", locks()?.len()));
            Ok(())
        }
        _ => Err("usage: planning fill|plan FILE, or planning locks".into()),
    }
}

/// Records builds as a run does. Layer versions are inserted straight into the tables, because the
/// catalog would sync the disk for each of them.
async fn fill(file: &Path) -> Result<(), Box<dyn Error>> {
    let catalog = SqliteCatalog::open(file)?;
    for wanted in wanted()? {
        catalog.record_build(&build(&wanted)?).await?;
    }
    drop(catalog);
    let mut connection = Connection::open(file)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch("CREATE TEMP TABLE regions (code TEXT)")?;
    for region in regions() {
        transaction.execute("INSERT INTO regions VALUES (?)", [region.as_str()])?;
    }
    transaction.execute(
        "INSERT INTO builds (target, package, spelling, version, dependencies, requirements_hash,
             wheels_hash, lock_digest, content_digest, code_size, unzipped_size, license, created_at)
         WITH RECURSIVE older (number) AS
             (SELECT 1 UNION ALL SELECT number + 1 FROM older WHERE number < ?)
         SELECT target, package, spelling, '0.' || number, dependencies, requirements_hash,
             printf('%064x', id * 100 + number), lock_digest, printf('%064x', id * 100 + number),
             code_size, unzipped_size, license, created_at
         FROM older CROSS JOIN builds",
        [OLDER],
    )?;
    let arn = "'arn:aws:lambda:' || code || ':000000000000:layer:Klayers-'
               || replace(target, '.', '') || '-' || spelling || ':'";
    let latest = transaction.execute(
        &format!(
            "INSERT INTO layer_versions (arn, region, target, package, build, created_at, status)
             SELECT {arn} || {}, code, target, package, id, created_at, 'latest'
             FROM builds CROSS JOIN regions WHERE version = '1.0'",
            OLDER + 1
        ),
        (),
    )?;
    transaction.execute(
        &format!(
            "INSERT INTO layer_versions
                 (arn, region, target, package, build, created_at, status, status_at)
             SELECT {arn} || substr(version, 3), code, target, package, id, created_at,
                 'deprecated', '2027-10-04T02:00:00.000000000Z'
             FROM builds CROSS JOIN regions WHERE version <> '1.0' LIMIT ?"
        ),
        params![VERSIONS - i64::try_from(latest)?],
    )?;
    let (versions, of_them_latest): (i64, i64) = transaction.query_row(
        "SELECT count(*), count(*) FILTER (WHERE status = 'latest') FROM layer_versions",
        (),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    transaction.commit()?;
    print(&format!("{versions} layer versions, {of_them_latest} of them the latest"));
    Ok(())
}

async fn plan(file: &Path) -> Result<(), Box<dyn Error>> {
    let catalog = SqliteCatalog::open_read_only(file)?;
    let records = Records::new(&catalog, Republish::Wheels);
    let regions = regions();
    let (mut layers, mut versions) = (0, 0);
    let mut plans = stream::iter(locks()?)
        .map(async |(wanted, lock)| {
            records.plan_lock(&wanted, lock, &regions, Force::default()).await
        })
        .buffered(PARALLEL);
    while let Some(planned) = plans.next().await {
        let planned = planned?;
        if !matches!(planned.plan.build, BuildStep::Reuse(_)) || !planned.plan.publish.is_empty() {
            return Err("the plan is not empty".into());
        }
        layers += 1;
        versions += planned.latest.len();
    }
    print(&format!("{layers} layers with {versions} latest versions: nothing to do"));
    Ok(())
}

/// The locks of all wanted layers.
fn locks() -> Result<Vec<(Wanted, Lock)>, Box<dyn Error>> {
    wanted()?
        .into_iter()
        .map(|wanted| {
            let lock = lock(&wanted)?;
            Ok((wanted, lock))
        })
        .collect()
}

/// 300 packages for 12 targets.
fn wanted() -> Result<Vec<Wanted>, Box<dyn Error>> {
    let mut all = Vec::new();
    for python in 8..14 {
        for architecture in ["", "-arm64"] {
            let target: Target = format!("p3.{python}{architecture}").parse()?;
            for number in 0..PACKAGES {
                let package = format!("package-{number:03}");
                let layer = LayerName::new("Klayers", target, &package)?;
                let contents = Contents::Package(package.parse()?);
                all.push(Wanted { target, contents, layer });
            }
        }
    }
    Ok(all)
}

fn regions() -> Vec<Region> {
    let aws = Region::known().filter(|region| region.partition().as_str() == "aws");
    aws.take(REGIONS).collect()
}

/// A lock of a package with nine dependencies, which is about the mean.
fn lock(wanted: &Wanted) -> Result<Lock, Box<dyn Error>> {
    let name = wanted.contents.name().normalized().to_owned();
    let mut text = String::from("lock-version = \"1.0\"\n");
    for number in 0..10 {
        let name = if number == 0 { name.clone() } else { format!("{name}-needs-{number}") };
        let file = format!("{}-1.0-py3-none-any.whl", name.replace('-', "_"));
        let digest = Digest::of(format!("{file} for {}", wanted.target).as_bytes());
        writeln!(
            text,
            "[[packages]]\nname = \"{name}\"\nversion = \"1.0\"\nwheels = [{{ name = \"{file}\", \
             url = \"https://index.example/{file}\", hashes = {{ sha256 = \"{digest}\" }} }}]"
        )?;
    }
    let runtimes = Runtimes::default();
    let runtime = runtimes.get(wanted.target.python).ok_or("the target has no runtime")?;
    Ok(Lock::parse(&text, None, wanted.target, runtime)?)
}

fn build(wanted: &Wanted) -> Result<Build, Box<dyn Error>> {
    let lock = lock(wanted)?;
    Ok(Build {
        target: wanted.target,
        package: wanted.contents.name().clone(),
        version: "1.0".parse()?,
        dependencies: lock.pins(),
        requirements_hash: lock.requirements_hash(),
        origin: Origin::Locked {
            wheels_hash: lock.wheels_hash(),
            lock_digest: Digest::of(wanted.layer.as_str().as_bytes()),
            content: Content {
                digest: Digest::of(wanted.layer.as_str().as_bytes()),
                size: 1_000_000,
                unzipped_size: 3_000_000,
            },
        },
        license: Some("MIT".to_owned()),
        created_at: Some("2026-10-04T02:00:00Z".parse()?),
    })
}

#[expect(clippy::print_stdout, reason = "programs print their result")]
fn print(line: &str) {
    println!("{line}");
}
