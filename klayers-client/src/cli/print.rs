use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::iter;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use klayers_core::api::{RegionRow, TargetRow};
use klayers_core::terminal::{is_obeyed, one_line};
use serde::Serialize;

use super::layer::Layer;
use crate::{Answer, DeployStatus, Error, LatestRow, PackageRow, VersionRow};

/// How rows are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// For people: columns below a header.
    Table,
    /// For other programs: a line a row, with tabs between its cells.
    Plain,
    Json,
}

/// Prints JSON. What a terminal would obey in a text of others is escaped, also where JSON lets it
/// stand; the line breaks are those between the values.
pub(super) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_obeyed(character) {
            // All of these characters have at most four hexadecimal digits.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    writeln!(out, "{escaped}")
}

/// A row of a list that can be printed in every form.
pub(super) trait Line<const COLUMNS: usize>: Serialize {
    const HEADER: [&'static str; COLUMNS];

    fn cells(&self) -> [String; COLUMNS];
}

impl Line<3> for LatestRow {
    const HEADER: [&'static str; 3] = ["PACKAGE", "VERSION", "ARN"];

    fn cells(&self) -> [String; 3] {
        [self.package.to_string(), self.package_version.to_string(), self.arn.to_string()]
    }
}

impl Line<4> for VersionRow {
    const HEADER: [&'static str; 4] = ["VERSION", "STATUS", "EXPIRES", "ARN"];

    fn cells(&self) -> [String; 4] {
        let expires = self.expiry_date.map(|time| time.to_string());
        [
            self.package_version.to_string(),
            status(self).to_owned(),
            expires.unwrap_or_else(|| "-".to_owned()),
            self.arn.to_string(),
        ]
    }
}

impl Line<4> for PackageRow {
    const HEADER: [&'static str; 4] = ["TARGET", "REGION", "VERSION", "ARN"];

    fn cells(&self) -> [String; 4] {
        let VersionRow { arn, package_version, .. } = &self.version;
        [
            self.target.to_string(),
            arn.region().to_string(),
            package_version.to_string(),
            arn.to_string(),
        ]
    }
}

impl Line<2> for RegionRow {
    const HEADER: [&'static str; 2] = ["REGION", "NAME"];

    fn cells(&self) -> [String; 2] {
        [self.region.to_string(), self.name.clone().unwrap_or_else(|| "-".to_owned())]
    }
}

impl Line<3> for TargetRow {
    const HEADER: [&'static str; 3] = ["TARGET", "PYTHON", "ARCHITECTURE"];

    fn cells(&self) -> [String; 3] {
        [self.target.to_string(), self.python_version.to_string(), self.architecture.to_string()]
    }
}

pub(super) fn rows<const COLUMNS: usize, Row: Line<COLUMNS>>(
    out: &mut impl Write,
    form: Form,
    rows: &[Row],
) -> io::Result<()> {
    // Cells hold texts of others, and none may become another line or cell.
    let mut cells = rows.iter().map(|row| row.cells().map(|cell| one_line(&cell).into_owned()));
    match form {
        Form::Table => table(out, Row::HEADER, &cells.collect::<Vec<_>>()),
        Form::Plain => cells.try_for_each(|cells| writeln!(out, "{}", cells.join("\t"))),
        Form::Json => json(out, &rows),
    }
}

/// Everything that is known of a layer version, a line each.
pub(super) fn version(out: &mut impl Write, layer: &Layer) -> io::Result<()> {
    let Layer { row, latest, .. } = layer;
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<14}{}", one_line(value));
    line("arn", &row.arn.to_string())?;
    line("package", &layer.package.to_string())?;
    line("target", &layer.target.to_string())?;
    line("version", &row.package_version.to_string())?;
    line("status", status(row))?;
    let facts = [
        ("expires", row.expiry_date.map(|time| time.to_string())),
        ("withdrawn", row.yanked.clone()),
        ("latest", latest.as_ref().filter(|&arn| *arn != row.arn).map(ToString::to_string)),
        ("published", row.created_date_time.map(|time| time.to_string())),
        ("licence", row.license.clone()),
        ("zipped", row.code_size.map(bytes)),
        ("unzipped", row.unzipped_size.map(bytes)),
        ("sha256", row.code_sha256.clone()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            line(name, &value)?;
        }
    }
    let pins = row.dependencies.iter().map(ToString::to_string);
    for (index, pin) in pins.enumerate() {
        line(if index == 0 { "contains" } else { "" }, &pin)?;
    }
    Ok(())
}

/// What a user makes of a version: one that was withdrawn is not merely deprecated.
fn status(row: &VersionRow) -> &'static str {
    if row.yanked.is_some() { "withdrawn" } else { deploy_status(row) }
}

/// The status as the API has it.
pub(super) fn deploy_status(row: &VersionRow) -> &'static str {
    match row.deploy_status {
        DeployStatus::Latest => "latest",
        DeployStatus::Deprecated => "deprecated",
    }
}

fn bytes(size: u64) -> String {
    format!("{size} bytes")
}

/// Says of an answer that is no longer fresh how old it is, and why there is no newer one.
pub(super) fn staleness<T>(err: &mut impl Write, answer: &Answer<T>) -> io::Result<()> {
    match &answer.stale_because {
        None => Ok(()),
        Some(Error::Offline { .. }) => {
            note(err, &format!("offline; this answer is {} old", age(answer.age)))
        }
        Some(error) => note(err, &format!("this answer is {} old, since {error}", age(answer.age))),
    }
}

pub(super) fn note(err: &mut impl Write, message: &str) -> io::Result<()> {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    writeln!(err, "{style}note:{style:#} {}", one_line(message))
}

/// A time in the one unit that says enough.
fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Prints an error with its causes, each below what it caused.
pub(super) fn error(err: &mut impl Write, error: &Error) -> io::Result<()> {
    failure(err, &error.to_string(), error.source())
}

pub(super) fn failure(
    err: &mut impl Write,
    message: &str,
    cause: Option<&(dyn StdError + 'static)>,
) -> io::Result<()> {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    writeln!(err, "{style}error:{style:#} {}", one_line(message))?;
    for cause in iter::successors(cause, |&cause| cause.source()) {
        writeln!(err, "  caused by: {}", one_line(&cause.to_string()))?;
    }
    Ok(())
}

/// Prints lines of cells under a header, the columns aligned. Without lines there is no header.
fn table<const COLUMNS: usize>(
    out: &mut impl Write,
    header: [&str; COLUMNS],
    lines: &[[String; COLUMNS]],
) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let header = header.map(str::to_owned);
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let cells = lines.iter().chain([&header]).map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    });
    let aligned = |line: &[String; COLUMNS]| {
        let cells = iter::zip(line, widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let style = Style::new().bold();
    writeln!(out, "{style}{}{style:#}", aligned(&header))?;
    lines.iter().try_for_each(|line| writeln!(out, "{}", aligned(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_a_unit_that_says_enough() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
            (864_000, "10 days"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
