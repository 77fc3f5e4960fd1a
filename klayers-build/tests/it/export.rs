//! Static copies of a site.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::Request;
use klayers_catalog::{Catalog as _, SqliteCatalog};
use klayers_core::{Build, Yank};
use klayers_site::export::{
    Destination as _, ExportError, ExportSummary, Folder, Manifest, export,
};
use klayers_site::serve::Site;
use tempfile::TempDir;

use crate::samples::{arn, at, build, published};

mod command;
mod nginx;

fn is_compressed(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "gz")
}

/// A catalog, and a folder for copies of it.
struct Collection {
    folder: TempDir,
    catalog: Arc<SqliteCatalog>,
}

impl Collection {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Arc::new(SqliteCatalog::open(folder.path().join("klayers.db")).unwrap());
        let collection = Self { folder, catalog };
        for region in ["eu-west-1", "us-east-1"] {
            for target in ["p3.12", "p3.13-arm64"] {
                for (name, number) in [("requests", 1), ("Zope.Interface", 7), ("requests", 2)] {
                    let version = format!("{number}.0");
                    collection.publish(&build(target, name, &version), region, number).await;
                }
            }
        }
        // A list long enough to be compressed, with hostile licences.
        for number in 0..30 {
            let license = "=cmd|'/c calc'!A0 <script>alert(1)</script>\r\n\u{202e}".to_owned();
            let name = format!("package-{number}");
            let odd = Build { license: Some(license), ..build("p3.12", &name, "1.0") };
            collection.publish(&odd, "eu-west-1", 1).await;
        }
        collection
    }

    async fn publish(&self, build: &Build, region: &str, number: u64) {
        self.catalog.record_build(build).await.unwrap();
        let version = published(build, region, number);
        self.catalog.complete(&version, at("2027-11-01T02:00:00Z")).await.unwrap();
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn shown(&self) -> PathBuf {
        self.out().join("current")
    }

    async fn export(&self) -> ExportSummary {
        self.try_export("this catalog").await.unwrap()
    }

    async fn try_export(&self, origin: &str) -> Result<ExportSummary, ExportError> {
        export(&*self.catalog, origin, &mut Folder::new(self.out())?).await
    }

    async fn manifest(&self) -> Manifest {
        Folder::new(self.out()).unwrap().current().await.unwrap().unwrap()
    }
}

/// The files below a folder by relative path, with their inode numbers.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::metadata(&path).unwrap().ino());
            }
        }
    }
    found
}

/// The server's path for the document in an object.
fn path(name: &str) -> String {
    match name {
        "index.html" => "/".to_owned(),
        _ => format!("/{name}"),
    }
}

#[tokio::test]
async fn copy_has_the_bodies_of_the_server_at_all_paths() {
    let collection = Collection::new().await;
    let done = collection.export().await;
    let manifest = collection.manifest().await;
    assert_eq!(done.objects, manifest.objects.len());
    assert_eq!(done.written, done.objects);
    for name in [
        "index.html",
        "assets/klayers.css",
        "openapi.json",
        "feed.atom",
        "lists/p3.13-arm64.md",
        "packages/requests",
        "packages/Zope.Interface",
        "api/v2/targets",
        "api/v2/regions",
        "api/v2/packages/zope-interface",
        "api/v2/p3.12/builds/latest",
        "api/v2/p3.12/layers/latest/eu-west-1/json",
        "api/v2/p3.12/layers/latest/eu-west-1/csv",
        "api/v2/p3.12/layers/eu-west-1/Zope.Interface",
        "api/v2/p3.12/renovate/us-east-1/requests",
    ] {
        assert!(manifest.objects.contains_key(name), "{name}");
    }
    let site = Site::new(Arc::clone(&collection.catalog) as _, 1 << 30);
    for (name, object) in &manifest.objects {
        let request = Request::get(path(name)).body(()).unwrap();
        let answer = site.answer(&request).await;
        assert_eq!(answer.status(), 200, "{name}");
        for (field, value) in &object.headers {
            assert_eq!(answer.headers()[field], value.as_str(), "{name}");
        }
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert_eq!(body, fs::read(collection.shown().join(name)).unwrap(), "{name}");
        assert_eq!(body.len() as u64, object.size);
    }
    let long = collection.shown().join("api/v2/p3.12/layers/latest/eu-west-1/json");
    let mut plain = String::new();
    let compressed = fs::File::open(format!("{}.gz", long.display())).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(compressed), &mut plain)
        .unwrap();
    assert_eq!(plain, fs::read_to_string(long).unwrap());
}

#[tokio::test]
async fn only_changed_objects_are_written_again() {
    let collection = Collection::new().await;
    collection.export().await;
    let (before, first) = (files(&collection.shown()), fs::read_link(collection.shown()).unwrap());

    let nothing = collection.export().await;
    assert_eq!((nothing.written, nothing.removed), (0, 0));
    assert_eq!(
        fs::read_link(collection.shown()).unwrap(),
        first,
        "an export without changes switches nothing"
    );

    collection.publish(&build("p3.12", "requests", "3.0"), "eu-west-1", 3).await;
    let done = collection.export().await;
    let after = files(&collection.shown());
    let mut rewritten: Vec<&str> = after
        .iter()
        .filter(|(name, file)| before.get(*name) != Some(file) && !is_compressed(name))
        .map(|(name, _)| name.as_str())
        .collect();
    rewritten.retain(|name| *name != Manifest::NAME);
    assert_eq!(
        rewritten,
        [
            "api/v2/p3.12/builds/latest",
            "api/v2/p3.12/layers/eu-west-1/requests",
            "api/v2/p3.12/layers/latest/eu-west-1/csv",
            "api/v2/p3.12/layers/latest/eu-west-1/html",
            "api/v2/p3.12/layers/latest/eu-west-1/json",
            "api/v2/p3.12/layers/latest/eu-west-1/requests",
            "api/v2/p3.12/renovate/eu-west-1/requests",
            "api/v2/packages/requests",
            "feed.atom",
        ]
    );
    assert_eq!(done.written, rewritten.len());
    assert_eq!(done.objects, after.keys().filter(|name| !is_compressed(name)).count() - 1);
}

