use jiff::Timestamp;
use klayers_core::{Build, Origin};

use super::*;
use crate::{Catalog as _, Changes, Include, Query, SqliteCatalog};

#[test]
fn file_without_tables_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("klayers.db");
    let log = folder.path().join("klayers.db-wal");
    let header = folder.path().join("header.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    use_write_ahead_log(&connect(&header, flags).unwrap()).unwrap();
    std::fs::write(&path, b"").unwrap();
    std::fs::write(&log, b"the last records").unwrap();
    for path in [&path, &header] {
        let before = std::fs::read(path).unwrap();
        for opened in [open(path), open_read_only(path)] {
            let error = opened.unwrap_err();
            assert!(matches!(error, CatalogError::Empty { .. }), "{error:?}");
        }
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
    // SQLite would have deleted it.
    assert_eq!(std::fs::read(&log).unwrap(), b"the last records");
}

#[test]
fn new_catalog_is_created_atomically() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("klayers.db");
    drop(open(&path).unwrap());
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["klayers.db"]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o600, 0o600);
    drop(open(&path).unwrap());
}

#[test]
fn many_processes_may_create_a_catalog_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("klayers.db");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path))).collect();
        for thread in threads {
            let connection = thread.join().unwrap().unwrap();
            assert_eq!(identify(&connection).unwrap(), FileKind::Current);
        }
    });
}

