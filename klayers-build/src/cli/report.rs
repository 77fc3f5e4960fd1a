//! The command `report`: shows what past runs did.

use clap::Args;
use klayers_build::Error;
use klayers_catalog::report::{RunReport, Took};
use klayers_catalog::{Catalog as _, CatalogError, SqliteCatalog};
use serde_json::{Value, json};

use super::output::Level;
use super::{ConfigArgs, DONE, FAILED, output};

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The number of the run [default: the last].
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
    /// List this many of the last runs instead, one per line, the newest first.
    #[arg(long, value_name = "N", conflicts_with = "number")]
    last: Option<usize>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) async fn report(args: &ReportArgs) -> Result<u8, Error> {
    let config = args.config.load()?;
    let catalog = SqliteCatalog::open_read_only(&config.catalog)?;
    if let Some(last) = args.last {
        list(&catalog.runs(last).await?, args.json)?;
        return Ok(DONE);
    }
    let found = match args.number {
        Some(number) => catalog.run(number).await?.map(|report| (number, report)),
        None => catalog.runs(1).await?.pop(),
    };
    let Some((number, report)) = found else {
        let which = args.number.map_or_else(|| "no run".to_owned(), |n| format!("no run {n}"));
        output::message(Level::Error, &format!("the catalog has {which}"));
        return Ok(FAILED);
    };
    if args.json {
        output::line(&value(number, &report)?.to_string());
    } else {
        output::line(&head(number, &report));
        output::line(&report.summary().without_failures().to_string());
        for group in report.failure_groups() {
            output::line(&group.to_text(output::shape()));
        }
    }
    Ok(DONE)
}

fn list(runs: &[(u64, RunReport)], json: bool) -> Result<(), Error> {
    if json {
        let values: Vec<Value> =
            runs.iter().map(|(number, report)| value(*number, report)).collect::<Result<_, _>>()?;
        output::line(&Value::from(values).to_string());
        return Ok(());
    }
    for (number, report) in runs {
        output::line(&format!("{}: {}", head(*number, report), report.tally()));
    }
    Ok(())
}

fn head(number: u64, report: &RunReport) -> String {
    let RunReport { begun_at, milliseconds, scheduled, whole, .. } = report;
    let kind = if *scheduled { ", scheduled" } else { "" };
    let part = if *whole { "" } else { ", of a part" };
    let complete = if report.is_complete() { "" } else { ", not complete" };
    format!("run {number} of {begun_at:.0}{kind}{part}{complete}, took {}", Took(*milliseconds))
}

fn value(number: u64, report: &RunReport) -> Result<Value, Error> {
    let mut value =
        serde_json::to_value(report).map_err(|error| CatalogError::Corrupt(error.into()))?;
    value["run"] = json!(number);
    value["complete"] = json!(report.is_complete());
    Ok(value)
}