#[tokio::test]
async fn copy_of_an_earlier_release_gets_its_missing_objects() {
    let collection = Collection::new().await;
    collection.export().await;
    let shown = collection.shown();
    // A copy by a release that had no lists of one package.
    let mut manifest = collection.manifest().await;
    manifest.layout = 0;
    let name = "api/v2/p3.12/layers/latest/eu-west-1/requests";
    manifest.objects.remove(name).unwrap();
    fs::remove_file(shown.join(name)).unwrap();
    fs::write(shown.join(Manifest::NAME), manifest.to_json()).unwrap();
    let done = collection.export().await;
    assert_eq!(done.written, 1);
    assert!(collection.shown().join(name).exists());
}

#[tokio::test]
async fn objects_of_deleted_layers_are_removed() {
    let collection = Collection::new().await;
    collection.export().await;
    let name = "api/v2/p3.12/layers/us-east-1/Zope.Interface";
    assert!(collection.shown().join(name).exists());
    let lost = arn(&build("p3.12", "Zope.Interface", "7.0"), "us-east-1", 7);
    collection.catalog.record_loss(&lost, at("2026-11-20T10:00:00Z")).await.unwrap();
    let done = collection.export().await;
    assert_eq!(done.removed, 6, "versions, releases and the latest, each in two spellings");
    assert!(!collection.shown().join(name).exists());
    assert!(!collection.manifest().await.objects.contains_key(name));
    assert!(collection.shown().join("api/v2/p3.12/layers/eu-west-1/zope-interface").exists());
}

#[tokio::test]
async fn previous_copy_stays_readable_until_the_next_export() {
    let collection = Collection::new().await;
    collection.export().await;
    let list = "api/v2/p3.12/layers/latest/eu-west-1/json";
    let reading = collection.shown().canonicalize().unwrap();
    let before = fs::read(reading.join(list)).unwrap();
    collection.publish(&build("p3.12", "requests", "3.0"), "eu-west-1", 3).await;
    collection.export().await;
    assert_eq!(fs::read(reading.join(list)).unwrap(), before);
    assert_ne!(fs::read(collection.shown().join(list)).unwrap(), before);
    let yank = Yank { reason: "it leaks".to_owned(), at: at("2026-11-20T10:00:00Z") };
    let latest = arn(&build("p3.12", "requests", "3.0"), "eu-west-1", 3);
    collection.catalog.yank(&latest, &yank, at("2027-11-20T10:00:00Z")).await.unwrap();
    collection.export().await;
    assert!(!reading.exists(), "the copy is deleted two exports later");
    assert_eq!(fs::read_dir(collection.out().join("copies")).unwrap().count(), 2);
}

#[tokio::test]
async fn copy_of_another_catalog_is_written_anew() {
    let collection = Collection::new().await;
    collection.export().await;
    let other = Collection::new().await;
    other.publish(&build("p3.12", "numpy", "3.0"), "eu-west-1", 3).await;
    let mut folder = Folder::new(collection.out()).unwrap();
    let done = export(&*other.catalog, "another catalog", &mut folder).await.unwrap();
    assert!(
        done.written > 0 && done.written < done.objects,
        "unchanged objects are kept: {done:?}"
    );
    let names: Vec<String> = collection.manifest().await.objects.into_keys().collect();
    other.export().await;
    let expected: Vec<String> = other.manifest().await.objects.into_keys().collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn interrupted_export_leaves_the_copy_and_its_rest_is_removed() {
    let collection = Collection::new().await;
    collection.export().await;
    let before = files(&collection.shown());
    // As if the process was killed while writing, and between two steps of the switch.
    let copies = collection.out().join("copies");
    fs::create_dir(copies.join("partial-killed")).unwrap();
    fs::create_dir(copies.join("2")).unwrap();
    fs::write(copies.join("2/rest"), "").unwrap();
    std::os::unix::fs::symlink("copies/2", copies.join("next")).unwrap();
    assert_eq!(files(&collection.shown()), before);
    collection.publish(&build("p3.12", "requests", "3.0"), "eu-west-1", 3).await;
    collection.export().await;
    let mut left: Vec<_> =
        fs::read_dir(copies).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["1", "2"]);
    assert!(!collection.shown().join("rest").exists());
}

#[tokio::test]
async fn folder_with_other_files_is_refused() {
    let collection = Collection::new().await;
    let out = collection.out();
    fs::create_dir(&out).unwrap();
    fs::write(out.join("precious"), "x").unwrap();
    let error = collection.try_export("this catalog").await.unwrap_err();
    assert!(matches!(&error, ExportError::NotOurs { path } if *path == out), "{error}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);

    fs::remove_file(out.join("precious")).unwrap();
    collection.export().await;
    let manifest = collection.shown().join(Manifest::NAME);
    fs::write(&manifest, "{").unwrap();
    let error = collection.try_export("this catalog").await.unwrap_err();
    assert!(error.to_string().contains(manifest.to_str().unwrap()), "{error}");
    fs::remove_file(&manifest).unwrap();
    let done = collection.export().await;
    assert_eq!(done.written, done.objects);
}
