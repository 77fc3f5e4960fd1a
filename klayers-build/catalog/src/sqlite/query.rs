//! Queries as SQL.

use klayers_core::ParseError;
use rusqlite::Connection;

use super::rows::SqliteError;
use crate::{CatalogError, Include, Query};

/// Returns the SQL condition of a query and its parameters. The conditions on the status are
/// spelled as in the partial indexes, because SQLite would not use those indexes otherwise.
pub(super) fn condition(query: &Query) -> (String, Vec<String>) {
    let mut conditions = vec![match query.include {
        Include::Latest => "layer_versions.status = 'latest'",
        Include::Existing => "layer_versions.status <> 'deleted'",
        Include::All => "true",
    }];
    let mut parameters = Vec::new();
    if let Some(target) = query.target {
        conditions.push("layer_versions.target = ?");
        parameters.push(target.to_string());
    }
    if let Some(region) = &query.region {
        conditions.push("layer_versions.region = ?");
        parameters.push(region.to_string());
    }
    if let Some(package) = &query.package {
        conditions.push("layer_versions.package = ?");
        parameters.push(package.normalized().to_owned());
    }
    (conditions.join(" AND "), parameters)
}

/// Returns SQL for the distinct values of a column over the layer versions that are not deleted.
/// SQLite's own DISTINCT would visit every row; this jumps from value to value in the index.
pub(super) fn distinct_sql(column: &str) -> String {
    format!(
        "WITH RECURSIVE found (value) AS (
             SELECT min({column}) FROM layer_versions WHERE status <> 'deleted'
             UNION ALL
             SELECT (SELECT min({column}) FROM layer_versions
                 WHERE status <> 'deleted' AND {column} > found.value)
             FROM found WHERE found.value IS NOT NULL
         )
         SELECT value FROM found WHERE value IS NOT NULL"
    )
}

pub(super) fn distinct<T>(connection: &Connection, column: &str) -> Result<Vec<T>, SqliteError>
where
    T: std::str::FromStr<Err = ParseError>,
{
    let mut statement = connection.prepare_cached(&distinct_sql(column))?;
    let rows = statement.query_and_then((), |row| {
        let value: String = row.get(0)?;
        let parsed = value.parse();
        parsed.map_err(|error: ParseError| SqliteError(CatalogError::Corrupt(error.into())))
    })?;
    rows.collect()
}
