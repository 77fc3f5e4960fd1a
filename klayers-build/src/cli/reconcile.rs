//! The command `reconcile`: compares the catalog with what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::Args;
use klayers_build::Error;
use klayers_build::config::Config;
use klayers_build::pipeline::{
    AbandonedPublication, ReconciledDifference, Reconciler, RegionReconciliation, Remedy, Repairs,
    RunLease,
};
use klayers_build::plan::{PlanError, Selection};
use klayers_catalog::{Catalog, Intent};
use klayers_core::{Region, Target, Timestamp};
use serde_json::{Value, json};

use super::lease::HeldLease;
use super::output::Level;
use super::publisher::publisher;
use super::selection::SelectionArgs;
use super::{ConfigArgs, DONE, FAILED, lease, output};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command stand for themselves")]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Repair differences, as far as nothing has to be deleted.
    #[arg(long)]
    repair: bool,
    /// Also delete versions that are not recorded and cannot be.
    #[arg(long, requires = "repair")]
    delete_orphans: bool,
    /// Repair even if the catalog seems to belong to another collection.
    #[arg(long, requires = "repair")]
    sure: bool,
    /// Only show what would be repaired, as without --repair.
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl ReconcileArgs {
    fn repairs(&self) -> Repairs {
        match (self.repair && !self.dry_run, self.delete_orphans) {
            (false, _) => Repairs::None,
            (true, false) => Repairs::Careful,
            (true, true) => Repairs::DeletingOrphans,
        }
    }
}

/// What is compared, and whether a catalog that seems to be the wrong one is used.
struct Scope {
    selection: Selection,
    sure: bool,
}

type Outcomes = BTreeMap<Region, Result<RegionReconciliation, Error>>;

pub(super) async fn reconcile(
    args: ReconcileArgs,
    now: Timestamp,
    held: HeldLease,
) -> Result<u8, Error> {
    let config = args.config.load()?;
    let (repairs, as_json) = (args.repairs(), args.json);
    let scope = Scope { selection: args.selection.into(), sure: args.sure };
    let outcomes = if repairs == Repairs::None {
        let catalog = lease::read(&config.catalog)?;
        compare(config, catalog, scope, repairs, now).await?
    } else {
        let (catalog, lease): (_, RunLease) = lease::open(&config.catalog, &held).await?;
        lease.during(Box::pin(compare(config, catalog, scope, repairs, now))).await?
    };
    if as_json {
        output::line(&to_json(&outcomes).to_string());
    } else {
        print(&outcomes);
    }
    Ok(print_totals(&outcomes))
}

async fn compare(
    config: Config,
    catalog: Arc<dyn Catalog>,
    Scope { selection, sure }: Scope,
    repairs: Repairs,
    now: Timestamp,
) -> Result<Outcomes, Error> {
    let collection = config.collection()?;
    let run_regions: BTreeSet<Region> = collection.regions.into_iter().collect();
    // Regions that the collection no longer has may still have versions, or interrupted
    // publications.
    let mut regions = run_regions.clone();
    regions.extend(catalog.regions().await?);
    regions.extend(catalog.under_way().await?.into_iter().map(|intent| intent.region));
    if let Some(unknown) = selection.regions.iter().find(|region| !regions.contains(region)) {
        return Err(PlanError::UnknownRegion(unknown.clone()).into());
    }
    regions.retain(|region| selection.includes_region(region));
    let mut targets: BTreeSet<Target> = collection.targets.into_keys().collect();
    targets.extend(catalog.targets().await?);
    if let Some(unknown) = selection.targets.iter().find(|target| !targets.contains(target)) {
        return Err(PlanError::UnknownTarget(*unknown).into());
    }
    let regions: Vec<Region> = regions.into_iter().collect();
    let reconciler = Reconciler {
        catalog,
        publisher: publisher(&config.publish, &regions).await?,
        expiry: config.expiry,
        layer_prefix: config.publish.layer_prefix,
        public: config.publish.public,
        selection,
        targets,
        run_regions,
        sure,
    };
    reconciler.reconcile(&regions, repairs, now).await
}

fn found(outcomes: &Outcomes) -> impl Iterator<Item = &RegionReconciliation> {
    outcomes.values().filter_map(|outcome| outcome.as_ref().ok())
}

fn print(outcomes: &Outcomes) {
    for reconciled in found(outcomes).flat_map(|region| &region.differences) {
        let ReconciledDifference { difference, remedy, outcome } = reconciled;
        let done = match (remedy, outcome) {
            (Some(remedy), Some(Ok(()))) => format!("; {}", done(remedy)),
            (Some(remedy), None) => format!("; {}", advice(remedy)),
            // The reason is printed with the errors.
            (_, Some(_)) | (None, None) => String::new(),
        };
        output::line(&format!("{difference}{done}"));
    }
    for AbandonedPublication { intent: Intent { region, layer, .. }, outcome } in
        abandoned(outcomes)
    {
        let done = match outcome {
            None => "; --repair ends that",
            Some(Ok(())) => "; ended",
            Some(Err(_)) => "",
        };
        output::line(&format!(
            "interrupted {region} {layer}: was being published, and is not settled by runs, since \
             {region} is not in regions.csv{done}"
        ));
    }
}

