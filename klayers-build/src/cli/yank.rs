//! The command that withdraws layer versions.

use std::collections::BTreeMap;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use klayers_build::Error;
use klayers_build::pipeline::{YankOutcome, YankTarget, Yanker, find_versions_to_yank};
use klayers_build::plan::Selection;
use klayers_core::{LayerVersion, LayerVersionArn, Region, Timestamp};
use serde_json::json;

use super::lease::HeldLease;
use super::output::Level;
use super::publisher::publisher;
use super::selection::PlaceArgs;
use super::{ConfigArgs, DONE, FAILED, lease, output};

#[derive(Debug, Args)]
pub(super) struct YankArgs {
    /// The ARN of a layer version, or a package and its version, such as requests==2.32.4.
    #[arg(value_name = "WHAT", required = true)]
    what: Vec<YankTarget>,
    /// The reason, which the API shows to users.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    places: PlaceArgs,
    /// Only show what would be withdrawn.
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) async fn yank(args: YankArgs, now: Timestamp, held: HeldLease) -> Result<u8, Error> {
    let config = args.config.load()?;
    let selection = Selection::from(args.places);
    if args.dry_run {
        let catalog = lease::read(&config.catalog)?;
        let versions = find_versions_to_yank(&*catalog, &args.what, &selection).await?;
        if args.json {
            print_plan_json(&versions);
        } else {
            print_plan(&versions);
        }
        return Ok(DONE);
    }
    let (catalog, lease) = lease::open(&config.catalog, &held).await?;
    let work = async {
        let versions = find_versions_to_yank(&*catalog, &args.what, &selection).await?;
        let mut regions: Vec<Region> =
            versions.iter().map(|version| version.region().clone()).collect();
        regions.dedup();
        let publisher = publisher(&config.publish, &regions).await?;
        let yanker = Yanker { catalog: catalog.clone(), publisher, expiry: config.expiry };
        Ok(yanker.yank(&versions, &args.reason, now).await)
    };
    let outcomes = lease.during(Box::pin(work)).await?;
    if args.json {
        print_json(&outcomes);
    } else {
        print(&outcomes);
    }
    let withdrawn = outcomes.values().filter(|outcome| outcome.is_ok()).count();
    let mut failed = 0;
    for (arn, outcome) in outcomes {
        let (subject, error) = match outcome {
            Err(error) => (arn.to_string(), error),
            Ok(YankOutcome { pointed: Err(error), .. }) => (format!("{arn} is withdrawn"), error),
            Ok(_) => continue,
        };
        output::failed_part(&subject, &error);
        failed += 1;
    }
    let total = format!("{withdrawn} layer versions withdrawn, {failed} failed");
    output::message(Level::Status, &total);
    Ok(if failed == 0 { DONE } else { FAILED })
}

type Outcomes = BTreeMap<LayerVersionArn, Result<YankOutcome, Error>>;

fn done(outcomes: &Outcomes) -> impl Iterator<Item = (&LayerVersionArn, &YankOutcome)> {
    outcomes.iter().filter_map(|(arn, outcome)| Some((arn, outcome.as_ref().ok()?)))
}

fn print(outcomes: &Outcomes) {
    for (arn, yanked) in done(outcomes) {
        output::line(&format!("withdrawn {arn}"));
        match &yanked.latest {
            Some(latest) => output::line(&format!("  the latest is {latest}")),
            None => output::line("  there is no latest any more"),
        }
    }
}

fn print_json(outcomes: &Outcomes) {
    let withdrawn: Vec<_> = done(outcomes)
        .map(|(arn, yanked)| json!({ "arn": arn, "latest": yanked.latest }))
        .collect();
    let failed: Vec<_> = outcomes
        .iter()
        .filter_map(|(arn, outcome)| {
            let (Err(error) | Ok(YankOutcome { pointed: Err(error), .. })) = outcome else {
                return None;
            };
            Some(json!({ "arn": arn, "error": output::chain(error) }))
        })
        .collect();
    output::line(&json!({ "withdrawn": withdrawn, "failed": failed }).to_string());
}

fn print_plan(versions: &[LayerVersion]) {
    for version in versions {
        let LayerVersion { arn, build, .. } = version;
        let what = format!("{} {}", build.package, build.version);
        output::line(&match version.yanked() {
            None => format!("{arn}: withdraw {what}"),
            Some(yank) => format!("{arn}: {what} was withdrawn {}: {}", yank.at, yank.reason),
        });
    }
    let to_withdraw = versions.iter().filter(|version| version.yanked().is_none()).count();
    output::message(Level::Status, &format!("{to_withdraw} layer versions to withdraw"));
}

fn print_plan_json(versions: &[LayerVersion]) {
    let arns: Vec<_> = versions
        .iter()
        .filter(|version| version.yanked().is_none())
        .map(|version| &version.arn)
        .collect();
    output::line(&json!({ "toWithdraw": arns }).to_string());
}
