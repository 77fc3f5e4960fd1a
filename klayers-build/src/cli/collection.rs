//! The commands that work on a whole collection: `plan` and `run`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;

use clap::Args;
use futures::StreamExt;
use klayers_build::Error;
use klayers_build::artifacts::FolderArtifacts;
use klayers_build::builder::Builder;
use klayers_build::catalog::SqliteCatalog;
use klayers_build::config::Config;
use klayers_build::fetch::Fetcher;
use klayers_build::pipeline::{LayerDone, LayerOutcome, Pipeline, Planned, Planner, RunLock};
use klayers_build::plan::{
    BuildReason, BuildStep, Force, PublishReason, Selection, Wanted, regions, wanted,
};
use klayers_build::resolve::{FromSource, Resolver};
use klayers_core::{PackageName, PythonVersion, Region, Target, Timestamp};

use super::publisher::publisher;
use super::{CacheArgs, ConfigArgs, DONE, FAILED, interpreters, lease, note_deprecated, output};

#[derive(Debug, Args)]
pub(super) struct CollectionArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only this package or bundle; may be given several times.
    #[arg(long, value_name = "P")]
    package: Vec<PackageName>,
    /// Only this target, as in p3.12-arm64; may be given several times.
    #[arg(long, value_name = "T")]
    target: Vec<Target>,
    /// Only in this region; may be given several times.
    #[arg(long, value_name = "R")]
    region: Vec<Region>,
    /// Build again what did not change.
    #[arg(long)]
    force_build: bool,
    /// Publish again what did not change.
    #[arg(long)]
    force_publish: bool,
    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    collection: CollectionArgs,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What a command works on.
struct Work {
    planner: Planner,
    wanted: Vec<Wanted>,
    regions: Vec<Region>,
    force: Force,
}

impl CollectionArgs {
    /// Checks all of the configuration, and that the tools are there, before anything is made.
    async fn work(
        &self,
        config: &Config,
        catalog: impl FnOnce() -> Result<SqliteCatalog, Error>,
        now: Timestamp,
    ) -> Result<Work, Error> {
        let selection = Selection {
            packages: self.package.clone(),
            targets: self.target.clone(),
            regions: self.region.clone(),
        };
        let collection = config.collection()?;
        let wanted = wanted(&collection, &selection, &config.publish.layer_prefix)?;
        let regions = regions(&collection, &selection)?;
        let pythons: BTreeSet<PythonVersion> =
            wanted.iter().map(|wanted| wanted.target.python).collect();
        note_deprecated(pythons.into_iter().filter_map(|python| config.runtimes.get(python)), now);
        let fetcher = Fetcher::new(&self.cache.folder(), config.sources.index_url.clone())?;
        let mut interpreters = interpreters(&config.runtimes);
        interpreters.explicit.extend(config.interpreters.clone());
        let from_source = FromSource::new(config.allow_sdist.clone(), fetcher, interpreters);
        let planner = Planner {
            resolver: Resolver::find(config.sources.clone())
                .await?
                .with_slimming(config.slimming.clone())
                .with_sdists(from_source),
            runtimes: config.runtimes.clone(),
            catalog: Arc::new(catalog()?),
            republish: config.publish.republish,
        };
        let force = Force { build: self.force_build, publish: self.force_publish };
        Ok(Work { planner, wanted, regions, force })
    }
}

pub(super) async fn plan(args: &CollectionArgs, now: Timestamp) -> Result<u8, Error> {
    let config = args.config.load()?;
    let catalog = || {
        let catalog = if config.catalog.exists() {
            SqliteCatalog::open_read_only(&config.catalog)?
        } else {
            SqliteCatalog::in_memory()?
        };
        Ok(catalog)
    };
    let Work { planner, wanted, regions, force } = args.work(&config, catalog, now).await?;
    let mut failed = Vec::new();
    let (mut builds, mut publications) = (0, 0);
    let mut plans = pin!(planner.plan(&wanted, &regions, force));
    while let Some((wanted, planned)) = plans.next().await {
        match planned {
            Ok(planned) => {
                builds += usize::from(matches!(planned.plan.build, BuildStep::Build(_)));
                publications += planned.plan.publish.len();
                output::line(&planned_line(&planned));
            }
            Err(error) => failed.push((wanted, error)),
        }
    }
    for (wanted, error) in &failed {
        report_failure(wanted, error);
    }
    output::note(&format!(
        "{} layers: {builds} to build, {publications} layer versions to publish, {} failed",
        wanted.len(),
        failed.len(),
    ));
    Ok(if failed.is_empty() { DONE } else { FAILED })
}

