//! The catalog in a SQLite file.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{
    Build, Digest, LayerVersion, LayerVersionArn, PackageName, Region, Target, Yank,
};
use rusqlite::{
    Connection, OptionalExtension as _, Transaction, TransactionBehavior, params, params_from_iter,
};
use tokio::sync::Mutex;

use crate::gate::GateReport;

use self::rows::{Failure, stored};
use super::{Catalog, CatalogError, Include, Intent, Lease, Query, sort};
use crate::report::RunReport;

mod retire;
mod rows;
mod runs;
mod schema;

/// A catalog in one SQLite file, with a write-ahead log beside it.
///
/// What a method has written down outlives the process and a power loss. Several processes may
/// have the same file open; one that writes waits while another does.
///
/// ```
/// use klayers_build::catalog::{Catalog as _, Query, SqliteCatalog};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("klayers.db");
/// let catalog = SqliteCatalog::open(&file)?;
/// let reader = SqliteCatalog::open_read_only(&file)?;
/// assert_eq!(reader.layer_versions(&Query::default()).await?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteCatalog {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteCatalog {
    /// Opens a catalog for reading and writing, and makes it if the file is not there.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Foreign`] if the file is something else or of a newer release, which leaves
    /// it as it is; [`CatalogError::Open`] if it cannot be opened or made.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CatalogError> {
        schema::open(path.as_ref()).map(Self::new)
    }

    /// Opens a catalog for reading alone, beside a process that writes. What that process commits
    /// is seen by every query after; the methods that write return [`CatalogError::Storage`].
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`CatalogError::Open`] if the file is not there.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, CatalogError> {
        schema::open_read_only(path.as_ref()).map(Self::new)
    }

    /// Opens an empty catalog that is gone when it is dropped.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Open`] if memory is short.
    pub fn in_memory() -> Result<Self, CatalogError> {
        schema::open_in_memory().map(Self::new)
    }

    fn new(connection: Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)) }
    }

    /// Works on the connection in a thread where waiting for the disk holds up nobody.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, CatalogError> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&mut connection))
            .await
            .map_err(|error| CatalogError::Storage(error.into()))?
            .map_err(|Failure(error)| error)
    }

    /// The same for work that writes: all of it or nothing.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, CatalogError> {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = work(&transaction)?;
            transaction.commit()?;
            Ok(outcome)
        })
        .await
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn record_build(&self, build: &Build) -> Result<(), CatalogError> {
        let build = build.clone();
        self.write(move |transaction| {
            let id = match rows::find_build(transaction, &build)? {
                Some(id) => id,
                None => rows::insert_build(transaction, &build)?,
            };
            transaction.execute(
                "INSERT INTO latest_builds (target, package, build) VALUES (?, ?, ?)
                 ON CONFLICT (target, package) DO UPDATE SET build = excluded.build",
                params![build.target.to_string(), build.package.normalized(), id],
            )?;
            Ok(())
        })
        .await
    }

    async fn record_gate(&self, content: Digest, report: &GateReport) -> Result<(), CatalogError> {
        let report =
            serde_json::to_string(report).map_err(|error| CatalogError::Storage(error.into()))?;
        self.write(move |transaction| {
            transaction.execute(
                "INSERT INTO gate_reports (content_digest, report) VALUES (?, ?)
                 ON CONFLICT (content_digest) DO UPDATE SET report = excluded.report",
                params![content.to_string(), report],
            )?;
            Ok(())
        })
        .await
    }

    async fn gate(&self, content: Digest) -> Result<Option<GateReport>, CatalogError> {
        self.with(move |connection| {
            let sql = "SELECT report FROM gate_reports WHERE content_digest = ?";
            let mut statement = connection.prepare_cached(sql)?;
            let report: Option<String> =
                statement.query_row([content.to_string()], |row| row.get(0)).optional()?;
            let read = |text: String| serde_json::from_str(&text);
            report
                .map(read)
                .transpose()
                .map_err(|error| Failure(CatalogError::Storage(error.into())))
        })
        .await
    }

    async fn latest_builds(&self, target: Option<Target>) -> Result<Vec<Build>, CatalogError> {
        let filter = target.map_or("", |_| "WHERE latest_builds.target = ?");
        let sql = format!(
            "SELECT {} FROM latest_builds JOIN builds ON builds.id = latest_builds.build {filter}",
            rows::BUILD
        );
        let parameters = target.map(|target| target.to_string());
        let mut builds: Vec<Build> = self
            .with(move |connection| {
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_and_then(params_from_iter(parameters), rows::build)?;
                rows.collect()
            })
            .await?;
        builds
            .sort_by(|one, other| (one.target, &one.package).cmp(&(other.target, &other.package)));
        Ok(builds)
    }

    async fn latest_build(
        &self,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<Build>, CatalogError> {
        let parameters = [target.to_string(), package.normalized().to_owned()];
        self.with(move |connection| {
            let sql = format!(
                "SELECT {} FROM latest_builds JOIN builds ON builds.id = latest_builds.build
                 WHERE latest_builds.target = ? AND latest_builds.package = ?",
                rows::BUILD
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query_and_then(parameters, rows::build)?;
            rows.next().transpose()
        })
        .await
    }

    async fn layer_versions(&self, query: &Query) -> Result<Vec<LayerVersion>, CatalogError> {
        let (condition, parameters) = condition(query);
        let mut versions = self
            .with(move |connection| {
                retire::layer_versions(connection, &condition, params_from_iter(parameters))
            })
            .await?;
        sort(&mut versions);
        Ok(versions)
    }

    async fn layer_version(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<LayerVersion>, CatalogError> {
        let arn = arn.to_string();
        let found = self
            .with(move |connection| {
                retire::layer_versions(connection, "layer_versions.arn = ?", [arn])
            })
            .await?;
        Ok(found.into_iter().next())
    }

    async fn expired(&self, now: Timestamp) -> Result<Vec<LayerVersion>, CatalogError> {
        let mut versions = self.with(move |connection| retire::expired(connection, now)).await?;
        sort(&mut versions);
        Ok(versions)
    }

    async fn yanked_builds(
        &self,
        target: Target,
        package: &PackageName,
    ) -> Result<Vec<Build>, CatalogError> {
        let package = package.clone();
        self.with(move |connection| retire::yanked_builds(connection, target, &package)).await
    }

    async fn targets(&self) -> Result<Vec<Target>, CatalogError> {
        let mut targets: Vec<Target> =
            self.with(|connection| distinct(connection, "target")).await?;
        targets.sort();
        Ok(targets)
    }

    async fn regions(&self) -> Result<Vec<Region>, CatalogError> {
        let mut regions: Vec<Region> =
            self.with(|connection| distinct(connection, "region")).await?;
        regions.sort();
        Ok(regions)
    }

    async fn begin(&self, publication: &Intent) -> Result<(), CatalogError> {
        let intent = publication.clone();
        self.write(move |transaction| {
            let build = recorded(transaction, &intent.build)?;
            let added = transaction.execute(
                "INSERT INTO intents (region, layer, build, begun_at) VALUES (?, ?, ?, ?)
                 ON CONFLICT (region, layer) DO NOTHING",
                params![
                    intent.region.as_str(),
                    intent.layer.as_str(),
                    build,
                    stored(intent.begun_at)
                ],
            )?;
            if added == 0 {
                let Intent { region, layer, .. } = intent;
                return Err(CatalogError::UnderWay { region, layer }.into());
            }
            Ok(())
        })
        .await
    }

    async fn under_way(&self) -> Result<Vec<Intent>, CatalogError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT region, layer, begun_at, {}
                 FROM intents JOIN builds ON builds.id = intents.build ORDER BY region, layer",
                rows::BUILD
            ))?;
            let rows = statement.query_and_then((), rows::intent)?;
            rows.collect()
        })
        .await
    }

    async fn complete(
        &self,
        version: &LayerVersion,
        predecessor_expires_at: Timestamp,
    ) -> Result<(), CatalogError> {
        let version = version.clone();
        self.write(move |transaction| {
            let build = recorded(transaction, &version.build)?;
            if !is_recorded(transaction, &version)? {
                supersede(transaction, &version, predecessor_expires_at)?;
                insert_latest(transaction, &version, build)?;
            }
            transaction.execute(
                "DELETE FROM intents WHERE region = ? AND layer = ? AND build = ?",
                params![version.region().as_str(), version.arn.name().as_str(), build],
            )?;
            Ok(())
        })
        .await
    }

    async fn abandon(&self, publication: &Intent) -> Result<(), CatalogError> {
        let intent = publication.clone();
        self.write(move |transaction| {
            transaction.execute(
                "DELETE FROM intents WHERE region = ? AND layer = ? AND build = ? AND begun_at = ?",
                params![
                    intent.region.as_str(),
                    intent.layer.as_str(),
                    rows::find_build(transaction, &intent.build)?,
                    stored(intent.begun_at)
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn begin_deletion(
        &self,
        arn: &LayerVersionArn,
        at: Timestamp,
    ) -> Result<(), CatalogError> {
        let arn = arn.clone();
        self.write(move |transaction| retire::begin_deletion(transaction, &arn, at)).await
    }

    async fn deletions_under_way(&self) -> Result<Vec<LayerVersionArn>, CatalogError> {
        self.with(|connection| retire::deletions_under_way(connection)).await
    }

    async fn end_deletion(&self, arn: &LayerVersionArn) -> Result<(), CatalogError> {
        let arn = arn.clone();
        self.write(move |transaction| retire::end_deletion(transaction, &arn)).await
    }

    async fn yank(
        &self,
        arn: &LayerVersionArn,
        yank: &Yank,
        expires_at: Timestamp,
    ) -> Result<Option<LayerVersion>, CatalogError> {
        let (arn, yank) = (arn.clone(), yank.clone());
        self.write(move |transaction| retire::yank(transaction, &arn, &yank, expires_at)).await
    }

    async fn record_run(&self, report: &RunReport) -> Result<u64, CatalogError> {
        let report =
            serde_json::to_string(report).map_err(|error| CatalogError::Storage(error.into()))?;
        self.write(move |transaction| runs::record(transaction, &report)).await
    }

    async fn runs(&self, at_most: usize) -> Result<Vec<(u64, RunReport)>, CatalogError> {
        self.with(move |connection| runs::last(connection, at_most)).await
    }

    async fn run(&self, number: u64) -> Result<Option<RunReport>, CatalogError> {
        self.with(move |connection| runs::find(connection, number)).await
    }

    async fn lease(&self) -> Result<Option<Lease>, CatalogError> {
        self.with(|connection| runs::lease(connection)).await
    }

    async fn replace_lease(
        &self,
        expected: Option<&Lease>,
        with: Option<&Lease>,
    ) -> Result<bool, CatalogError> {
        let (expected, with) = (expected.cloned(), with.cloned());
        self.write(move |transaction| {
            runs::replace_lease(transaction, expected.as_ref(), with.as_ref())
        })
        .await
    }
}

/// The SQL condition of a query. What it says of the status is spelled as in the partial indexes,
/// which are not used otherwise.
fn condition(query: &Query) -> (String, Vec<String>) {
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

/// The values of a column of the layer versions that exist. SQLite's own DISTINCT would walk over
/// every one of them; this jumps from value to value in the index.
fn distinct_sql(column: &str) -> String {
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

fn distinct<T>(connection: &Connection, column: &str) -> Result<Vec<T>, Failure>
where
    T: std::str::FromStr<Err = klayers_core::ParseError>,
{
    let mut statement = connection.prepare_cached(&distinct_sql(column))?;
    let rows = statement.query_and_then((), |row| {
        let value: String = row.get(0)?;
        let parsed = value.parse();
        parsed
            .map_err(|error: klayers_core::ParseError| Failure(CatalogError::Corrupt(error.into())))
    })?;
    rows.collect()
}

/// The row of a build that must be recorded.
fn recorded(transaction: &Transaction<'_>, build: &Build) -> Result<i64, Failure> {
    rows::find_build(transaction, build)?
        .ok_or_else(|| CatalogError::UnknownBuild(build.content_digest).into())
}

fn is_recorded(transaction: &Transaction<'_>, version: &LayerVersion) -> Result<bool, Failure> {
    let content: Option<String> = transaction
        .query_row(
            "SELECT builds.content_digest FROM layer_versions
             JOIN builds ON builds.id = layer_versions.build WHERE layer_versions.arn = ?",
            [version.arn.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    match content {
        None => Ok(false),
        Some(content) if content == version.build.content_digest.to_string() => Ok(true),
        Some(_) => Err(CatalogError::Conflict(version.arn.clone()).into()),
    }
}

fn supersede(
    transaction: &Transaction<'_>,
    by: &LayerVersion,
    expires_at: Timestamp,
) -> Result<(), Failure> {
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

fn insert_latest(
    transaction: &Transaction<'_>,
    version: &LayerVersion,
    build: i64,
) -> Result<(), Failure> {
    transaction.execute(
        "INSERT INTO layer_versions (arn, region, target, package, build, created_at, status)
         VALUES (?, ?, ?, ?, ?, ?, 'latest')",
        params![
            version.arn.to_string(),
            version.region().as_str(),
            version.build.target.to_string(),
            version.build.package.normalized(),
            build,
            stored(version.created_at)
        ],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sql: &str, parameters: &[String]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let connection = schema::open(&folder.path().join("klayers.db")).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps =
            statement.query_map(params_from_iter(parameters), |row| row.get("detail")).unwrap();
        steps.map(Result::unwrap).collect()
    }

    #[test]
    fn what_the_api_asks_for_is_found_through_indexes() {
        let target = Some("p3.12".parse().unwrap());
        let region: Option<Region> = Some("eu-west-1".parse().unwrap());
        let package = Some("requests".parse().unwrap());
        let latest = Query { target, region: region.clone(), ..Query::default() };
        let versions =
            Query { target, region, package: package.clone(), include: Include::Existing };
        let everywhere = Query { package, include: Include::Existing, ..Query::default() };
        let mut plans =
            vec![plan(&distinct_sql("target"), &[]), plan(&distinct_sql("region"), &[])];
        for query in [latest, versions, everywhere] {
            let (condition, parameters) = condition(&query);
            plans.push(plan(&retire::select(&condition), &parameters));
        }
        let expired = "layer_versions.status = 'deprecated' AND layer_versions.status_at <= ?";
        plans.push(plan(&retire::select(expired), &["2026".to_owned()]));
        for steps in plans {
            let scans = steps.iter().filter(|step| step.starts_with("SCAN"));
            let scanned: Vec<_> = scans.filter(|step| *step != "SCAN found").collect();
            assert!(scanned.is_empty(), "{steps:#?}");
        }
    }
}
