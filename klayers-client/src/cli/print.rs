use std::error::Error as StdError;
use std::io::{self, Write};
use std::iter;

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use crate::{DeployStatus, Error, LatestRow, VersionRow};

pub(super) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

pub(super) fn latest(out: &mut impl Write, rows: &[LatestRow]) -> io::Result<()> {
    let cells = rows
        .iter()
        .map(|row| [row.package.to_string(), row.package_version.to_string(), row.arn.to_string()]);
    table(out, ["PACKAGE", "VERSION", "ARN"], cells.collect())
}

pub(super) fn versions(out: &mut impl Write, rows: &[VersionRow]) -> io::Result<()> {
    let cells = rows.iter().map(|row| {
        let status = match row.deploy_status {
            DeployStatus::Latest => "latest",
            DeployStatus::Deprecated => "deprecated",
        };
        let expires = row.expiry_date.map(|time| time.to_string());
        [
            row.package_version.to_string(),
            status.to_owned(),
            expires.unwrap_or_else(|| "-".to_owned()),
            row.arn.to_string(),
        ]
    });
    table(out, ["VERSION", "STATUS", "EXPIRES", "ARN"], cells.collect())
}

/// Prints an error with its causes, each below what it caused.
pub(super) fn error(err: &mut impl Write, error: &Error) -> io::Result<()> {
    let cause = match error {
        // The outermost of its causes says again that it could not be sent.
        Error::Transport { source, .. } => source.source(),
        _ => error.source(),
    };
    failure(err, &error.to_string(), cause)
}

pub(super) fn failure(
    err: &mut impl Write,
    message: &str,
    cause: Option<&(dyn StdError + 'static)>,
) -> io::Result<()> {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    writeln!(err, "{style}error:{style:#} {message}")?;
    for cause in iter::successors(cause, |&cause| cause.source()) {
        writeln!(err, "  caused by: {cause}")?;
    }
    Ok(())
}

/// Prints lines of cells under a header, the columns aligned. Without lines there is no header.
fn table<const COLUMNS: usize>(
    out: &mut impl Write,
    header: [&str; COLUMNS],
    mut lines: Vec<[String; COLUMNS]>,
) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    lines.insert(0, header.map(str::to_owned));
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let lengths = lines.iter().map(|line| line[column].chars().count());
        lengths.max().unwrap_or_default()
    });
    for line in lines {
        let cells = iter::zip(line, widths).map(|(cell, width)| format!("{cell:width$}"));
        let cells: Vec<String> = cells.collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
