//! The command `adopt`: copies the records of another collection into the catalog.

use std::sync::Arc;

use clap::{ArgGroup, Args};
use klayers_build::Error;
#[cfg(not(feature = "adopt-table"))]
use klayers_build::MissingFeatureError;
#[cfg(feature = "adopt-table")]
use klayers_build::adopt::TableSource;
use klayers_build::adopt::{
    AdoptionReport, ApiSource, LeftOut, Mode, Scope, Source, adopt as adopt_from,
};
use klayers_build::config::Config;
#[cfg(feature = "adopt-table")]
use klayers_build::config::PublishConfig;
use klayers_build::pipeline::RunLock;
use klayers_build::plan::Selection;
use klayers_catalog::{Catalog, SqliteCatalog};
use klayers_core::{Architecture, Partition, Region, Target, Timestamp};

use super::lease::HeldLease;
use super::output::{Level, LogFormat, Subject};
use super::progress::Progress;
use super::selection::SelectionArgs;
use super::{ConfigArgs, DONE, FAILED, lease, output};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").required(true).args(["api", "table"])))]
pub(super) struct AdoptArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read the API at this base URL (the part before /api/v2).
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Read this DynamoDB table, which has the layout of the public collection's table.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// The region of the table [default: the default region of AWS's tools].
    #[arg(long, value_name = "R", conflicts_with = "api")]
    table_region: Option<Region>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Only show what would be recorded.
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn adopt(
    args: AdoptArgs,
    format: LogFormat,
    now: Timestamp,
    held: HeldLease,
) -> Result<u8, Error> {
    let config = args.config.load()?;
    let scope = scope(&config, args.selection.into())?;
    // Before the catalog is opened, since nothing is written if the source cannot be read.
    let source = match (&args.api, &args.table) {
        (Some(url), _) => Source::Api(ApiSource::new(url)?),
        (None, table) => {
            let table = table.as_deref().unwrap_or_default();
            table_source(table, args.table_region.as_ref(), &config).await?
        }
    };
    let report = if args.dry_run {
        let catalog: Arc<dyn Catalog> = if config.catalog.exists() {
            lease::read(&config.catalog)?
        } else {
            Arc::new(SqliteCatalog::in_memory()?)
        };
        let _progress = Progress::begin(0, format);
        adopt_from(&source, &scope, &*catalog, Mode::DryRun, now).await?
    } else {
        let lock = RunLock::take(&config.catalog)?;
        let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(&config.catalog)?);
        let lease = lease::take(Some(lock), &catalog, &held).await?;
        let _progress = Progress::begin(0, format);
        let work = adopt_from(&source, &scope, &*catalog, Mode::Adopt, now);
        lease.during(Box::pin(work)).await?
    };
    if args.json {
        let json = serde_json::to_value(&report).unwrap_or_default();
        output::line(&json.to_string());
    } else {
        print(&report, args.dry_run);
    }
    for LeftOut { target, package, region, reason } in &report.left_out {
        let (target, package, region) = (*target, package.as_ref(), region.as_ref());
        output::failed(&Subject { target, package, region }, &reason.to_string());
    }
    let total = format!(
        "{} layers: {} layer versions {}, {} unchanged, {} left out",
        report.layers,
        report.added + report.changed,
        if args.dry_run { "to adopt" } else { "adopted" },
        report.unchanged,
        report.left_out.len(),
    );
    output::message(Level::Status, &total);
    Ok(if report.left_out.is_empty() { DONE } else { FAILED })
}

#[cfg(feature = "adopt-table")]
async fn table_source(
    table: &str,
    region: Option<&Region>,
    config: &Config,
) -> Result<Source, Error> {
    let PublishConfig { aws, deadline, .. } = &config.publish;
    Ok(Source::Table(TableSource::connect(table, region, &aws.profiles, *deadline).await?))
}

#[cfg(not(feature = "adopt-table"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn table_source(_: &str, _: Option<&Region>, _: &Config) -> Result<Source, Error> {
    Err(MissingFeatureError { feature: "adopt-table", action: "read a DynamoDB table" }.into())
}

/// An API does not list its targets and regions. So it is asked for all known ones, and for those of
/// the collection.
fn scope(config: &Config, selection: Selection) -> Result<Scope, Error> {
    let collection = config.collection()?;
    let architectures = [Architecture::X86_64, Architecture::Arm64];
    let known = config.build.runtimes.iter().flat_map(|runtime| {
        architectures.map(|architecture| Target::new(runtime.python, architecture))
    });
    let mut targets: Vec<Target> = collection.targets.into_keys().chain(known).collect();
    targets.extend(&selection.targets);
    let partitions: Vec<Partition> = match &collection.regions[..] {
        [] => Region::known().take(1).map(|region| region.partition()).collect(),
        regions => regions.iter().map(Region::partition).collect(),
    };
    let known = Region::known().filter(|region| partitions.contains(&region.partition()));
    let mut regions: Vec<Region> = known.chain(collection.regions).collect();
    regions.extend(selection.regions.iter().cloned());
    targets.retain(|target| selection.targets.is_empty() || selection.targets.contains(target));
    regions.retain(|region| selection.includes_region(region));
    targets.sort();
    targets.dedup();
    regions.sort();
    regions.dedup();
    Ok(Scope { targets, regions, selection })
}

fn print(report: &AdoptionReport, dry_run: bool) {
    let rows = [
        ("latest", report.latest),
        ("deprecated", report.deprecated),
        ("deleted", report.deleted),
        ("builds", report.builds),
    ];
    for (name, count) in rows {
        output::line(&format!("{name:10} {count}"));
    }
    let done = if dry_run { "to be recorded" } else { "recorded" };
    output::line(&format!(
        "{done}: {} new, {} changed, {} latest builds",
        report.added, report.changed, report.builds_recorded
    ));
}
