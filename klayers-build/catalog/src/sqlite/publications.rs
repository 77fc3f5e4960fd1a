//! Publications: which are under way, and how they end.

use jiff::Timestamp;
use klayers_core::{Build, LayerVersion, Status};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};

use super::retire;
use super::rows::{self, SqliteError, stored};
use crate::{CatalogError, Intent};

pub(super) fn begin(transaction: &Transaction<'_>, intent: Intent) -> Result<(), SqliteError> {
    let build = recorded(transaction, &intent.build)?;
    let added = transaction.execute(
        "INSERT INTO intents (region, layer, build, begun_at, attempted_at)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT (region, layer) DO NOTHING",
        params![
            intent.region.as_str(),
            intent.layer.as_str(),
            build,
            stored(intent.begun_at),
            intent.attempted_at.map(stored)
        ],
    )?;
    if added == 0 {
        let Intent { region, layer, .. } = intent;
        return Err(CatalogError::UnderWay { region, layer }.into());
    }
    Ok(())
}

pub(super) fn under_way(connection: &Connection) -> Result<Vec<Intent>, SqliteError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT region, layer, begun_at, attempted_at, stuck, {}
         FROM intents JOIN builds ON builds.id = intents.build ORDER BY region, layer",
        rows::BUILD
    ))?;
    let rows = statement.query_and_then((), rows::intent)?;
    rows.collect()
}

pub(super) fn complete(
    transaction: &Transaction<'_>,
    version: &LayerVersion,
    predecessor_expires_at: Timestamp,
) -> Result<(), SqliteError> {
    let build = recorded(transaction, &version.build)?;
    if !is_recorded(transaction, version)? {
        supersede(transaction, version, predecessor_expires_at)?;
        insert(transaction, version, build, "latest", None)?;
    }
    end(transaction, version, build)
}

pub(super) fn complete_retired(
    transaction: &Transaction<'_>,
    version: &LayerVersion,
) -> Result<(), SqliteError> {
    let Status::Deprecated { expires_at, yanked } = &version.status else {
        return Err(CatalogError::NotRetired(version.arn.clone()).into());
    };
    let build = recorded(transaction, &version.build)?;
    if !is_recorded(transaction, version)? {
        insert(transaction, version, build, "deprecated", Some(*expires_at))?;
        if let Some(yank) = yanked {
            retire::insert_yank(transaction, &version.arn, yank)?;
        }
    }
    end(transaction, version, build)
}

/// Ends the publication of a version: it is no longer under way.
fn end(
    transaction: &Transaction<'_>,
    version: &LayerVersion,
    build: i64,
) -> Result<(), SqliteError> {
    transaction.execute(
        "DELETE FROM intents WHERE region = ? AND layer = ? AND build = ?",
        params![version.region().as_str(), version.arn.name().as_str(), build],
    )?;
    Ok(())
}

pub(super) fn abandon(transaction: &Transaction<'_>, intent: &Intent) -> Result<(), SqliteError> {
    change(transaction, "DELETE FROM intents", intent, None)
}

pub(super) fn attempted(
    transaction: &Transaction<'_>,
    intent: &Intent,
    at: Timestamp,
) -> Result<(), SqliteError> {
    change(transaction, "UPDATE intents SET attempted_at = ?", intent, Some(&stored(at)))
}

pub(super) fn mark_stuck(
    transaction: &Transaction<'_>,
    intent: &Intent,
    reason: &str,
) -> Result<(), SqliteError> {
    change(transaction, "UPDATE intents SET stuck = ?", intent, Some(reason))
}

/// Runs the statement `change` for exactly this publication, if it is under way. `value` is its
/// first parameter.
fn change(
    transaction: &Transaction<'_>,
    change: &str,
    intent: &Intent,
    value: Option<&str>,
) -> Result<(), SqliteError> {
    let Some(build) = rows::find_build(transaction, &intent.build)? else { return Ok(()) };
    let (build, begun_at) = (build.to_string(), stored(intent.begun_at));
    let which = [intent.region.as_str(), intent.layer.as_str(), &build, &begun_at];
    transaction.execute(
        &format!("{change} WHERE region = ? AND layer = ? AND build = ? AND begun_at = ?"),
        params_from_iter(value.into_iter().chain(which)),
    )?;
    Ok(())
}

/// Returns the row of a build. The build must be recorded, and must not be an adopted one.
fn recorded(transaction: &Transaction<'_>, build: &Build) -> Result<i64, SqliteError> {
    let Some(content) = build.content_digest() else {
        let (target, package) = (build.target, build.package.clone());
        return Err(CatalogError::Adopted { target, package }.into());
    };
    rows::find_build(transaction, build)?.ok_or_else(|| CatalogError::UnknownBuild(content).into())
}

fn is_recorded(transaction: &Transaction<'_>, version: &LayerVersion) -> Result<bool, SqliteError> {
    let content: Option<Option<String>> = transaction
        .query_row(
            "SELECT builds.content_digest FROM layer_versions
             JOIN builds ON builds.id = layer_versions.build WHERE layer_versions.arn = ?",
            [version.arn.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    match content {
        None => Ok(false),
        Some(content) if content == version.build.content_digest().map(|it| it.to_string()) => {
            Ok(true)
        }
        Some(_) => Err(CatalogError::Conflict(version.arn.clone()).into()),
    }
}

fn supersede(
    transaction: &Transaction<'_>,
    by: &LayerVersion,
    expires_at: Timestamp,
) -> Result<(), SqliteError> {
    transaction.execute(
        "UPDATE layer_versions SET status = 'deprecated', status_at = ?
         WHERE target = ? AND region = ? AND package = ? AND status = 'latest'",
        params![
            stored(expires_at),
            by.build.target.to_string(),
            by.region().as_str(),
            by.build.package.normalized()
        ],
    )?;
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    version: &LayerVersion,
    build: i64,
    status: &str,
    status_at: Option<Timestamp>,
) -> Result<(), SqliteError> {
    transaction.execute(
        "INSERT INTO layer_versions
             (arn, region, target, package, build, created_at, status, status_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            version.arn.to_string(),
            version.region().as_str(),
            version.build.target.to_string(),
            version.build.package.normalized(),
            build,
            version.created_at.map(stored),
            status,
            status_at.map(stored)
        ],
    )?;
    Ok(())
}
