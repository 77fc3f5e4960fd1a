//! The catalog in a SQLite file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use jiff::Timestamp;
use klayers_core::{
    Build, Digest, LayerVersion, LayerVersionArn, PackageName, Region, Target, Yank,
};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use tokio::sync::Mutex;

use klayers_wheel::gate_report::GateReport;

use self::rows::SqliteError;
use super::{
    Adoption, AdoptionPlan, Catalog, CatalogError, Changes, Intent, Lease, Listed, OwedPointer,
    Query, sort,
};
use crate::report::RunReport;

mod access;
mod adoption;
mod changes;
mod pointers;
mod publications;
mod query;
mod retire;
mod rows;
mod runs;
mod schema;

/// A catalog in one SQLite file, with a write-ahead log beside it.
///
/// A write is durable when its method returns, even after a power loss. Several processes may have
/// the same file open; a process that writes waits while another one writes.
///
/// ```
/// use klayers_catalog::{Catalog as _, Query, SqliteCatalog};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
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
    /// Further connections, so that several lists can be read at the same time.
    readers: Vec<Arc<Mutex<Connection>>>,
    /// Index of the reader to use next.
    next: AtomicUsize,
}

impl SqliteCatalog {
    /// Opens a catalog for reading and writing, creating it if the file does not exist.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Empty`] if the file is empty; [`CatalogError::Foreign`] if it is not a
    /// catalog or belongs to a newer release, in which case the file stays unchanged;
    /// [`CatalogError::Open`] if it cannot be opened or created.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CatalogError> {
        schema::open(path.as_ref()).map(Self::new)
    }

    /// Opens a catalog for reading only, beside a process that writes. Every query sees what that
    /// process has committed. Methods that write return [`CatalogError::Storage`].
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and [`CatalogError::Open`] if the file does not exist.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, CatalogError> {
        schema::open_read_only(path.as_ref()).map(Self::new)
    }

    /// Like [`open_read_only`](Self::open_read_only) with several connections, so that reading one
    /// list does not wait for reading another.
    ///
    /// # Errors
    ///
    /// As for [`open_read_only`](Self::open_read_only).
    pub fn open_for_many_readers(path: impl AsRef<Path>) -> Result<Self, CatalogError> {
        const READERS: usize = 8;
        let open = || schema::open_read_only(path.as_ref());
        let mut catalog = Self::new(open()?);
        for _ in 0..READERS {
            catalog.readers.push(Arc::new(Mutex::new(open()?)));
        }
        Ok(catalog)
    }

    /// Opens an empty catalog in memory, which is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Open`] if memory is short.
    pub fn in_memory() -> Result<Self, CatalogError> {
        schema::open_in_memory().map(Self::new)
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
            readers: Vec::new(),
            next: AtomicUsize::default(),
        }
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn record_build(&self, build: &Build) -> Result<(), CatalogError> {
        let build = build.clone();
        self.write(move |transaction| rows::record_latest_build(transaction, &build)).await
    }

    async fn record_gate_report(
        &self,
        content: Digest,
        report: &GateReport,
    ) -> Result<(), CatalogError> {
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

    async fn gate_report(&self, content: Digest) -> Result<Option<GateReport>, CatalogError> {
        self.read(move |connection| {
            let sql = "SELECT report FROM gate_reports WHERE content_digest = ?";
            let mut statement = connection.prepare_cached(sql)?;
            let report: Option<String> =
                statement.query_row([content.to_string()], |row| row.get(0)).optional()?;
            let read = |text: String| serde_json::from_str(&text);
            report
                .map(read)
                .transpose()
                .map_err(|error| SqliteError(CatalogError::Storage(error.into())))
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
            .read(move |connection| {
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
        let package = package.clone();
        self.with(move |connection| rows::latest_build(connection, target, &package)).await
    }

    async fn builds_of(&self, content: Digest) -> Result<Vec<Build>, CatalogError> {
        let mut builds: Vec<Build> =
            self.with(move |connection| rows::builds_of(connection, content)).await?;
        builds
            .sort_by(|one, other| (one.target, &one.package).cmp(&(other.target, &other.package)));
        Ok(builds)
    }

    async fn newest_time(&self) -> Result<Option<Timestamp>, CatalogError> {
        self.with(|connection| retire::newest(connection)).await
    }

    async fn layer_versions(&self, query: &Query) -> Result<Vec<LayerVersion>, CatalogError> {
        let (condition, parameters) = query::condition(query);
        let mut versions = self
            .read(move |connection| {
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

    async fn yanked_builds(&self, target: Target) -> Result<Vec<Build>, CatalogError> {
        self.with(move |connection| retire::yanked_builds(connection, target)).await
    }

    async fn targets(&self) -> Result<Vec<Target>, CatalogError> {
        let mut targets: Vec<Target> =
            self.read(|connection| query::distinct(connection, "target")).await?;
        targets.sort();
        Ok(targets)
    }

    async fn regions(&self) -> Result<Vec<Region>, CatalogError> {
        let mut regions: Vec<Region> =
            self.read(|connection| query::distinct(connection, "region")).await?;
        regions.sort();
        Ok(regions)
    }

    async fn listing(&self) -> Result<Vec<Listed>, CatalogError> {
        self.read(|connection| changes::listed(connection)).await
    }

    async fn changes(&self, since: Option<u64>) -> Result<Changes, CatalogError> {
        self.with(move |connection| changes::changes(connection, since)).await
    }

    async fn begin(&self, publication: &Intent) -> Result<(), CatalogError> {
        let intent = publication.clone();
        self.write(move |transaction| publications::begin(transaction, intent)).await
    }

    async fn record_attempt(
        &self,
        publication: &Intent,
        at: Timestamp,
    ) -> Result<(), CatalogError> {
        let intent = publication.clone();
        self.write(move |transaction| publications::attempted(transaction, &intent, at)).await
    }

    async fn mark_stuck(&self, publication: &Intent, reason: &str) -> Result<(), CatalogError> {
        let (intent, reason) = (publication.clone(), reason.to_owned());
        self.write(move |transaction| publications::mark_stuck(transaction, &intent, &reason)).await
    }

    async fn under_way(&self) -> Result<Vec<Intent>, CatalogError> {
        self.with(|connection| publications::under_way(connection)).await
    }

    async fn complete(
        &self,
        version: &LayerVersion,
        predecessor_expires_at: Timestamp,
    ) -> Result<(), CatalogError> {
        let version = version.clone();
        self.write(move |transaction| {
            publications::complete(transaction, &version, predecessor_expires_at)
        })
        .await
    }

    async fn complete_retired(&self, version: &LayerVersion) -> Result<(), CatalogError> {
        let version = version.clone();
        self.write(move |transaction| publications::complete_retired(transaction, &version)).await
    }

    async fn abandon(&self, publication: &Intent) -> Result<(), CatalogError> {
        let intent = publication.clone();
        self.write(move |transaction| publications::abandon(transaction, &intent)).await
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

    async fn record_loss(
        &self,
        arn: &LayerVersionArn,
        at: Timestamp,
    ) -> Result<Option<LayerVersion>, CatalogError> {
        let arn = arn.clone();
        self.write(move |transaction| retire::record_loss(transaction, &arn, at)).await
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

    async fn owe_pointer(&self, pointer: &OwedPointer) -> Result<(), CatalogError> {
        let pointer = pointer.clone();
        self.write(move |transaction| pointers::owe(transaction, &pointer)).await
    }

    async fn owed_pointers(&self) -> Result<Vec<OwedPointer>, CatalogError> {
        self.with(|connection| pointers::owed(connection)).await
    }

    async fn pointer_moved(&self, pointer: &OwedPointer) -> Result<(), CatalogError> {
        let pointer = pointer.clone();
        self.write(move |transaction| pointers::moved(transaction, &pointer)).await
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<AdoptionPlan, CatalogError> {
        let adoption = adoption.clone();
        self.write(move |transaction| adoption::adopt(transaction, &adoption)).await
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

#[cfg(test)]
mod tests;
