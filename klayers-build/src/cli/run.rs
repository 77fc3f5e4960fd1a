//! The command `run`: builds and publishes the layers that changed, and reports what it did.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures::StreamExt as _;
use klayers_build::Error;
use klayers_build::config::{Config, ConfigError, PublishConfig, PublishTarget};
use klayers_build::message::Settings;
use klayers_build::notify::{Notifier, NotifyConfig, SecretUrl};
use klayers_build::pipeline::{CompletedLayer, LayerOutcome, Pipeline, RunLock, Stop};
use klayers_build::report::RecordRun as _;
use klayers_catalog::artifacts::FolderArtifacts;
use klayers_catalog::report::{Failure, RunReport, due_build};
use klayers_catalog::{Catalog, Intent, SqliteCatalog};
use klayers_core::{Region, Timestamp, next_build};
use klayers_layer::gate::ImportMode;
use tracing::info;

use super::collection::{CollectionArgs, Work, build_reason, show_failure};
use super::lease::HeldLease;
use super::output::{Level, LogFormat, Subject};
use super::progress::Progress;
use super::publisher::publisher;
use super::unchecked::warn_of_missing_interpreters;
use super::{DONE, FAILED, lease, note_confinement, output};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) collection: CollectionArgs,
    /// Only show what would be done, as `plan` does.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do nothing if this month's run is complete. For timers that start it every hour or day:
    /// layers that failed are tried again.
    #[arg(long, conflicts_with_all = ["dry_run", "package", "target", "region"])]
    scheduled: bool,
    /// Publish even if regions without records in the catalog already have layers of these names.
    #[arg(long, conflicts_with = "dry_run")]
    new_collection: bool,
}

/// The report of a run, and the catalog that stores it.
struct Recording {
    report: RunReport,
    /// The catalog, once this run holds the lease.
    records: Option<Arc<dyn Catalog>>,
}

pub(super) async fn run(
    args: &RunArgs,
    format: LogFormat,
    now: Timestamp,
    stopped: impl Future<Output = u8>,
) -> Result<u8, Error> {
    let begun = Instant::now();
    let config = args.collection.config.load()?;
    let notifier = Notifier::new(&notify_config(&config)?);
    if args.scheduled && !is_due(&config, now).await? {
        return Ok(DONE);
    }
    let mut report = RunReport::begin(now);
    report.scheduled = args.scheduled;
    report.whole = args.collection.is_whole();
    let mut recording = Recording { report, records: None };
    let (held, stop) = (HeldLease::default(), Stop::default());
    let longest = longest_publication(&config.publish);
    let ended = {
        let mut work = pin!(work(args, config, format, now, &mut recording, &held, &stop));
        tokio::select! {
            ended = &mut work => ended.map(|()| None),
            code = stopped => {
                stop.request();
                finish_publications(work, &stop, longest).await;
                // Dropping the remaining work ends the programs that it started.
                Ok(Some(code))
            }
        }
    };
    let Recording { mut report, records } = recording;
    match &ended {
        Ok(None) => {}
        Ok(Some(_)) => {
            report.add_interruption();
            held.give_back().await;
        }
        Err(error) => report.add_error(error),
    }
    report.end(begun.elapsed());
    let mut code = if report.is_complete() { DONE } else { FAILED };
    let mut number = None;
    if let Some(catalog) = &records {
        match catalog.record_run(&report).await {
            Ok(recorded) => number = Some(recorded),
            Err(error) => {
                output::fatal(&error.into(), Settings::File);
                code = FAILED;
            }
        }
        show_report(number, &report, ended.is_ok(), format);
    }
    let is_news = match &ended {
        Ok(None) => true,
        // The user who interrupted the run knows, and waits.
        Ok(Some(_)) => false,
        // The other run that holds the lease sends its own notification.
        Err(Error::RunLock(_)) if records.is_none() => false,
        // If nothing was begun, the user sees the error, unless a timer started the run.
        Err(_) => args.scheduled || records.is_some(),
    };
    if is_news {
        notify(notifier.as_ref(), number, &report).await;
    }
    ended.map(|stopped| stopped.unwrap_or(code))
}

/// How long an interrupted publication may still create a version.
fn longest_publication(config: &PublishConfig) -> Duration {
    match config.target {
        PublishTarget::Local => Duration::ZERO,
        PublishTarget::Aws => Duration::from_secs(config.aws.longest_publication),
    }
}

