//! Writes records that are adopted from another collection.

use klayers_core::{Build, LayerVersion, Status};
use rusqlite::{Transaction, params};

use super::rows::{self, SqliteError, stored};
use super::{query, retire};
use crate::{Adoption, AdoptionPlan, Include, Query};

pub(super) fn adopt(
    transaction: &Transaction<'_>,
    adoption: &Adoption,
) -> Result<AdoptionPlan, SqliteError> {
    let query = Query {
        target: Some(adoption.target),
        package: Some(adoption.package.clone()),
        include: Include::All,
        ..Query::default()
    };
    let (condition, parameters) = query::condition(&query);
    let parameters = rusqlite::params_from_iter(parameters);
    let recorded = retire::layer_versions(transaction, &condition, parameters)?;
    let latest_build = rows::latest_build(transaction, adoption.target, &adoption.package)?;
    let withdrawn = retire::yanked_builds(transaction, adoption.target)?;
    let plan = AdoptionPlan::new(adoption, &recorded, latest_build.as_ref(), &withdrawn);
    // The old latest gives way first, since a region has at most one latest.
    let is_latest = |version: &&LayerVersion| version.status == Status::Latest;
    for version in plan.change.iter().filter(|version| !is_latest(version)) {
        update(transaction, version)?;
    }
    for version in plan.change.iter().filter(is_latest) {
        update(transaction, version)?;
    }
    for version in &plan.add {
        insert(transaction, version)?;
    }
    if let Some(build) = &plan.build {
        rows::record_latest_build(transaction, build)?;
        date(transaction, build)?;
    }
    Ok(plan)
}

fn update(transaction: &Transaction<'_>, version: &LayerVersion) -> Result<(), SqliteError> {
    let build = rows::find_or_insert_build(transaction, &version.build)?;
    let (status, status_at) = status(version);
    let mut statement = transaction.prepare_cached(
        "UPDATE layer_versions SET build = ?, created_at = ?, status = ?, status_at = ?
         WHERE arn = ?",
    )?;
    let created_at = version.created_at.map(stored);
    statement.execute(params![build, created_at, status, status_at, version.arn.to_string()])?;
    Ok(())
}

fn insert(transaction: &Transaction<'_>, version: &LayerVersion) -> Result<(), SqliteError> {
    let build = rows::find_or_insert_build(transaction, &version.build)?;
    let (status, status_at) = status(version);
    let mut statement = transaction.prepare_cached(
        "INSERT INTO layer_versions
             (arn, region, target, package, build, created_at, status, status_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        version.arn.to_string(),
        version.region().as_str(),
        version.build.target.to_string(),
        version.build.package.normalized(),
        build,
        version.created_at.map(stored),
        status,
        status_at
    ])?;
    Ok(())
}

/// Sets the time of a build. Layer versions name their build, but not its time.
fn date(transaction: &Transaction<'_>, build: &Build) -> Result<(), SqliteError> {
    let id = rows::find_build(transaction, build)?;
    transaction.execute(
        "UPDATE builds SET created_at = ? WHERE id = ? AND created_at IS NULL",
        params![build.created_at.map(stored), id],
    )?;
    Ok(())
}

fn status(version: &LayerVersion) -> (&'static str, Option<String>) {
    match &version.status {
        Status::Latest => ("latest", None),
        Status::Deprecated { expires_at, .. } => ("deprecated", Some(stored(*expires_at))),
        Status::Deleted { at } => ("deleted", Some(stored(*at))),
    }
}
