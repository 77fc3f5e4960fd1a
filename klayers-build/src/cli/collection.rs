//! The command `plan`, and what it shares with `run`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;

use clap::Args;
use futures::StreamExt;
use klayers_build::Error;
use klayers_build::config::Config;
use klayers_build::pipeline::{PlannedLayer, Planner};
use klayers_build::plan::{BuildStep, Force, PublishReason, Selection, Wanted, regions, wanted};
use klayers_build::report::RecordRun as _;
use klayers_catalog::artifacts::FolderArtifacts;
use klayers_catalog::report::{BuildReason, RunReport};
use klayers_catalog::{Catalog, SqliteCatalog};
use klayers_core::{LayerName, PackageName, PythonVersion, Region, Target, Timestamp};
use klayers_layer::settings::Workshop;

use super::output::{Level, LogFormat, Subject};
use super::unchecked::Unchecked;
use super::{CacheArgs, ConfigArgs, DONE, FAILED, interpreters, note_deprecated, output};

#[derive(Debug, Args)]
pub(super) struct CollectionArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Only this package or bundle; may be given several times.
    #[arg(long, value_name = "P")]
    package: Vec<PackageName>,
    /// Only this target, such as p3.12-arm64; may be given several times.
    #[arg(long, value_name = "T")]
    target: Vec<Target>,
    /// Only in this region; may be given several times.
    #[arg(long, value_name = "R")]
    region: Vec<Region>,
    /// Also build layers that did not change.
    #[arg(long)]
    force_build: bool,
    /// Also publish layers that did not change.
    #[arg(long)]
    force_publish: bool,
    #[command(flatten)]
    pub(super) cache: CacheArgs,
}

/// The input of a command: the selected layers and regions, and the tools.
pub(super) struct Work {
    pub(super) workshop: Workshop,
    pub(super) planner: Planner,
    pub(super) wanted: Vec<Wanted>,
    pub(super) regions: Vec<Region>,
    pub(super) force: Force,
    /// All regions of the collection, whether selected or not.
    pub(super) all_regions: Vec<Region>,
    /// The names of all layers of the collection.
    pub(super) all_layers: BTreeSet<LayerName>,
}

impl CollectionArgs {
    /// Whether the whole collection is selected.
    pub(super) fn is_whole(&self) -> bool {
        self.package.is_empty() && self.target.is_empty() && self.region.is_empty()
    }

    /// Reads the whole configuration and finds the tools, before anything is created.
    pub(super) async fn work(
        &self,
        config: &Config,
        catalog: impl FnOnce() -> Result<Arc<dyn Catalog>, Error>,
        now: Timestamp,
    ) -> Result<Work, Error> {
        let selection = Selection {
            packages: self.package.clone(),
            targets: self.target.clone(),
            regions: self.region.clone(),
        };
        let collection = config.collection()?;
        let prefix = &config.publish.layer_prefix;
        let all_layers = wanted(&collection, &Selection::default(), prefix)?;
        let all_layers = all_layers.into_iter().map(|wanted| wanted.layer).collect();
        let wanted = wanted(&collection, &selection, prefix)?;
        let regions = regions(&collection, &selection)?;
        let pythons: BTreeSet<PythonVersion> =
            wanted.iter().map(|wanted| wanted.target.python).collect();
        let settings = config.build.clone();
        let runtimes = settings.runtimes.clone();
        note_deprecated(pythons.into_iter().filter_map(|python| runtimes.get(python)), now);
        let interpreters = interpreters(&runtimes);
        let workshop = Workshop::new(settings, &self.cache.folder(), interpreters)?;
        let planner = Planner {
            resolver: workshop.resolver().await?,
            runtimes,
            catalog: catalog()?,
            republish: config.publish.republish,
            artifacts: Some(Arc::new(FolderArtifacts::read_only(&config.artifacts))),
        };
        let force = Force { build: self.force_build, publish: self.force_publish };
        Ok(Work {
            workshop,
            planner,
            wanted,
            regions,
            force,
            all_regions: collection.regions,
            all_layers,
        })
    }
}

pub(super) async fn plan(
    args: &CollectionArgs,
    format: LogFormat,
    now: Timestamp,
) -> Result<u8, Error> {
    let config = args.config.load()?;
    let catalog = || {
        let catalog = if config.catalog.exists() {
            SqliteCatalog::open_read_only(&config.catalog)?
        } else {
            SqliteCatalog::in_memory()?
        };
        Ok(Arc::new(catalog) as Arc<dyn Catalog>)
    };
    let Work { workshop, planner, wanted, regions, force, .. } =
        args.work(&config, catalog, now).await?;
    let mut unchecked = Unchecked::default();
    // Failures and warnings are shown in the same way as those of a run.
    let mut report = RunReport::begin(now);
    let (mut builds, mut publications) = (0, 0);
    let mut plans = pin!(planner.plan(&wanted, &regions, force));
    while let Some((wanted, planned)) = plans.next().await {
        match planned {
            Ok(planned) => {
                builds += usize::from(matches!(planned.plan.build, BuildStep::Build(_)));
                publications += planned.plan.publish.len();
                for caution in &planned.cautions {
                    report.warn(wanted, caution);
                }
                if let BuildStep::Reuse(build) = &planned.plan.build {
                    unchecked.add(&*planner.catalog, build).await?;
                }
                output::line(&planned_line(&planned));
            }
            Err(error) => {
                report.add_failure(wanted, &error);
                show_failure(wanted, &error, format);
            }
        }
    }
    for warning in &report.warnings {
        output::message(Level::Warning, &warning.to_string());
    }
    if format == LogFormat::Text {
        for group in report.failure_groups() {
            output::raw(&group.to_text(output::shape()));
        }
    }
    let total = format!(
        "{} layers: {builds} to build, {publications} layer versions to publish, {} failed",
        wanted.len(),
        report.failed,
    );
    output::message(Level::Status, &total);
    unchecked.tell(&workshop).await?;
    Ok(if report.failed == 0 { DONE } else { FAILED })
}

/// Shows that a layer failed. Text output states the reason at the end, together with other
/// failures for the same reason.
pub(super) fn show_failure(wanted: &Wanted, error: &Error, format: LogFormat) {
    let (target, package) = (wanted.target, wanted.contents.name());
    match format {
        LogFormat::Text => {
            output::message(Level::Status, &format!("{target} {package}: failed"));
        }
        LogFormat::Json => output::failure(
            &Subject { target: Some(target), package: Some(package), region: None },
            error,
        ),
    }
}

fn planned_line(planned: &PlannedLayer) -> String {
    let PlannedLayer { plan, lock, .. } = planned;
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

fn head(wanted: &Wanted) -> String {
    format!("{} {}", wanted.target, wanted.contents.name())
}

pub(super) fn build_reason(reason: BuildReason) -> &'static str {
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