/// Waits until the publications in progress are finished and recorded, at most for `longest`. A
/// second interruption ends the process at once.
async fn finish_publications(work: impl Future, stop: &Stop, longest: Duration) {
    let count = stop.under_way();
    if count == 0 || longest.is_zero() {
        return;
    }
    let text = format!(
        "waiting up to {} s for {count} publications in progress; interrupt again to end at \
         once",
        longest.as_secs()
    );
    output::message(Level::Note, &text);
    // If they take longer, the next run settles them.
    let _ = tokio::time::timeout(longest, work).await;
}

/// The notification settings of the file. A URL in the environment replaces the file's.
#[expect(clippy::disallowed_methods, reason = "this is the edge where the environment enters")]
fn notify_config(config: &Config) -> Result<NotifyConfig, Error> {
    const VARIABLE: &str = "KLAYERS_NOTIFY_URL";
    let mut notify = config.notify.clone();
    if let Some(url) = std::env::var_os(VARIABLE).filter(|url| !url.is_empty()) {
        let url = url.to_str().and_then(SecretUrl::parse);
        notify.url = Some(url.ok_or_else(|| ConfigError::NotifyUrl(VARIABLE.to_owned()))?);
    }
    Ok(notify)
}

/// Whether this month's run is not complete yet. If it is complete, says so.
async fn is_due(config: &Config, now: Timestamp) -> Result<bool, Error> {
    if !config.catalog.exists() {
        return Ok(true);
    }
    let catalog = SqliteCatalog::open_read_only(&config.catalog)?;
    let due = due_build(&catalog, now).await?.is_some();
    if !due && let Some(next) = next_build(now) {
        output::line(&format!("the run of this month is done; the next begins at {next}"));
    }
    Ok(due)
}

async fn work(
    args: &RunArgs,
    config: Config,
    format: LogFormat,
    now: Timestamp,
    recording: &mut Recording,
    held: &HeldLease,
    stop: &Stop,
) -> Result<(), Error> {
    let Recording { report, records } = recording;
    let mut lock = None;
    let catalog = || {
        lock = Some(RunLock::take(&config.catalog)?);
        Ok(Arc::new(SqliteCatalog::open(&config.catalog)?) as Arc<dyn Catalog>)
    };
    let Work { workshop, planner, wanted, regions, force, all_regions, all_layers } =
        args.collection.work(&config, catalog, now).await?;
    let lease = lease::take(lock, &planner.catalog, held).await?;
    warn_of_abandoned(&*planner.catalog, &all_regions).await?;
    warn_of_missing_interpreters(&workshop, &wanted).await?;
    *records = Some(Arc::clone(&planner.catalog));
    // Before anything is created, since without credentials the run ends.
    let publisher = publisher(&config.publish, &regions).await?;
    note_confinement(
        config.build.gate.imports != ImportMode::Off || !config.build.allow_sdist.is_empty(),
    )
    .await;
    let artifacts = FolderArtifacts::open(config.artifacts)?;
    workshop.fetcher.sweep(now);
    artifacts.sweep(now);
    let pipeline = Pipeline {
        planner,
        builder: workshop.builder(),
        publisher,
        artifacts: Arc::new(artifacts),
        expiry: config.expiry,
        public: config.publish.public,
        deadline: config.publish.deadline,
        new_collection: args.new_collection,
        clock: super::now,
        stop: stop.clone(),
    };
    lease
        .during(async {
            let run = pipeline.begin(&all_layers, &regions, now).await?;
            report.add_settled(&run);
            show_closed(&report.failures, format);
            let progress = Progress::begin(wanted.len(), format);
            let mut outcomes = pin!(run.layers(&wanted, force));
            while let Some(outcome) = outcomes.next().await {
                let known = report.failures.len();
                report.add(&outcome);
                report.replaced = workshop.fetcher.cache_log().replaced();
                show(&outcome, config.build.gate.imports != ImportMode::Off, format);
                show_closed(&report.failures[known..], format);
                progress.add(&outcome);
            }
            let known = report.failures.len();
            report.add_late_regions(&run);
            show_closed(&report.failures[known..], format);
            Ok(())
        })
        .await
}

