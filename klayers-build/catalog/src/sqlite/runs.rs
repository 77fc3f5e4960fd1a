//! Reports of runs, and the lease.

use klayers_core::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::rows::{SqliteError, stored};
use crate::report::RunReport;
use crate::{CatalogError, Lease};

pub(super) fn record(transaction: &Transaction<'_>, report: &str) -> Result<u64, SqliteError> {
    let mut statement =
        transaction.prepare_cached("INSERT INTO runs (report) VALUES (?) RETURNING number")?;
    Ok(statement.query_row([report], |row| row.get(0))?)
}

pub(super) fn last(
    connection: &Connection,
    at_most: usize,
) -> Result<Vec<(u64, RunReport)>, SqliteError> {
    let sql = "SELECT number, report FROM runs ORDER BY number DESC LIMIT ?";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_and_then([i64::try_from(at_most).unwrap_or(i64::MAX)], report)?;
    rows.collect()
}

pub(super) fn find(connection: &Connection, number: u64) -> Result<Option<RunReport>, SqliteError> {
    // SQLite's numbers end there.
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let sql = "SELECT number, report FROM runs WHERE number = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query_and_then([number], report)?;
    Ok(rows.next().transpose()?.map(|(_, report)| report))
}

fn report(row: &Row<'_>) -> Result<(u64, RunReport), SqliteError> {
    let text: String = row.get("report")?;
    let report = serde_json::from_str(&text)
        .map_err(|error| SqliteError(CatalogError::Corrupt(error.into())))?;
    Ok((row.get("number")?, report))
}

pub(super) fn lease(connection: &Connection) -> Result<Option<Lease>, SqliteError> {
    let mut statement = connection.prepare_cached("SELECT host, process, until FROM lease")?;
    let row = statement
        .query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))
        .optional()?;
    let Some((host, process, until)) = row else { return Ok(None) };
    let until: Timestamp =
        until.parse().map_err(|error: jiff::Error| CatalogError::Corrupt(error.into()))?;
    Ok(Some(Lease { host, process, until }))
}

pub(super) fn replace_lease(
    transaction: &Transaction<'_>,
    expected: Option<&Lease>,
    with: Option<&Lease>,
) -> Result<bool, SqliteError> {
    if lease(transaction)?.as_ref() != expected {
        return Ok(false);
    }
    transaction.execute("DELETE FROM lease", ())?;
    if let Some(lease) = with {
        transaction.execute(
            "INSERT INTO lease (only, host, process, until) VALUES (1, ?, ?, ?)",
            params![lease.host, lease.process, stored(lease.until)],
        )?;
    }
    Ok(true)
}
