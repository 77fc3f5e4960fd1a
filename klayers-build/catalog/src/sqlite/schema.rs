//! Opens a file: checks that it is a catalog, creates it, migrates it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::CatalogError;
use klayers_wheel::durable;

/// Distinguishes a catalog from databases of other programs: `Klyr`.
const APPLICATION_ID: i32 = 0x4B6C_7972;

/// Increases by one whenever the tables change.
const SCHEMA_VERSION: i32 = 6;

const SCHEMA: &str = include_str!("schema.sql");

/// Each entry migrates to the next version, starting from version 1.
const MIGRATIONS: [&str; 5] = [
    include_str!("from_1_to_2.sql"),
    include_str!("from_2_to_3.sql"),
    include_str!("from_3_to_4.sql"),
    include_str!("from_4_to_5.sql"),
    include_str!("from_5_to_6.sql"),
];

/// First version that supports adopted builds.
const ADOPTING: i32 = 5;

/// First version that stores the time of attempt of publications under way.
const ATTEMPTS: i32 = 6;

/// How long a process waits while another one writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a catalog for reading and writing, creating it if it does not exist.
///
/// An existing empty file is refused: it was a catalog once, or was put there by mistake. If the
/// process is killed at any point, there is either no file or a complete catalog.
pub(super) fn open(path: &Path) -> Result<Connection, CatalogError> {
    open_or_create(path).map_err(|error| error.at(path))
}

/// Opens an existing catalog for reading only, beside a process that writes.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, CatalogError> {
    open_existing(path).map_err(|error| error.at(path))
}

/// Opens an empty catalog that lives as long as its connection.
pub(super) fn open_in_memory() -> Result<Connection, CatalogError> {
    let open = || {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(SCHEMA)?;
        Ok(connection)
    };
    open().map_err(|error: OpenError| error.at(Path::new("in memory")))
}

fn open_or_create(path: &Path) -> Result<Connection, OpenError> {
    // SQLite would open a database in memory.
    if path == Path::new(":memory:") {
        return Err(OpenError::NoWriteAheadLog);
    }
    if !path.exists() {
        create(path)?;
    }
    refuse_empty(path)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Check that the file belongs to Klayers before writing anything.
    let kind = identify_at_once(&mut connection)?;
    if kind == FileKind::Empty {
        return Err(OpenError::Empty);
    }
    use_write_ahead_log(&connection)?;
    if let FileKind::Older(_) = kind {
        migrate(&mut connection)?;
    }
    Ok(connection)
}

/// Creates a catalog in a temporary file and moves it to its place, so that no process ever sees a
/// file without tables.
fn create(path: &Path) -> Result<(), OpenError> {
    let folder = durable::parent(path);
    let file = tempfile::Builder::new()
        .prefix(".new-catalog-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    let mut connection = connect(file.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let creation = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    creation.execute_batch(SCHEMA)?;
    creation.pragma_update(None, "application_id", APPLICATION_ID)?;
    creation.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    creation.commit()?;
    drop(connection);
    match file.persist_noclobber(path) {
        // Another process has created the catalog in the meantime.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error.into()),
        Ok(_) => Ok(durable::sync_folders(folder, folder)?),
    }
}

/// Refuses an empty file before SQLite opens it: SQLite would treat it as a new database and delete
/// a write-ahead log beside it that may hold the records.
fn refuse_empty(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => Err(OpenError::Empty),
        _ => Ok(()),
    }
}

