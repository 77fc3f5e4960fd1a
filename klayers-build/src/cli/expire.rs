//! The command `expire`: deletes expired layer versions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use klayers_build::Error;
use klayers_build::pipeline::{Expirer, ExpiryPlan, ExpiryScope, RegionExpiry};
use klayers_core::{LayerVersion, Region, Timestamp};
use serde_json::json;

use super::lease::HeldLease;
use super::output::Level;
use super::publisher::publisher;
use super::selection::SelectionArgs;
use super::{ConfigArgs, DONE, FAILED, lease, output};

#[derive(Debug, Args)]
pub(super) struct ExpireArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Delete at most this many layer versions [default: `limit` under `[expiry]` in the configuration].
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only show what would be deleted.
    #[arg(long)]
    dry_run: bool,
    /// Trust the clock even if the catalog contradicts it.
    #[arg(long)]
    trust_clock: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn expire(args: ExpireArgs, now: Timestamp, held: HeldLease) -> Result<u8, Error> {
    let config = args.config.load()?;
    let scope = ExpiryScope {
        selection: args.selection.into(),
        keep: config.expiry.keep,
        limit: args.limit.unwrap_or(config.expiry_limit),
        trust_clock: args.trust_clock,
    };
    if args.dry_run {
        let catalog = lease::read(&config.catalog)?;
        let plan = ExpiryPlan::new(&*catalog, &scope, now).await?;
        if args.json {
            print_plan_json(&plan);
        } else {
            print_plan(&plan);
        }
        return Ok(DONE);
    }
    let (catalog, lease) = lease::open(&config.catalog, &held).await?;
    let work = async {
        let plan = ExpiryPlan::new(&*catalog, &scope, now).await?;
        let left = plan.left;
        if plan.is_empty() {
            return Ok((BTreeMap::new(), left));
        }
        let publisher = publisher(&config.publish, &plan.regions()).await?;
        let expirer = Expirer { catalog: catalog.clone(), publisher };
        Ok((expirer.expire(plan, now).await, left))
    };
    let (outcomes, left) = lease.during(Box::pin(work)).await?;
    if args.json {
        print_json(&outcomes, left);
    } else {
        print(&outcomes);
    }
    let tell = |count: fn(&RegionExpiry) -> usize| outcomes.values().map(count).sum::<usize>();
    let (deleted, failed) = (tell(|of| of.deleted.len()), tell(|of| of.failed.len()));
    let not_tried = tell(|of| of.not_tried);
    for (region, outcome) in &outcomes {
        for (arn, error) in &outcome.failed {
            output::failed_part(&arn.to_string(), error);
        }
        if outcome.not_tried > 0 {
            let text = format!(
                "{region}: {} more were not tried, since the region refuses them for now; expire \
                 again later",
                outcome.not_tried
            );
            output::message(Level::Error, &text);
        }
    }
    note_left(left);
    let failed = failed + not_tried;
    let total = format!("{deleted} layer versions deleted, {left} left, {failed} failed");
    output::message(Level::Status, &total);
    Ok(if failed == 0 { DONE } else { FAILED })
}

fn print(outcomes: &BTreeMap<Region, RegionExpiry>) {
    for arn in outcomes.values().flat_map(|outcome| &outcome.deleted) {
        output::line(&format!("deleted {arn}"));
    }
}

fn print_json(outcomes: &BTreeMap<Region, RegionExpiry>, left: usize) {
    let failed: Vec<_> = outcomes
        .values()
        .flat_map(|outcome| &outcome.failed)
        .map(|(arn, error)| json!({ "arn": arn, "error": output::chain(error) }))
        .collect();
    let not_tried: BTreeMap<_, _> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.not_tried > 0)
        .map(|(region, outcome)| (region, outcome.not_tried))
        .collect();
    let result = json!({
        "deleted": outcomes.values().flat_map(|outcome| &outcome.deleted).collect::<Vec<_>>(),
        "failed": failed,
        "notTried": not_tried,
        "left": left,
    });
    output::line(&result.to_string());
}

fn print_plan(plan: &ExpiryPlan) {
    for arn in &plan.under_way {
        output::line(&format!("{arn}: delete again, an earlier deletion was interrupted"));
    }
    for LayerVersion { arn, build, status, .. } in &plan.due {
        let mut line = format!("{arn}: delete {} {}", build.package, build.version);
        if let klayers_core::Status::Deprecated { expires_at, .. } = status {
            let _ = write!(line, ", expired {expires_at}");
        }
        output::line(&line);
    }
    note_left(plan.left);
    let due = plan.under_way.len() + plan.due.len();
    let total = format!("{due} layer versions to delete, {} left", plan.left);
    output::message(Level::Status, &total);
}

fn print_plan_json(plan: &ExpiryPlan) {
    let due: Vec<_> = plan
        .due
        .iter()
        .map(|version| {
            json!({
                "arn": version.arn,
                "target": version.build.target,
                "package": version.build.package,
                "packageVersion": version.build.version,
                "expired": version.expires_at(),
            })
        })
        .collect();
    let result = json!({ "underWay": plan.under_way, "due": due, "left": plan.left });
    output::line(&result.to_string());
}

fn note_left(left: usize) {
    if left > 0 {
        let text = format!("{left} more are due, beyond the limit; expire again, or raise --limit");
        output::message(Level::Note, &text);
    }
}
