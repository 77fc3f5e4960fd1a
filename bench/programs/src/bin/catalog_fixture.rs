//! `catalog_fixture FILE [PACKAGES]` creates a catalog for the tests of the pages and the benchmarks
//! of serving: a few packages with a history in all targets and regions, one with hostile texts, and
//! PACKAGES others (20 by default) with one layer each, for `p3.13` in us-east-1.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use klayers_catalog::{Catalog as _, SqliteCatalog};
use klayers_core::{
    Build, Content, Digest, LayerArn, LayerName, LayerVersion, Origin, Region, Status, Target, Yank,
};
use klayers_layer::gate::{
    Finding, GateReport, ImportReport, ModuleOutcome, Network, WithoutBytecode,
};

const TARGETS: [&str; 4] = ["p3.12", "p3.12-arm64", "p3.13", "p3.13-arm64"];
const REGIONS: [&str; 5] =
    ["ap-southeast-2", "eu-central-1", "eu-west-1", "sa-east-1", "us-east-1"];

/// Packages, their versions from oldest to newest, and the dependencies in their layers.
const HISTORIES: [(&str, &[&str], &[&str]); 5] = [
    (
        "requests",
        &["2.31.0", "2.32.3", "2.32.4", "2.32.5"],
        &["certifi==2026.10.5", "charset-normalizer==3.4.4", "idna==3.11", "urllib3==2.5.0"],
    ),
    (
        "pandas",
        &["2.2.3", "2.3.3", "3.0.0"],
        &["numpy==2.3.4", "python-dateutil==2.9.0.post0", "pytz==2025.2", "six==1.17.0"],
    ),
    ("Pillow", &["11.3.0", "12.0.0"], &[]),
    ("scikit-learn", &["1.7.2"], &["joblib==1.5.2", "numpy==2.3.4", "scipy==1.16.3"]),
    ("zope.interface", &["7.2", "8.0.1"], &[]),
];

/// A hostile licence text: markup, an override of the writing direction, a formula. The fixture
/// repeats it up to 10 kB.
const HOSTILE: &str = "<script>document.title='owned'</script><img src=x onerror=alert(1)> \
    \u{202e}txet lautca\u{202c} </dd><h1>=cmd|'/c calc'!A1</h1> ";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, packages) = match &arguments[..] {
        [file] => (file, 20),
        [file, packages] => (file, packages.parse()?),
        _ => return Err("usage: catalog_fixture FILE [PACKAGES]".into()),
    };
    let fixture = Fixture { catalog: SqliteCatalog::open(Path::new(file))? };
    let mut made = HISTORIES.len() + 1;
    for (package, versions, others) in HISTORIES {
        for (number, version) in (1..).zip(versions) {
            for target in TARGETS {
                let build = build(target, package, version, others, number)?;
                fixture.publish(&build, number, &REGIONS).await?;
            }
        }
    }
    fixture.hostile().await?;
    for name in names().take(packages) {
        let build = build("p3.13", &name, "1.4.2", &[], 1)?;
        fixture.publish(&build, 1, &["us-east-1"]).await?;
        made += 1;
    }
    print(&format!("{made} packages"));
    Ok(())
}

struct Fixture {
    catalog: SqliteCatalog,
}

impl Fixture {
    async fn publish(
        &self,
        build: &Build,
        number: u64,
        regions: &[&str],
    ) -> Result<Vec<LayerVersion>, Box<dyn Error>> {
        let (Some(content), Some(at)) = (build.content_digest(), build.created_at) else {
            return Err("only a layer that was built here can be published".into());
        };
        self.catalog.record_gate_report(content, &gate(build)).await?;
        self.catalog.record_build(build).await?;
        let mut published = Vec::new();
        for region in regions {
            let region: Region = region.parse()?;
            let layer = LayerName::new("Klayers", build.target, build.package.spelling())?;
            let arn =
                LayerArn::new(region, "000000000000".parse()?, layer).version(number.try_into()?);
            let version = LayerVersion {
                arn,
                build: build.clone(),
                created_at: build.created_at,
                status: Status::Latest,
            };
            let expires_at = at + SignedDuration::from_hours(365 * 24);
            self.catalog.complete(&version, expires_at).await?;
            published.push(version);
        }
        Ok(published)
    }

    /// Adds a package whose licence and yank reason hold hostile text.
    async fn hostile(&self) -> Result<(), Box<dyn Error>> {
        for (number, version) in (1..).zip(["0.1", "0.2"]) {
            let mut build = build("p3.13", "odd-licence", version, &[], number)?;
            build.license = Some(HOSTILE.repeat(10_240 / HOSTILE.len() + 1));
            let published = self.publish(&build, number, &["us-east-1"]).await?;
            if number == 2 {
                let at = build.created_at.ok_or("the build has no time")?;
                let yank = Yank { reason: HOSTILE.to_owned(), at };
                self.catalog.yank(&published[0].arn, &yank, at + YEAR).await?;
            }
        }
        Ok(())
    }
}

const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The `number`th build of a package. Builds are two months apart.
fn build(
    target: &str,
    package: &str,
    version: &str,
    others: &[&str],
    number: u64,
) -> Result<Build, Box<dyn Error>> {
    let target: Target = target.parse()?;
    let of = |part: &str| Digest::of(format!("{part} {target} {package} {version}").as_bytes());
    let mut dependencies = vec![format!("{}=={version}", package.to_lowercase()).parse()?];
    for other in others {
        dependencies.push(other.parse()?);
    }
    dependencies.sort();
    let first: Timestamp = "2026-03-01T02:10:00Z".parse()?;
    let size = 1_000_000 * (1 + package.len() as u64) * (1 + others.len() as u64);
    Ok(Build {
        target,
        package: package.parse()?,
        version: version.parse()?,
        dependencies,
        requirements_hash: of("requirements"),
        origin: Origin::Locked {
            wheels_hash: of("wheels"),
            lock_digest: of("lock"),
            content: Content { digest: of("zip"), size: size / 3, unzipped_size: size },
        },
        license: Some("Apache-2.0".to_owned()),
        created_at: Some(first + SignedDuration::from_hours(i64::try_from(number - 1)? * 61 * 24)),
    })
}

/// A report in which all modules were imported. The one of pandas warns of missing bytecode.
fn gate(build: &Build) -> GateReport {
    let findings = if build.package.normalized() == "pandas" {
        vec![Finding::WithoutBytecode(WithoutBytecode::NoInterpreter(build.target.python))]
    } else {
        Vec::new()
    };
    let module = build.package.normalized().replace('-', "_");
    let modules = BTreeMap::from([(module, ModuleOutcome::Passed)]);
    GateReport {
        findings,
        imports: ImportReport::Run {
            modules,
            tolerated: BTreeMap::new(),
            undeclared: BTreeMap::new(),
            network: Network::Absent,
            gaps: BTreeSet::new(),
        },
    }
}

/// About a thousand plausible package names, all different.
fn names() -> impl Iterator<Item = String> {
    const FIRST: &str = "aio anno astro azure bio boto celery click crypto dask data django fast \
        flask geo google graph http image json kafka lang mongo net num open parse pdf plot \
        postgres py redis schema spark sql text tree type web xml";
    const SECOND: &str = "auth base cache client core db extensions fields forms io kit lib log \
        models orm parser pool query retry schema stubs tools types utils view";
    SECOND
        .split_whitespace()
        .flat_map(|second| FIRST.split_whitespace().map(move |first| format!("{first}-{second}")))
}

#[expect(clippy::print_stdout, reason = "programs print their result")]
fn print(line: &str) {
    println!("{line}");
}