/// Warns about interrupted publications in regions that runs no longer visit.
async fn warn_of_abandoned(catalog: &dyn Catalog, regions: &[Region]) -> Result<(), Error> {
    for Intent { region, layer, .. } in catalog.under_way().await? {
        if !regions.contains(&region) {
            let text = format!(
                "publishing {layer} in {region} was interrupted, and {region} is no longer in \
                 regions.csv, so no run finds out whether it succeeded: run \
                 `klayers-pipeline reconcile --region {region}`"
            );
            output::message(Level::Warning, &text);
        }
    }
    Ok(())
}

/// Shows which regions were closed, and why. Text output shows failures at the end instead.
fn show_closed(failures: &[Failure], format: LogFormat) {
    if format == LogFormat::Text {
        return;
    }
    for failure in failures.iter().filter(|failure| failure.package.is_none()) {
        let region = failure.region.as_ref();
        output::failed(&Subject { region, ..Subject::default() }, &failure.reason);
    }
}

/// Shows the outcome of a layer, except in closed regions. Text output states the reason of a
/// failure at the end, together with other failures for the same reason.
fn show(outcome: &LayerOutcome, imports: bool, format: LogFormat) {
    let wanted = &outcome.wanted;
    let (target, package) = (Some(wanted.target), Some(wanted.contents.name()));
    let CompletedLayer { build, built, report, published, unmoved, withheld, .. } =
        match &outcome.result {
            Ok(done) => done,
            Err(error) => {
                return show_failure(wanted, error, format);
            }
        };
    let head = format!("{} {} {}", wanted.target, wanted.contents.name(), build.version);
    output::line(&match built {
        Some(reason) => {
            let size = output::bytes(build.content().map_or(0, |content| content.size));
            format!("{head}: built ({}), {size}", build_reason(*reason))
        }
        None if *withheld => format!("{head}: withheld (yanked)"),
        None if published.is_empty() => format!("{head}: unchanged"),
        None => format!("{head}: build kept"),
    });
    // "Not imported" is shown only if imports are checked at all.
    if let Some(report) = report.as_ref().filter(|report| imports || !report.findings.is_empty()) {
        let text = format!("  {}", report.to_string().replace('\n', "\n  "));
        output::message(Level::Status, &text);
    }
    let mut failed = Vec::new();
    for (region, outcome) in published {
        match outcome {
            Ok(arn) => output::line(&format!("  {arn}")),
            Err(Error::Publish(why)) if why.concerns_region() => {}
            Err(error) if format == LogFormat::Json => {
                output::failure(&Subject { target, package, region: Some(region) }, error);
            }
            Err(_) => failed.push(region.as_str()),
        }
    }
    for (region, error) in unmoved {
        if format == LogFormat::Json {
            output::failure(&Subject { target, package, region: Some(region) }, error);
        } else {
            failed.push(region.as_str());
        }
    }
    if !failed.is_empty() {
        output::message(Level::Status, &format!("{head}: failed in {}", failed.join(", ")));
    }
}

/// Shows what failed, and, if the run came to its end, what it did.
fn show_report(number: Option<u64>, report: &RunReport, at_end: bool, format: LogFormat) {
    match format {
        LogFormat::Text => {
            let mut groups = report.failure_groups();
            if !at_end {
                // The last failure ended the run, and is shown as the error of the command.
                groups.pop();
            }
            for group in groups {
                output::raw(&group.to_text(output::shape()));
            }
            if at_end {
                output::raw(&report.summary().without_failures().to_string());
            }
        }
        LogFormat::Json if !at_end => {}
        LogFormat::Json => info!(
            run = number,
            layers = report.layers,
            built = report.built.len(),
            published = report.published.values().sum::<usize>(),
            unchanged = report.unchanged,
            failed = report.failed,
            complete = report.is_complete(),
            milliseconds = report.milliseconds,
            "run ended"
        ),
    }
}

/// Sends the notification. A failure is a warning, since the run itself is done.
async fn notify(notifier: Option<&Notifier>, number: Option<u64>, report: &RunReport) {
    let Some(notifier) = notifier else { return };
    if let Err(error) = notifier.notify(number, report).await {
        let text = format!("could not send a notification: {}", output::chain(&error));
        output::message(Level::Warning, &text);
    }
}
