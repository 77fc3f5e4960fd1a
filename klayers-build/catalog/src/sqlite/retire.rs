//! The end of layer versions: expired, deleted and withdrawn ones.

use jiff::Timestamp;
use klayers_core::{Build, LayerVersion, LayerVersionArn, Target, Yank};
use rusqlite::{Connection, OptionalExtension as _, Params, Transaction, params};

use super::rows::{self, LayerVersions, SqliteError, stored};
use crate::{CatalogError, successor};

/// Returns the layer versions that match a condition.
pub(super) fn layer_versions(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<LayerVersion>, SqliteError> {
    let mut reader = LayerVersions::default();
    let mut statement = connection.prepare_cached(&select(condition))?;
    let rows = statement.query_and_then(parameters, |row| reader.read(row))?;
    rows.collect()
}

pub(super) fn select(condition: &str) -> String {
    let (columns, tables) = (LayerVersions::COLUMNS, LayerVersions::TABLES);
    format!("SELECT {columns}, {} FROM {tables} WHERE {condition}", rows::BUILD)
}

pub(super) fn expired(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<LayerVersion>, SqliteError> {
    let condition = "layer_versions.status = 'deprecated' AND layer_versions.status_at <= ?";
    layer_versions(connection, condition, [stored(now)])
}

pub(super) fn yanked_builds(
    connection: &Connection,
    target: Target,
) -> Result<Vec<Build>, SqliteError> {
    let mut statement = connection.prepare_cached(&yanked_builds_sql())?;
    statement.query_and_then([target.to_string()], rows::build)?.collect()
}

// A cross join fixes the order of the tables: all withdrawn versions are fewer than the versions of
// one target.
pub(super) fn yanked_builds_sql() -> String {
    format!(
        "SELECT {} FROM builds WHERE builds.id IN (
             SELECT layer_versions.build FROM yanks
             CROSS JOIN layer_versions ON layer_versions.arn = yanks.arn
             WHERE layer_versions.target = ?
         ) ORDER BY builds.content_digest, builds.id",
        rows::BUILD
    )
}

pub(super) const NEWEST: &str = "SELECT max(created_at) FROM layer_versions";

pub(super) const NEWEST_ADOPTED: &str =
    "SELECT max(adopted_at) FROM builds WHERE adopted_at IS NOT NULL";

pub(super) fn newest(connection: &Connection) -> Result<Option<Timestamp>, SqliteError> {
    let latest = |sql: &str| -> Result<Option<Timestamp>, SqliteError> {
        let mut statement = connection.prepare_cached(sql)?;
        let newest: Option<String> = statement.query_row((), |row| row.get(0))?;
        let parsed = newest.map(|text| text.parse()).transpose();
        parsed.map_err(|error: jiff::Error| SqliteError(CatalogError::Corrupt(error.into())))
    };
    Ok(latest(NEWEST)?.max(latest(NEWEST_ADOPTED)?))
}

pub(super) fn begin_deletion(
    transaction: &Transaction<'_>,
    arn: &LayerVersionArn,
    at: Timestamp,
) -> Result<(), SqliteError> {
    match status(transaction, arn)?.as_deref() {
        Some("deleted") => Ok(()),
        Some("deprecated") => {
            transaction.execute(
                "UPDATE layer_versions SET status = 'deleted', status_at = ? WHERE arn = ?",
                params![stored(at), arn.to_string()],
            )?;
            transaction.execute("INSERT INTO deletions (arn) VALUES (?)", [arn.to_string()])?;
            Ok(())
        }
        _ => Err(CatalogError::NotDeletable(arn.clone()).into()),
    }
}

pub(super) fn deletions_under_way(
    connection: &Connection,
) -> Result<Vec<LayerVersionArn>, SqliteError> {
    let mut statement = connection.prepare_cached("SELECT arn FROM deletions")?;
    let rows = statement.query_and_then((), |row| {
        let arn: String = row.get(0)?;
        arn.parse().map_err(|error: klayers_core::ParseError| {
            SqliteError(CatalogError::Corrupt(error.into()))
        })
    })?;
    let mut arns = rows.collect::<Result<Vec<LayerVersionArn>, SqliteError>>()?;
    arns.sort();
    Ok(arns)
}

pub(super) fn end_deletion(
    transaction: &Transaction<'_>,
    arn: &LayerVersionArn,
) -> Result<(), SqliteError> {
    transaction.execute("DELETE FROM deletions WHERE arn = ?", [arn.to_string()])?;
    Ok(())
}

pub(super) fn yank(
    transaction: &Transaction<'_>,
    arn: &LayerVersionArn,
    yank: &Yank,
    expires_at: Timestamp,
) -> Result<Option<LayerVersion>, SqliteError> {
    let is_latest = match status(transaction, arn)?.as_deref() {
        Some("latest") => true,
        Some("deprecated") => false,
        _ => return Err(CatalogError::NotYankable(arn.clone()).into()),
    };
    insert_yank(transaction, arn, yank)?;
    if is_latest {
        transaction.execute(
            "UPDATE layer_versions SET status = 'deprecated', status_at = ? WHERE arn = ?",
            params![stored(expires_at), arn.to_string()],
        )?;
        promote(transaction, arn)?;
    }
    latest_beside(transaction, arn)
}

pub(super) fn insert_yank(
    transaction: &Transaction<'_>,
    arn: &LayerVersionArn,
    yank: &Yank,
) -> Result<(), SqliteError> {
    transaction.execute(
        "INSERT INTO yanks (arn, reason, at) VALUES (?, ?, ?) ON CONFLICT (arn) DO NOTHING",
        params![arn.to_string(), yank.reason, stored(yank.at)],
    )?;
    Ok(())
}

pub(super) fn record_loss(
    transaction: &Transaction<'_>,
    arn: &LayerVersionArn,
    at: Timestamp,
) -> Result<Option<LayerVersion>, SqliteError> {
    let status = status(transaction, arn)?;
    if status.is_none() {
        return Err(CatalogError::Unknown(arn.clone()).into());
    }
    transaction.execute(
        "UPDATE layer_versions SET status = 'deleted', status_at = ?
         WHERE arn = ? AND status <> 'deleted'",
        params![stored(at), arn.to_string()],
    )?;
    if status.as_deref() == Some("latest") {
        promote(transaction, arn)?;
    }
    latest_beside(transaction, arn)
}

/// Makes the successor of a version the latest, if there is one.
fn promote(transaction: &Transaction<'_>, arn: &LayerVersionArn) -> Result<(), SqliteError> {
    let beside = layer_versions(transaction, DEPRECATED_BESIDE, [arn.to_string()])?;
    let Some(target) = beside.first().map(|version| version.build.target) else { return Ok(()) };
    let withdrawn = yanked_builds(transaction, target)?;
    if let Some(next) = successor(&beside, &withdrawn) {
        transaction.execute(
            "UPDATE layer_versions SET status = 'latest', status_at = NULL WHERE arn = ?",
            [next.arn.to_string()],
        )?;
    }
    Ok(())
}

/// The deprecated versions beside another version, newest first. The version number at the end of
/// an ARN sorts as text, so for versions of the same time the order of recording decides.
pub(super) const DEPRECATED_BESIDE: &str = "layer_versions.status = 'deprecated'
     AND layer_versions.arn <> ?1
     AND (layer_versions.package, layer_versions.target, layer_versions.region) = (
         SELECT package, target, region FROM layer_versions WHERE arn = ?1)
     ORDER BY layer_versions.created_at DESC, layer_versions.id DESC";

/// The latest version of another version's layer and region.
pub(super) const LATEST_BESIDE: &str = "layer_versions.status = 'latest'
     AND (layer_versions.target, layer_versions.region, layer_versions.package) = (
         SELECT target, region, package FROM layer_versions WHERE arn = ?)";

fn latest_beside(
    connection: &Connection,
    arn: &LayerVersionArn,
) -> Result<Option<LayerVersion>, SqliteError> {
    let latest = layer_versions(connection, LATEST_BESIDE, [arn.to_string()])?;
    Ok(latest.into_iter().next())
}

fn status(connection: &Connection, arn: &LayerVersionArn) -> Result<Option<String>, SqliteError> {
    let mut statement =
        connection.prepare_cached("SELECT status FROM layer_versions WHERE arn = ?")?;
    Ok(statement.query_row([arn.to_string()], |row| row.get(0)).optional()?)
}
