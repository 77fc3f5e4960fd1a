//! Reads which entries of the listing changed.

use klayers_core::ParseError;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::rows::SqliteError;
use crate::{CatalogError, Changes, Listed};

pub(super) const SINCE: &str =
    "SELECT number, target, package, region FROM changes WHERE number > ? ORDER BY number";

pub(super) fn changes(connection: &Connection, since: Option<u64>) -> Result<Changes, SqliteError> {
    let Some(last) = last(connection)? else {
        // A catalog of an earlier release only tells that something was written. These numbers
        // count down from the maximum, so that they are never confused with numbers from the table
        // `changes`.
        let writes: u64 = connection.query_row("PRAGMA data_version", (), |row| row.get(0))?;
        let until = u64::MAX - writes;
        let nothing = since == Some(until);
        return Ok(Changes { until, layers: nothing.then(Vec::new) });
    };
    // A number higher than the last one comes from another catalog, which this one has replaced.
    let Some(since) = since.filter(|since| *since <= last) else {
        return Ok(Changes { until: last, layers: None });
    };
    let mut statement = connection.prepare_cached(SINCE)?;
    let mut until = since;
    let rows = statement.query_and_then([since], |row| {
        until = row.get(0)?;
        change(row)
    })?;
    let layers = rows.collect::<Result<Vec<Listed>, SqliteError>>()?;
    Ok(Changes { until, layers: Some(layers) })
}

/// All entries of the listing, in which changes can occur.
pub(super) fn listed(connection: &Connection) -> Result<Vec<Listed>, SqliteError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT target, package, region FROM layer_versions WHERE status <> 'deleted'
         UNION ALL
         SELECT target, package, '' FROM latest_builds",
    )?;
    let rows = statement.query_and_then((), change)?;
    rows.collect()
}

/// The number of the last change; `None` if this catalog does not record changes.
fn last(connection: &Connection) -> Result<Option<u64>, SqliteError> {
    let counted = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'changes'";
    let counted: Option<u64> =
        connection.prepare_cached(counted)?.query_row((), |row| row.get(0)).optional()?;
    if counted.is_none() {
        return Ok(None);
    }
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(number), 0) FROM changes")?;
    Ok(Some(statement.query_row((), |row| row.get(0))?))
}

fn change(row: &Row<'_>) -> Result<Listed, SqliteError> {
    let text = |column: &str| row.get::<_, String>(column);
    let unreadable = |error: ParseError| SqliteError(CatalogError::Corrupt(error.into()));
    let region = text("region")?;
    Ok(Listed {
        target: text("target")?.parse().map_err(unreadable)?,
        package: text("package")?.parse().map_err(unreadable)?,
        region: match region.as_str() {
            "" => None,
            code => Some(code.parse().map_err(unreadable)?),
        },
    })
}
