//! Writes values as rows and reads them back.

use std::collections::HashMap;
use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use klayers_core::{
    Build, Content, Digest, LayerVersion, Origin, PackageName, Status, Target, Yank,
};
use rusqlite::types::{FromSql, Value};
use rusqlite::{
    Connection, ErrorCode, OptionalExtension as _, Row, RowIndex, Statement, params,
    params_from_iter,
};

use crate::{CatalogError, Intent};

/// The columns of a build, as [`build`] reads them.
pub(super) const BUILD: &str = "builds.id AS build, builds.target, builds.spelling, \
     builds.version, builds.dependencies, builds.requirements_hash, builds.wheels_hash, \
     builds.lock_digest, builds.content_digest, builds.code_size, builds.unzipped_size, \
     builds.license, builds.created_at AS built_at, builds.adopted_at";

/// Formats a time for storage: to the nanosecond, and sorting as text.
pub(super) fn stored(time: Timestamp) -> String {
    format!("{time:.9}")
}

/// Returns the row of a recorded build that differs from this one at most in its time.
pub(super) fn find_build(
    connection: &Connection,
    build: &Build,
) -> Result<Option<i64>, SqliteError> {
    let (columns, mut values): (Vec<_>, Vec<_>) = facts(build)?.into_iter().unzip();
    let (content, others) = columns.split_at(1);
    // Adopted builds have an index of their own, which SQLite uses only with this spelling.
    let content = if build.content().is_none() {
        values.remove(0);
        format!("{} IS NULL", content[0])
    } else {
        format!("{} IS ?", content[0])
    };
    let sql =
        format!("SELECT id FROM builds WHERE {content} AND {} IS ?", others.join(" IS ? AND "));
    let mut statement = connection.prepare_cached(&sql)?;
    let id = statement.query_row(params_from_iter(values), |row| row.get(0)).optional()?;
    Ok(id)
}

/// Records a build as the latest of its target and package.
pub(super) fn record_latest_build(
    connection: &Connection,
    build: &Build,
) -> Result<(), SqliteError> {
    let id = find_or_insert_build(connection, build)?;
    connection.execute(
        "INSERT INTO latest_builds (target, package, build) VALUES (?, ?, ?)
         ON CONFLICT (target, package) DO UPDATE SET build = excluded.build",
        params![build.target.to_string(), build.package.normalized(), id],
    )?;
    Ok(())
}