pub(super) async fn run(args: &RunArgs, now: Timestamp) -> Result<u8, Error> {
    if args.dry_run {
        return plan(&args.collection, now).await;
    }
    let config = args.collection.config.load()?;
    let mut lock = None;
    let catalog = || {
        lock = Some(RunLock::take(&config.catalog)?);
        Ok(SqliteCatalog::open(&config.catalog)?)
    };
    let Work { planner, wanted, regions, force } =
        args.collection.work(&config, catalog, now).await?;
    let lease = lease::take(lock, &planner.catalog).await?;
    let cache = args.collection.cache.folder();
    let mut interpreters = interpreters(&config.runtimes);
    interpreters.explicit.extend(config.interpreters);
    let pipeline = Pipeline {
        planner,
        builder: Builder::new(Fetcher::new(&cache, config.sources.index_url)?)
            .with_runtimes(config.runtimes)
            .with_rules(config.gate.clone())
            .with_interpreters(interpreters)
            .with_bytecode(config.bytecode, &cache),
        artifacts: Arc::new(FolderArtifacts::open(config.artifacts)?),
        publisher: publisher(&config.publish, &regions).await?,
        expiry: config.expiry,
        public: config.publish.public,
        deadline: config.publish.deadline,
    };
    let imports = config.gate.imports;
    let mut tally = Tally::default();
    let work = async {
        let run = pipeline.begin(&regions, now).await?;
        for (region, error) in &run.unsettled {
            output::note(&format!("error: {region}: {}", output::chain(error)));
        }
        let mut outcomes = pin!(run.layers(&wanted, force));
        while let Some(outcome) = outcomes.next().await {
            tally.add(&outcome);
            report_outcome(&outcome, imports);
        }
        Ok(())
    };
    lease.during(work).await?;
    output::note(&tally.summary());
    Ok(if tally.failed == 0 { DONE } else { FAILED })
}

fn planned_line(planned: &Planned) -> String {
    let Planned { plan, lock, .. } = planned;
    let mut line = head(&plan.wanted);
    if let Some(wheel) = lock.wheel(plan.wanted.contents.leader()) {
        let _ = write!(line, " {}", wheel.pin.version);
    }
    let _ = match &plan.build {
        BuildStep::Build(reason) => write!(line, ": build ({})", build_reason(*reason)),
        BuildStep::Reuse(_) if plan.withheld => write!(line, ": withheld (yanked)"),
        BuildStep::Reuse(_) if plan.publish.is_empty() => write!(line, ": unchanged"),
        BuildStep::Reuse(_) => write!(line, ": keep the build"),
    };
    let regions: Vec<String> = plan
        .publish
        .iter()
        .map(|(region, reason)| format!("{region} ({})", publish_reason(*reason)))
        .collect();
    if !regions.is_empty() {
        let _ = write!(line, ", publish in {}", regions.join(", "));
    }
    line
}

fn report_outcome(outcome: &LayerOutcome, imports: bool) {
    let LayerDone { build, built, report, published, withheld } = match &outcome.result {
        Ok(done) => done,
        Err(error) => return report_failure(&outcome.wanted, error),
    };
    let mut line = format!("{} {}", head(&outcome.wanted), build.version);
    let _ = match built {
        Some(reason) => {
            write!(line, ": built ({}), {}", build_reason(*reason), output::bytes(build.code_size))
        }
        None if *withheld => write!(line, ": withheld (yanked)"),
        None if published.is_empty() => write!(line, ": unchanged"),
        None => write!(line, ": build kept"),
    };
    output::line(&line);
    // That nothing was imported is said where it should have been.
    if let Some(report) = report.as_ref().filter(|report| imports || !report.findings.is_empty()) {
        output::note(&format!("  {}", report.to_string().replace('\n', "\n  ")));
    }
    for (region, outcome) in published {
        match outcome {
            Ok(arn) => output::line(&format!("  {arn}")),
            Err(error) => {
                output::note(&format!(
                    "error: {}: {region}: {}",
                    head_of(build),
                    output::chain(error)
                ));
            }
        }
    }
}

fn report_failure(wanted: &Wanted, error: &Error) {
    output::note(&format!("error: {}: {}", head(wanted), output::chain(error)));
}

fn head(wanted: &Wanted) -> String {
    format!("{} {}", wanted.target, wanted.contents.name())
}

fn head_of(build: &klayers_core::Build) -> String {
    format!("{} {}", build.target, build.package)
}

fn build_reason(reason: BuildReason) -> &'static str {
    match reason {
        BuildReason::New => "new",
        BuildReason::Changed => "changed",
        BuildReason::Forced => "forced",
    }
}

fn publish_reason(reason: PublishReason) -> &'static str {
    match reason {
        PublishReason::New => "new",
        PublishReason::Changed => "changed",
        PublishReason::Forced => "forced",
    }
}

/// What a run did, in numbers.
#[derive(Debug, Default)]
struct Tally {
    layers: usize,
    built: usize,
    published: usize,
    unchanged: usize,
    failed: usize,
}

impl Tally {
    fn add(&mut self, outcome: &LayerOutcome) {
        self.layers += 1;
        self.failed += usize::from(outcome.has_failed());
        if let Ok(done) = &outcome.result {
            self.built += usize::from(done.built.is_some());
            self.published += done.published.values().filter(|result| result.is_ok()).count();
            self.unchanged += usize::from(done.built.is_none() && done.published.is_empty());
        }
    }

    fn summary(&self) -> String {
        let Self { layers, built, published, unchanged, failed } = self;
        format!(
            "{layers} layers: {built} built, {published} layer versions published, \
             {unchanged} unchanged, {failed} failed"
        )
    }
}