/// Migrates the tables of an earlier release to this one, in one transaction.
fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    // A table that others refer to has to be recreated, which SQLite allows only while it does not
    // check foreign keys. They are checked before the transaction commits. SQLite documents this
    // procedure: https://www.sqlite.org/lang_altertable.html#otheralter
    connection.pragma_update(None, "foreign_keys", false)?;
    let migration = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have migrated it in the meantime.
    if let FileKind::Older(version) = identify(&migration)? {
        for sql in MIGRATIONS.iter().skip(usize::try_from(version - 1).unwrap_or_default()) {
            migration.execute_batch(sql)?;
        }
        let broken: u64 =
            migration
                .query_row("SELECT count(*) FROM pragma_foreign_key_check", (), |row| row.get(0))?;
        if broken > 0 {
            return Err(OpenError::Broken(broken));
        }
        migration.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    migration.commit()?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

fn open_existing(path: &Path) -> Result<Connection, OpenError> {
    refuse_empty(path)?;
    // The last connection to close removes the write-ahead log, but only if it may write; so open
    // for writing. If the file is read-only, SQLite falls back to reading by itself.
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let kind = identify_at_once(&mut connection)?;
    if let FileKind::Older(version) = kind {
        stand_in(&connection, version)?;
    }
    connection.pragma_update(None, "query_only", true)?;
    match kind {
        FileKind::Current | FileKind::Older(_) => Ok(connection),
        FileKind::Empty => Err(OpenError::Empty),
    }
}

/// Creates empty temporary tables and columns, visible to this connection only, for those that a
/// catalog of an earlier release lacks. All other tables and columns that are read have the same
/// names in every version.
///
/// `changes` gets no substitute: once another process has migrated the catalog, its real table must
/// be visible.
fn stand_in(connection: &Connection, version: i32) -> Result<(), OpenError> {
    const ADDED: [(i32, &str); 6] = [
        (2, "gate_reports (content_digest, report)"),
        (3, "yanks (arn, reason, at)"),
        (3, "deletions (arn)"),
        (3, "runs (number, report)"),
        (3, "lease (only, host, process, until)"),
        (6, "owed_pointers (region, target, package)"),
    ];
    for (_, table) in ADDED.iter().filter(|(since, _)| *since > version) {
        connection.execute_batch(&format!("CREATE TEMP TABLE {table}"))?;
    }
    if version < ADOPTING {
        connection.execute_batch(
            "CREATE TEMP VIEW builds AS SELECT *, NULL AS adopted_at FROM main.builds",
        )?;
    }
    if version < ATTEMPTS {
        connection.execute_batch(
            "CREATE TEMP VIEW intents AS
             SELECT *, NULL AS attempted_at, NULL AS stuck FROM main.intents",
        )?;
    }
    Ok(())
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    // Our own lock guards each connection, so SQLite needs none.
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Commits survive a power loss; macOS also needs `fullfsync`.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    Ok(connection)
}

/// Enables the write-ahead log, so that others can read while one process writes.
fn use_write_ahead_log(connection: &Connection) -> Result<(), OpenError> {
    const ATTEMPTS: u32 = 100;
    let mut attempt = 1;
    let mode: String = loop {
        let switched =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match switched {
            // If two processes switch at once, SQLite returns an error to one of them without
            // waiting.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && attempt < ATTEMPTS =>
            {
                attempt += 1;
                std::thread::sleep(PATIENCE / ATTEMPTS);
            }
            outcome => break outcome?,
        }
    };
    if mode == "wal" { Ok(()) } else { Err(OpenError::NoWriteAheadLog) }
}

#[derive(Debug, Eq, PartialEq)]
enum FileKind {
    /// A database without tables.
    Empty,
    /// A catalog that this release reads and writes.
    Current,
    /// A catalog of an earlier release, with the version of its tables.
    Older(i32),
}

/// Identifies a file in one transaction, so that all properties are of the same moment.
fn identify_at_once(connection: &mut Connection) -> Result<FileKind, OpenError> {
    let transaction = connection.transaction()?;
    identify(&transaction)
}

fn identify(connection: &Connection) -> Result<FileKind, OpenError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let application: i32 = number("application_id")?;
    let version: i32 = number("user_version")?;
    let tables: u64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    match (application, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(FileKind::Current),
        (APPLICATION_ID, older @ 1..SCHEMA_VERSION) => Ok(FileKind::Older(older)),
        (APPLICATION_ID, other) => Err(OpenError::Foreign(format!(
            "its tables have version {other}, but this release knows version {SCHEMA_VERSION}"
        ))),
        (0, 0) if tables == 0 => Ok(FileKind::Empty),
        _ => Err(OpenError::Foreign("it is the database of another program".to_owned())),
    }
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("the file is empty")]
    Empty,
    #[error("{0}")]
    Foreign(String),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0} records refer to builds that do not exist")]
    Broken(u64),
    #[error("SQLite cannot keep a write-ahead log beside it")]
    NoWriteAheadLog,
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl OpenError {
    fn at(self, path: &Path) -> CatalogError {
        let location = path.display().to_string();
        let not_a_database = matches!(
            &self,
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase)
        );
        match self {
            Self::Empty => CatalogError::Empty { location },
            Self::Foreign(reason) => CatalogError::Foreign { location, reason },
            Self::Sqlite(_) if not_a_database => {
                CatalogError::Foreign { location, reason: "it is not a SQLite database".to_owned() }
            }
            Self::Sqlite(_) | Self::Io(_) | Self::NoWriteAheadLog | Self::Broken(_) => {
                CatalogError::Open { location, source: Box::new(self) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
