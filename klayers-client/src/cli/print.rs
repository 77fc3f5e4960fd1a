use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::iter;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use klayers_core::api::{RegionRow, TargetRow};
use klayers_core::terminal::{is_control, one_line};
use serde::Serialize;

use super::layer::Layer;
use crate::{Answer, DeployStatus, Error, LatestRow, PackageRow, VersionRow};

/// The format of results.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OutputFormat {
    /// For people: aligned columns with a header.
    Table,
    /// For programs: one line per row, with tabs between the cells.
    Plain,
    Json,
}

/// Prints JSON. Control characters are escaped even where JSON allows them, since a terminal would
/// obey them. Line breaks only separate values.
pub(super) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_control(character) {
            // The code points of these characters have at most four hexadecimal digits.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    writeln!(out, "{escaped}")
}

/// A row that can be printed in every format.
pub(super) trait TableRow<const COLUMNS: usize>: Serialize {
    const HEADER: [&'static str; COLUMNS];

    fn cells(&self) -> [String; COLUMNS];
}

impl TableRow<3> for LatestRow {
    const HEADER: [&'static str; 3] = ["PACKAGE", "VERSION", "ARN"];

    fn cells(&self) -> [String; 3] {
        [self.package.to_string(), self.package_version.to_string(), self.arn.to_string()]
    }
}

impl TableRow<4> for VersionRow {
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

impl TableRow<4> for PackageRow {
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

impl TableRow<2> for RegionRow {
    const HEADER: [&'static str; 2] = ["REGION", "NAME"];

    fn cells(&self) -> [String; 2] {
        [self.region.to_string(), self.name.clone().unwrap_or_else(|| "-".to_owned())]
    }
}

impl TableRow<3> for TargetRow {
    const HEADER: [&'static str; 3] = ["TARGET", "PYTHON", "ARCHITECTURE"];

    fn cells(&self) -> [String; 3] {
        [self.target.to_string(), self.python_version.to_string(), self.architecture.to_string()]
    }
}

pub(super) fn rows<const COLUMNS: usize, Row: TableRow<COLUMNS>>(
    out: &mut impl Write,
    format: OutputFormat,
    rows: &[Row],
) -> io::Result<()> {
    // Cells contain texts from the server, which must not add lines or cells.
    let mut cells = rows.iter().map(|row| row.cells().map(|cell| one_line(&cell).into_owned()));
    match format {
        OutputFormat::Table => table(out, Row::HEADER, &cells.collect::<Vec<_>>()),
        OutputFormat::Plain => cells.try_for_each(|cells| writeln!(out, "{}", cells.join("\t"))),
        OutputFormat::Json => json(out, &rows),
    }
}

/// Prints all details of a layer version, one per line.
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

/// The status for users. A withdrawn version is shown as withdrawn rather than as deprecated.
fn status(row: &VersionRow) -> &'static str {
    if row.yanked.is_some() { "withdrawn" } else { deploy_status(row) }
}

/// The status as the API names it.
pub(super) fn deploy_status(row: &VersionRow) -> &'static str {
    match row.deploy_status {
        DeployStatus::Latest => "latest",
        DeployStatus::Deprecated => "deprecated",
    }
}

fn bytes(size: u64) -> String {
    format!("{size} bytes")
}

/// Prints the age of a stale answer, and why there is no newer one.
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

/// A duration in one suitable unit.
fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Prints an error and its causes, the outermost first.
pub(super) fn error(err: &mut impl Write, error: &Error) -> io::Result<()> {
    error_message(err, &error.to_string(), error.source())
}

/// Prints a message and its causes.
pub(super) fn error_message(
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

/// Prints lines of cells as aligned columns below a header. Without lines, there is no header.
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
    fn ages_are_shown_in_one_suitable_unit() {
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