fn abandoned(outcomes: &Outcomes) -> impl Iterator<Item = &AbandonedPublication> {
    found(outcomes).flat_map(|region| &region.abandoned)
}

fn done(remedy: &Remedy) -> &'static str {
    match remedy {
        Remedy::MakePublic => "made public",
        Remedy::RecordLoss => "recorded as deleted",
        Remedy::Adopt(_) => "recorded as the latest",
        Remedy::Complete => "listed",
        Remedy::Delete => "deleted",
        Remedy::Point => "pointer set",
    }
}

fn advice(remedy: &Remedy) -> &'static str {
    match remedy {
        Remedy::MakePublic => "--repair makes it public",
        Remedy::RecordLoss => "--repair records it as deleted",
        Remedy::Adopt(_) => "--repair records it as the latest",
        Remedy::Complete => "--repair tries again",
        Remedy::Delete => "--repair --delete-orphans deletes it",
        Remedy::Point => "--repair sets it",
    }
}

fn to_json(outcomes: &Outcomes) -> Value {
    let differences: Vec<Value> = found(outcomes)
        .flat_map(|region| &region.differences)
        .map(|reconciled| {
            let mut value = json!(reconciled.difference);
            value["remedy"] = json!(reconciled.remedy.as_ref().map(|remedy| match remedy {
                Remedy::MakePublic => "make-public",
                Remedy::RecordLoss => "record-loss",
                Remedy::Adopt(_) => "adopt",
                Remedy::Complete => "complete",
                Remedy::Delete => "delete",
                Remedy::Point => "point",
            }));
            value["repaired"] = json!(reconciled.is_repaired());
            if let Some(Err(error)) = &reconciled.outcome {
                value["error"] = json!(output::chain(error));
            }
            value
        })
        .collect();
    let failed: Vec<Value> = failures(outcomes)
        .into_iter()
        .map(|(subject, error)| json!({ "subject": subject, "error": output::chain(error) }))
        .collect();
    let interrupted: Vec<Value> = abandoned(outcomes)
        .map(|AbandonedPublication { intent: Intent { region, layer, .. }, outcome }| {
            let repaired = matches!(outcome, Some(Ok(())));
            json!({ "region": region, "layer": layer, "repaired": repaired })
        })
        .collect();
    let compared: usize = found(outcomes).map(|region| region.compared).sum();
    json!({
        "compared": compared,
        "differences": differences,
        "interrupted": interrupted,
        "failed": failed,
    })
}

/// The versions and regions that could not be compared.
fn failures(outcomes: &Outcomes) -> Vec<(String, &Error)> {
    let mut failures = Vec::new();
    for (region, outcome) in outcomes {
        match outcome {
            Err(error) => failures.push((region.to_string(), error)),
            Ok(found) => {
                failures.extend(found.failed.iter().map(|(arn, error)| (arn.to_string(), error)));
            }
        }
    }
    failures
}

/// Prints what failed and the totals. Returns the exit code.
fn print_totals(outcomes: &Outcomes) -> u8 {
    let failures = failures(outcomes);
    for (subject, error) in &failures {
        output::failed_part(subject, error);
    }
    let differences = || found(outcomes).flat_map(|region| &region.differences);
    for reconciled in differences() {
        if let Some(Err(error)) = &reconciled.outcome {
            let arn = &reconciled.difference.arn;
            output::failed_part(&format!("{arn} not repaired"), error);
        }
    }
    for AbandonedPublication { intent: Intent { region, layer, .. }, outcome } in
        abandoned(outcomes)
    {
        if let Some(Err(error)) = outcome {
            output::failed_part(&format!("{region} {layer} not ended"), error);
        }
    }
    let elsewhere: usize = found(outcomes).map(|region| region.in_other_accounts).sum();
    if elsewhere > 0 {
        let text =
            format!("{elsewhere} layer versions are in other accounts, and were not compared");
        output::message(Level::Note, &text);
    }
    let compared: usize = found(outcomes).map(|region| region.compared).sum();
    let ended = abandoned(outcomes).filter(|it| matches!(it.outcome, Some(Ok(())))).count();
    let all = differences().count() + abandoned(outcomes).count();
    let repaired = differences().filter(|reconciled| reconciled.is_repaired()).count() + ended;
    let total = format!(
        "{compared} layer versions in {} regions: {all} differences, {repaired} repaired, {} failed",
        outcomes.len(),
        failures.len(),
    );
    output::message(Level::Status, &total);
    if all == repaired && failures.is_empty() { DONE } else { FAILED }
}