/// Returns the latest build of a package for a target.
pub(super) fn latest_build(
    connection: &Connection,
    target: Target,
    package: &PackageName,
) -> Result<Option<Build>, SqliteError> {
    let sql = format!(
        "SELECT {BUILD} FROM latest_builds JOIN builds ON builds.id = latest_builds.build
         WHERE latest_builds.target = ? AND latest_builds.package = ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters = [target.to_string(), package.normalized().to_owned()];
    let mut rows = statement.query_and_then(parameters, build)?;
    rows.next().transpose()
}

/// Returns the builds with this content.
pub(super) fn builds_of(
    connection: &Connection,
    content: Digest,
) -> Result<Vec<Build>, SqliteError> {
    let mut statement = connection.prepare_cached(&builds_of_sql())?;
    statement.query_and_then([content.to_string()], build)?.collect()
}

pub(super) fn builds_of_sql() -> String {
    format!("SELECT {BUILD} FROM builds WHERE builds.content_digest = ?")
}

/// Returns the row of a build, adding it if it is not recorded.
pub(super) fn find_or_insert_build(
    connection: &Connection,
    build: &Build,
) -> Result<i64, SqliteError> {
    match find_build(connection, build)? {
        Some(id) => Ok(id),
        None => insert_build(connection, build),
    }
}

/// Adds the row of a build.
fn insert_build(connection: &Connection, build: &Build) -> Result<i64, SqliteError> {
    let (columns, mut values): (Vec<_>, Vec<_>) = facts(build)?.into_iter().unzip();
    values.push(build.created_at.map(stored).into());
    values.push(match build.origin {
        Origin::Adopted { at } => stored(at).into(),
        Origin::Locked { .. } | Origin::Imported { .. } => Value::Null,
    });
    let sql = format!(
        "INSERT INTO builds ({}, created_at, adopted_at) VALUES ({} ?, ?)",
        columns.join(", "),
        "?, ".repeat(columns.len())
    );
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(connection.last_insert_rowid())
}

/// Returns the columns that identify a build, its content first: all columns except the times.
fn facts(build: &Build) -> Result<[(&'static str, Value); 12], SqliteError> {
    let content = build.content();
    let number = |bytes: fn(&Content) -> u64| {
        content.map(|content| i64::try_from(bytes(content))).transpose().map_err(not_storable)
    };
    let dependencies = serde_json::to_string(&build.dependencies).map_err(not_storable)?;
    Ok([
        ("content_digest", content.map(|content| content.digest.to_string()).into()),
        ("target", build.target.to_string().into()),
        ("package", build.package.normalized().to_owned().into()),
        ("spelling", build.package.spelling().to_owned().into()),
        ("version", build.version.to_string().into()),
        ("dependencies", dependencies.into()),
        ("requirements_hash", build.requirements_hash.to_string().into()),
        ("wheels_hash", build.origin.wheels_hash().map(|hash| hash.to_string()).into()),
        ("lock_digest", build.origin.lock_digest().map(|digest| digest.to_string()).into()),
        ("code_size", number(|content| content.size)?.into()),
        ("unzipped_size", number(|content| content.unzipped_size)?.into()),
        ("license", build.license.clone().into()),
    ])
}

fn not_storable(error: impl Into<Box<dyn Error + Send + Sync>>) -> SqliteError {
    SqliteError(CatalogError::Storage(error.into()))
}

/// Reads a build from the columns [`BUILD`].
pub(super) fn build(row: &Row<'_>) -> Result<Build, SqliteError> {
    let column = Columns { table: "builds", key: "build", row };
    let dependencies: String = column.get("dependencies")?;
    Ok(Build {
        target: column.parse("target")?,
        package: column.parse("spelling")?,
        version: column.parse("version")?,
        dependencies: serde_json::from_str(&dependencies)
            .map_err(|error| column.unreadable("dependencies", error))?,
        requirements_hash: column.parse("requirements_hash")?,
        origin: origin(&column)?,
        license: column.get("license")?,
        created_at: column.parse_optional("built_at")?,
    })
}

fn origin(column: &Columns<'_>) -> Result<Origin, SqliteError> {
    if let Some(at) = column.parse_optional("adopted_at")? {
        return Ok(Origin::Adopted { at });
    }
    let content = Content {
        digest: column.parse("content_digest")?,
        size: column.get("code_size")?,
        unzipped_size: column.get("unzipped_size")?,
    };
    Ok(match column.parse_optional("wheels_hash")? {
        Some(wheels_hash) => {
            Origin::Locked { wheels_hash, lock_digest: column.parse("lock_digest")?, content }
        }
        None => Origin::Imported { content },
    })
}

/// Reads layer versions. Each of their builds is read only once.
#[derive(Default)]
pub(super) struct LayerVersions {
    builds: HashMap<i64, Build>,
}

impl LayerVersions {
    /// The columns of a layer version, which [`read`](Self::read) reads together with [`BUILD`].
    pub(super) const COLUMNS: &str = "layer_versions.id, layer_versions.arn, \
         layer_versions.created_at, layer_versions.status, layer_versions.status_at, \
         yanks.reason AS yank_reason, yanks.at AS yanked_at";

    // Indexes of the columns; BUILD is the first column of a build after them. There can be
    // hundreds of thousands of rows, and finding a column by name takes longer than reading it.
    const ARN: usize = 1;
    const CREATED_AT: usize = 2;
    const STATUS: usize = 3;
    const STATUS_AT: usize = 4;
    const BUILD: usize = 7;

    /// The tables that contain these columns.
    pub(super) const TABLES: &str = "layer_versions \
         JOIN builds ON builds.id = layer_versions.build \
         LEFT JOIN yanks ON yanks.arn = layer_versions.arn";

    pub(super) fn read(&mut self, row: &Row<'_>) -> Result<LayerVersion, SqliteError> {
        let column = Columns { table: "layer_versions", key: "id", row };
        let id: i64 = column.get(Self::BUILD)?;
        let build = match self.builds.get(&id) {
            Some(build) => build.clone(),
            None => self.builds.entry(id).or_insert(build(row)?).clone(),
        };
        let status: String = column.get(Self::STATUS)?;
        Ok(LayerVersion {
            arn: column.parse(Self::ARN)?,
            build,
            created_at: column.parse_optional(Self::CREATED_AT)?,
            status: match status.as_str() {
                "latest" => Status::Latest,
                "deprecated" => Status::Deprecated {
                    expires_at: column.parse(Self::STATUS_AT)?,
                    yanked: yank(&column)?,
                },
                "deleted" => Status::Deleted { at: column.parse(Self::STATUS_AT)? },
                _ => return Err(column.unreadable(Self::STATUS, "no such status")),
            },
        })
    }
}

fn yank(column: &Columns<'_>) -> Result<Option<Yank>, SqliteError> {
    let Some(reason) = column.get("yank_reason")? else { return Ok(None) };
    Ok(Some(Yank { reason, at: column.parse("yanked_at")? }))
}

/// Reads an intent from its columns and [`BUILD`].
pub(super) fn intent(row: &Row<'_>) -> Result<Intent, SqliteError> {
    let column = Columns { table: "intents", key: "build", row };
    Ok(Intent {
        region: column.parse("region")?,
        layer: column.parse("layer")?,
        build: build(row)?,
        begun_at: column.parse("begun_at")?,
        attempted_at: column.parse_optional("attempted_at")?,
        stuck: column.get("stuck")?,
    })
}

/// The columns of a row. Reading errors name the table, row and column.
struct Columns<'row> {
    table: &'static str,
    key: &'static str,
    row: &'row Row<'row>,
}

impl Columns<'_> {
    fn get<T: FromSql>(&self, column: impl RowIndex) -> Result<T, SqliteError> {
        self.row.get(column).map_err(|error| self.unreadable(column, error))
    }

    fn parse<T>(&self, column: impl RowIndex) -> Result<T, SqliteError>
    where
        T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
    {
        let text: String = self.get(column)?;
        text.parse().map_err(|error| self.unreadable(column, error))
    }

    fn parse_optional<T>(&self, column: impl RowIndex) -> Result<Option<T>, SqliteError>
    where
        T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
    {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|error| self.unreadable(column, error))).transpose()
    }

    fn unreadable(
        &self,
        column: impl RowIndex,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> SqliteError {
        let statement: &Statement<'_> = self.row.as_ref();
        let name = column.idx(statement).and_then(|index| statement.column_name(index));
        SqliteError(CatalogError::Corrupt(Box::new(UnreadableValueError {
            table: self.table,
            key: self.key,
            number: self.row.get(self.key).unwrap_or_default(),
            column: name.unwrap_or_default().to_owned(),
            source: source.into(),
        })))
    }
}

/// A stored value that its column should not contain.
#[derive(Debug, thiserror::Error)]
#[error("{column} in {table}, {key} {number}")]
struct UnreadableValueError {
    table: &'static str,
    key: &'static str,
    number: i64,
    column: String,
    source: Box<dyn Error + Send + Sync>,
}

/// An error of work on the connection. Allows `?` on SQLite errors.
#[derive(Debug)]
pub(super) struct SqliteError(pub(super) CatalogError);

impl From<CatalogError> for SqliteError {
    fn from(error: CatalogError) -> Self {
        Self(error)
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        let corrupt = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase];
        Self(match error.sqlite_error_code() {
            Some(code) if corrupt.contains(&code) => CatalogError::Corrupt(error.into()),
            _ => CatalogError::Storage(error.into()),
        })
    }
}
