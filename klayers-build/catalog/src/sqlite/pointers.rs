//! Pointers that must be moved.

use klayers_core::ParseError;
use rusqlite::{Connection, Transaction};

use super::rows::SqliteError;
use crate::{CatalogError, OwedPointer};

pub(super) fn owe(transaction: &Transaction<'_>, pointer: &OwedPointer) -> Result<(), SqliteError> {
    transaction.execute(
        "INSERT INTO owed_pointers (region, target, package) VALUES (?, ?, ?)
         ON CONFLICT (region, target, package) DO NOTHING",
        columns(pointer),
    )?;
    Ok(())
}

pub(super) fn moved(
    transaction: &Transaction<'_>,
    pointer: &OwedPointer,
) -> Result<(), SqliteError> {
    transaction.execute(
        "DELETE FROM owed_pointers WHERE region = ? AND target = ? AND package = ?",
        columns(pointer),
    )?;
    Ok(())
}

pub(super) fn owed(connection: &Connection) -> Result<Vec<OwedPointer>, SqliteError> {
    let mut statement =
        connection.prepare_cached("SELECT region, target, package FROM owed_pointers")?;
    let unreadable = |error: ParseError| SqliteError(CatalogError::Corrupt(error.into()));
    let rows = statement.query_and_then((), |row| {
        let [region, target, package] =
            [row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?];
        Ok(OwedPointer {
            region: region.parse().map_err(unreadable)?,
            target: target.parse().map_err(unreadable)?,
            package: package.parse().map_err(unreadable)?,
        })
    })?;
    let mut owed = rows.collect::<Result<Vec<OwedPointer>, SqliteError>>()?;
    owed.sort();
    Ok(owed)
}

fn columns(pointer: &OwedPointer) -> [String; 3] {
    let OwedPointer { region, target, package } = pointer;
    [region.to_string(), target.to_string(), package.spelling().to_owned()]
}
