//! The catalog in a SQLite file: the conformance suite, and tests of its own.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use klayers_catalog::{Catalog, CatalogError, Query, SqliteCatalog};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::conformance::catalog::{Home, catalog_promises};
use crate::samples::{at, build, intent, published, region};
use crate::support::command::environment;

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("klayers.db")
    }
}

impl Home for File {
    fn open(&self) -> Arc<dyn Catalog> {
        Arc::new(SqliteCatalog::open(self.path()).unwrap())
    }
}

catalog_promises!(File::new());

#[tokio::test]
async fn reader_sees_commits_of_other_processes_and_cannot_write() {
    let home = File::new();
    let error = SqliteCatalog::open_read_only(home.path()).unwrap_err();
    assert!(matches!(error, CatalogError::Open { .. }), "{error:?}");
    let writer = home.open();
    let reader = SqliteCatalog::open_read_only(home.path()).unwrap();
    assert_eq!(reader.regions().await.unwrap(), []);

    let build = build("p3.12", "requests", "2.32.5");
    writer.record_build(&build).await.unwrap();
    let version = published(&build, "eu-west-1", 1);
    writer.complete(&version, at("2027-11-01T02:00:00Z")).await.unwrap();
    assert_eq!(reader.regions().await.unwrap(), [region("eu-west-1")]);
    drop(writer);
    assert_eq!(reader.layer_versions(&Query::default()).await.unwrap(), [version]);
    let error = reader.record_build(&build).await.unwrap_err();
    assert!(matches!(error, CatalogError::Storage(_)), "{error:?}");
}

/// Passes the catalog's file to the process that the test below starts, which runs the same test.
const KILLED: &str = "KLAYERS_TEST_KILLED_WITH_CATALOG";

#[tokio::test]
async fn killed_process_leaves_publication_under_way() {
    let build = build("p3.12", "requests", "2.32.5");
    let intent = intent(&build, "eu-west-1");
    if let Some(path) = environment(KILLED) {
        let catalog = SqliteCatalog::open(path).unwrap();
        catalog.record_build(&build).await.unwrap();
        catalog.begin(&intent).await.unwrap();
        println!("begun");
        // Ends with the parent process, in case it fails to kill this one.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        unreachable!("this is killed before anything is said to it");
    }

    let home = File::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", std::thread::current().name().unwrap(), "--nocapture"])
        .env(KILLED, home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let begun = said.map(Result::unwrap).any(|line| line.ends_with("begun"));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(begun, "{status}");
    assert_eq!(status.signal(), Some(9));

    let catalog = home.open();
    assert_eq!(catalog.under_way().await.unwrap(), std::slice::from_ref(&intent));
    let error = catalog.begin(&intent).await.unwrap_err();
    assert!(matches!(error, CatalogError::UnderWay { .. }));
    let version = published(&intent.build, "eu-west-1", 1);
    catalog.complete(&version, at("2027-11-01T02:00:00Z")).await.unwrap();
    assert_eq!(catalog.under_way().await.unwrap(), []);
}

#[tokio::test]
async fn reader_leaves_no_files_behind() {
    let home = File::new();
    drop(home.open());
    let files = || std::fs::read_dir(home.0.path()).unwrap().count();
    assert_eq!(files(), 1);
    let reader = SqliteCatalog::open_read_only(home.path()).unwrap();
    assert_eq!(reader.layer_versions(&Query::default()).await.unwrap(), []);
    drop(reader);
    assert_eq!(files(), 1);
}

#[tokio::test]
async fn unreadable_record_is_named() {
    for (change, named) in [
        ("UPDATE layer_versions SET created_at = 'yesterday'", "created_at in layer_versions"),
        ("UPDATE layer_versions SET arn = 'x'", "arn in layer_versions, id 1"),
        ("UPDATE builds SET version = 'x'", "version in builds, build 1"),
        ("UPDATE builds SET dependencies = '[\"x\"]'", "dependencies in builds"),
        ("UPDATE builds SET code_size = -1", "code_size in builds"),
    ] {
        let home = File::new();
        let catalog = home.open();
        let build = build("p3.12", "requests", "2.32.5");
        catalog.record_build(&build).await.unwrap();
        let version = published(&build, "eu-west-1", 1);
        catalog.complete(&version, at("2027-11-01T02:00:00Z")).await.unwrap();
        sql(&home.path(), change);
        let error = catalog.layer_versions(&Query::default()).await.unwrap_err();
        let CatalogError::Corrupt(source) = error else { panic!("{error:?}") };
        assert!(source.to_string().contains(named), "{source}");
    }
}

#[tokio::test]
async fn damaged_file_is_an_error() {
    let home = File::new();
    let catalog = home.open();
    for number in 0..200 {
        catalog.record_build(&build("p3.12", &format!("package-{number}"), "1")).await.unwrap();
    }
    drop(catalog);
    let mut bytes = std::fs::read(home.path()).unwrap();
    let damaged = bytes.len() / 2..;
    bytes[damaged].fill(0xa5);
    std::fs::write(home.path(), bytes).unwrap();
    let error = match SqliteCatalog::open(home.path()) {
        Ok(catalog) => catalog.latest_builds(None).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, CatalogError::Corrupt(_)), "{error:?}");
}

fn sql(path: &Path, statement: &str) {
    Connection::open(path).unwrap().execute_batch(statement).unwrap();
}