#[test]
fn foreign_files_are_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let other = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let text = folder.path().join("text");
    std::fs::write(&text, "Not a database, though long enough for a header.\n".repeat(99)).unwrap();
    let newer = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 7");
    for (path, why) in [
        (text, "it is not a SQLite database"),
        (other("tables", "CREATE TABLE t (a)"), "another program"),
        (other("id", "PRAGMA application_id = 7"), "another program"),
        (other("version", "PRAGMA user_version = 1"), "another program"),
        (other("newer", &newer), "version 7, but this release knows version 6"),
    ] {
        let before = std::fs::read(&path).unwrap();
        for opened in [open(&path), open_read_only(&path)] {
            let error = opened.unwrap_err();
            assert!(matches!(error, CatalogError::Foreign { .. }), "{error:?}");
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

/// Creates a catalog as an earlier release made it, with a build, versions of it, and a publication
/// under way.
fn of_version(version: i32, path: &Path) {
    let connection = Connection::open(path).unwrap();
    // Remove the additions of versions 4 and 3, which stand at the end.
    let mut schema = before_attempts();
    if version < 5 {
        schema = before_adopting(schema);
    }
    if version < 4 {
        let added = if version < 3 {
            "-- Layer versions that were withdrawn"
        } else {
            "-- Which layers changed"
        };
        let (before, _) = schema.split_once(added).unwrap();
        schema = before.to_owned();
    }
    if version == 1 {
        // And undo the changes of version 2.
        let before = [
            ("wheels_hash TEXT,", "wheels_hash TEXT NOT NULL,"),
            (
                "lock_digest TEXT CHECK ((lock_digest IS NULL) = (wheels_hash IS NULL)),",
                "lock_digest TEXT NOT NULL,",
            ),
        ];
        for (now, before) in before {
            assert!(schema.contains(now));
            schema = schema.replace(now, before);
        }
        let (before, after) = schema.split_once("-- Gate reports").unwrap();
        let (_, after) = after.split_once("WITHOUT ROWID;").unwrap();
        schema = format!("{before}{after}");
    }
    connection.execute_batch(&schema).unwrap();
    let build = serde_json::to_string(&["sample==1.0"]).unwrap();
    let digest = "0".repeat(64);
    let records = format!(
        "INSERT INTO builds (id, target, package, spelling, version, dependencies,
            requirements_hash, wheels_hash, lock_digest, content_digest, code_size, unzipped_size,
            license, created_at) VALUES (7, 'p3.12', 'sample', 'Sample', '1.0', '{build}',
            '{digest}', '{digest}', '{digest}', '{digest}', 1, 2, NULL,
            '2026-11-01T02:00:00.000000000Z');
        INSERT INTO latest_builds VALUES ('p3.12', 'sample', 7);
        INSERT INTO layer_versions VALUES (1,
            'arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-Sample:1', 'eu-west-1',
            'p3.12', 'sample', 7, '2026-11-01T02:00:00.000000000Z', 'deprecated',
            '2027-12-06T02:00:00.000000000Z');
        INSERT INTO layer_versions VALUES (2,
            'arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-Sample:2', 'eu-west-1',
            'p3.12', 'sample', 7, '2026-12-06T02:00:00.000000000Z', 'latest', NULL);
        INSERT INTO intents VALUES ('eu-west-2', 'Klayers-p312-Sample', 7,
            '2026-11-01T02:00:00.000000000Z')"
    );
    connection.execute_batch(&records).unwrap();
    if version >= 2 {
        let gate = "INSERT INTO gate_reports VALUES ('c', '{\"findings\": []}')";
        connection.execute_batch(gate).unwrap();
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
}

/// The schema without the changes of version 6.
fn before_attempts() -> String {
    let columns = "    attempted_at TEXT, -- NULL if an earlier release began it
    stuck TEXT, -- why its version cannot be listed\n";
    assert!(SCHEMA.contains(columns));
    let mut schema = SCHEMA.replace(columns, "");
    let start = schema.find("-- Pointers to latest versions").unwrap();
    let end = start + schema[start..].find("-- Layer versions that were withdrawn").unwrap();
    schema.replace_range(start..end, "");
    schema
}

/// The schema of version 5 without its changes.
fn before_adopting(mut schema: String) -> String {
    let start = schema.find("    created_at TEXT, -- NULL").unwrap();
    let end = start + schema[start..].find(") STRICT;").unwrap();
    schema.replace_range(start..end, "    created_at TEXT NOT NULL\n");
    for (now, before) in [
        ("content_digest TEXT,", "content_digest TEXT NOT NULL,"),
        ("code_size INTEGER,", "code_size INTEGER NOT NULL,"),
        ("unzipped_size INTEGER,", "unzipped_size INTEGER NOT NULL,"),
        ("created_at TEXT, -- NULL for some adopted records", "created_at TEXT NOT NULL,"),
    ] {
        assert!(schema.contains(now), "{now}");
        schema = schema.replace(now, before);
    }
    for index in ["adopted_builds", "builds_by_adoption"] {
        let start = schema.find(&format!("CREATE INDEX {index} ")).unwrap();
        let end = start + schema[start..].find(';').unwrap() + 1;
        schema.replace_range(start..end, "");
    }
    schema
}

const TABLES: [&str; 10] = [
    "builds",
    "latest_builds",
    "layer_versions",
    "intents",
    "gate_reports",
    "yanks",
    "deletions",
    "runs",
    "lease",
    "owed_pointers",
];

/// All records, and the structure of the tables as SQLite understands it.
fn everything(connection: &Connection) -> Vec<String> {
    let text = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut all =
        text("SELECT json_array(type, name, tbl_name) FROM sqlite_schema ORDER BY type, name");
    for table in TABLES {
        let columns = text(&format!(
            "SELECT json_array(name, type, \"notnull\", pk) FROM pragma_table_info('{table}')"
        ));
        let names = text(&format!("SELECT name FROM pragma_table_info('{table}')")).join(", ");
        all.extend(columns);
        all.extend(text(&format!("SELECT json_array({names}) FROM {table}")));
        all.extend(text(&format!(
            "SELECT json_array(\"table\", \"from\", \"to\") FROM pragma_foreign_key_list('{table}')"
        )));
    }
    all
}

#[test]
fn catalog_of_earlier_release_is_migrated_with_all_records() {
    for version in 1..SCHEMA_VERSION {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("klayers.db");
        of_version(version, &path);
        let tables: Vec<&str> = match version {
            1 => TABLES[..4].to_vec(),
            2 => TABLES[..5].to_vec(),
            _ => TABLES[..9].to_vec(),
        };
        // A catalog created by this release, with the same records.
        let new = open_in_memory().unwrap();
        new.execute_batch(&format!("ATTACH '{}' AS old", path.display())).unwrap();
        for table in tables {
            let sql = format!("SELECT name FROM pragma_table_info('{table}', 'old')");
            let columns: Vec<String> = {
                let mut statement = new.prepare(&sql).unwrap();
                let names = statement.query_map((), |row| row.get(0)).unwrap();
                names.map(Result::unwrap).collect()
            };
            let columns = columns.join(", ");
            new.execute_batch(&format!(
                "INSERT INTO {table} ({columns}) SELECT {columns} FROM old.{table}"
            ))
            .unwrap();
        }
        new.execute_batch("DETACH old").unwrap();

        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&path))).collect();
            for thread in threads {
                let connection = thread.join().unwrap().unwrap();
                assert_eq!(identify(&connection).unwrap(), FileKind::Current);
            }
        });
        let migrated = open(&path).unwrap();
        let foreign_keys: bool =
            migrated.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
        assert!(foreign_keys);
        let records = everything(&migrated);
        assert_eq!(records, everything(&new), "{version}");
        assert!(records.iter().any(|record| record.contains("Sample")), "{records:?}");
    }
}

#[tokio::test]
async fn catalog_of_earlier_release_can_be_read_without_migration() {
    for version in 1..SCHEMA_VERSION {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("klayers.db");
        of_version(version, &path);
        let before = std::fs::read(&path).unwrap();
        let connection = open_read_only(&path).unwrap();
        assert_eq!(identify(&connection).unwrap(), FileKind::Older(version));
        let catalog = SqliteCatalog::new(connection);
        let all = Query { include: Include::All, ..Query::default() };
        let versions = catalog.layer_versions(&all).await.unwrap();
        let numbers: Vec<u64> = versions.iter().map(|version| version.arn.version()).collect();
        assert_eq!(numbers, [2, 1]);
        let build = &versions[0].build;
        assert_eq!(catalog.builds_of(build.content_digest().unwrap()).await.unwrap().len(), 1);
        assert_eq!(catalog.newest_time().await.unwrap(), versions[0].created_at);
        assert_eq!(catalog.expired(Timestamp::MAX).await.unwrap(), versions[1..]);
        let under_way = catalog.under_way().await.unwrap();
        assert_eq!(under_way.len(), 1);
        assert_eq!(under_way[0].attempted_at, None);
        assert_eq!(catalog.gate_report(build.content_digest().unwrap()).await.unwrap(), None);
        // Tables that this version did not have.
        assert_eq!(catalog.yanked_builds(build.target).await.unwrap(), []);
        assert_eq!(catalog.deletions_under_way().await.unwrap(), []);
        assert_eq!(catalog.owed_pointers().await.unwrap(), []);
        assert_eq!(catalog.runs(1).await.unwrap(), []);
        assert_eq!(catalog.run(1).await.unwrap(), None);
        assert_eq!(catalog.lease().await.unwrap(), None);
        let changes = catalog.changes(None).await.unwrap();
        assert_eq!(changes.layers, None);
        let nothing = Changes { layers: Some(vec![]), ..changes.clone() };
        assert_eq!(catalog.changes(Some(changes.until)).await.unwrap(), nothing);
        assert_eq!(std::fs::read(&path).unwrap(), before);

        // Another process migrates it in the meantime.
        let writing = SqliteCatalog::open(&path).unwrap();
        let migrated = catalog.changes(Some(changes.until)).await.unwrap();
        if version < 4 {
            assert_eq!(migrated, Changes { until: 2, layers: None });
        } else {
            assert_eq!(migrated, nothing);
        }
        let all = writing.changes(Some(0)).await.unwrap().layers.unwrap();
        assert_eq!(all.len(), 2, "{all:?}");
        let arn = &versions[1].arn;
        writing.begin_deletion(arn, Timestamp::MAX).await.unwrap();
        let later = catalog.changes(Some(migrated.until)).await.unwrap().layers.unwrap();
        assert_eq!(later.len(), 1);
        assert_eq!(later[0].region.as_ref(), Some(arn.region()));
        // Adopted builds, which an earlier release could not record, are read too.
        let adopted = Build { origin: Origin::Adopted { at: Timestamp::MAX }, ..build.clone() };
        writing.record_build(&adopted).await.unwrap();
        assert_eq!(catalog.latest_builds(None).await.unwrap(), [adopted]);
    }
}

#[test]
fn catalog_with_broken_references_is_not_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("klayers.db");
    of_version(1, &path);
    let break_it = "PRAGMA foreign_keys = OFF; DELETE FROM builds";
    Connection::open(&path).unwrap().execute_batch(break_it).unwrap();
    let error = open(&path).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "4 records refer to builds that do not exist");
    assert_eq!(identify(&open_read_only(&path).unwrap()).unwrap(), FileKind::Older(1));
}

#[test]
fn catalog_that_cannot_be_opened_is_reported_as_open_error() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent/klayers.db");
    for opened in [open(&absent), open_read_only(&absent), open(folder.path())] {
        let error = opened.unwrap_err();
        assert!(matches!(error, CatalogError::Open { .. }), "{error:?}");
    }
    assert!(matches!(open(Path::new(":memory:")), Err(CatalogError::Open { .. })));
}
