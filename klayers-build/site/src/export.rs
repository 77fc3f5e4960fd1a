//! A static copy of a site, for a web server or a content delivery network. It has the same bodies
//! under the same paths as the server.
//!
//! A copy holds a [`Manifest`] that lists its objects with their digests and header fields. An export
//! reads the manifest of the previous copy, and from the catalog only what changed since then. It
//! does not write unchanged objects again. At the end it switches readers to the new copy.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use klayers_core::PackageName;
use klayers_core::api::{Format, Route};
use tracing::info;

use crate::page::ASSETS;
use crate::{Address, Document, render, stale_addresses};
use klayers_catalog::{Catalog, CatalogError, Listed};

mod folder;
mod manifest;

pub use folder::Folder;
pub use manifest::{Manifest, Object};

/// A place that holds a copy.
#[async_trait]
pub trait Destination: std::fmt::Debug + Send {
    /// The manifest of the copy that readers see; `None` if there is no copy yet.
    async fn current(&self) -> Result<Option<Manifest>, ExportError>;

    /// Writes an object. Readers may not see it before [`switch`](Self::switch).
    async fn write(&mut self, name: &str, document: &Document) -> Result<(), ExportError>;

    /// Switches readers to the copy that `manifest` lists: the written objects, and the unchanged
    /// objects of `before`.
    async fn switch(
        &mut self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), ExportError>;
}

/// The outcome of an export.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExportSummary {
    /// The number of objects in the copy.
    pub objects: usize,
    /// The number of objects written because they are new or changed.
    pub written: usize,
    /// The total size of the written objects, in bytes.
    pub bytes: u64,
    /// The number of objects removed.
    pub removed: usize,
}

/// Updates the copy at a destination to the state of a catalog.
///
/// `origin` identifies the catalog. A copy of another catalog, or with the layout of another release,
/// is written anew.
///
/// # Errors
///
/// If the catalog cannot be read or the copy cannot be written. Readers then still see the previous
/// copy.
pub async fn export(
    catalog: &dyn Catalog,
    origin: &str,
    destination: &mut dyn Destination,
) -> Result<ExportSummary, ExportError> {
    let before = destination.current().await?;
    let usable = before
        .as_ref()
        .filter(|manifest| manifest.origin == origin && manifest.layout == Manifest::LAYOUT);
    let since = usable.map_or(0, |manifest| manifest.until);
    let mut changes = catalog.changes(Some(since)).await?;
    let partial = changes.layers.is_some() && usable.is_some();
    if changes.layers.is_none() {
        // The catalog was restored to an earlier state, so it does not know what changed.
        changes = catalog.changes(Some(0)).await?;
    }
    let layers = changes.layers.ok_or(ExportError::UnknownChanges)?;
    let objects = match usable {
        Some(manifest) if partial => manifest.objects.clone(),
        _ => BTreeMap::new(),
    };
    let (origin, layout) = (origin.to_owned(), Manifest::LAYOUT);
    let mut after = Manifest { origin, layout, until: changes.until, objects };
    let mut done = ExportSummary::default();
    let spellings = spellings(catalog, &layers).await?;
    for address in addresses(&layers) {
        let rendered = render(&address, catalog).await?;
        for name in names(&address, &spellings) {
            if rendered.is_empty {
                after.objects.remove(&name);
                continue;
            }
            let object = Object::of(&rendered.document);
            let is_there =
                before.as_ref().is_some_and(|before| before.objects.get(&name) == Some(&object));
            if !is_there {
                destination.write(&name, &rendered.document).await?;
                done.written += 1;
                done.bytes += object.size;
            }
            after.objects.insert(name, object);
        }
    }
    done.objects = after.objects.len();
    if let Some(before) = &before {
        let gone = before.objects.keys().filter(|name| !after.objects.contains_key(*name));
        done.removed = gone.count();
    }
    // The catalog may have changed during the export. The next export writes those documents, because
    // `until` was read first.
    if before.as_ref() != Some(&after) {
        destination.switch(&after, before.as_ref()).await?;
    }
    info!(objects = done.objects, written = done.written, removed = done.removed, "exported");
    Ok(done)
}

/// The stale addresses, and those that every copy has, ordered so that a document comes after the
/// documents it links to.
fn addresses(layers: &[Listed]) -> Vec<Address> {
    let mut addresses: HashSet<Address> = stale_addresses(layers);
    addresses.extend(ASSETS.iter().map(Address::Asset));
    addresses.extend([Address::OpenApi, Address::Catalogue, Address::Feed]);
    addresses.extend([Route::Targets, Route::Regions].map(Address::Api));
    let mut addresses: Vec<Address> = addresses.into_iter().collect();
    addresses.sort_by_cached_key(|address| (write_order(address), address.to_string()));
    addresses
}

fn write_order(address: &Address) -> u8 {
    match address {
        Address::Asset(_) => 0,
        Address::Api(
            Route::Versions { .. } | Route::Releases { .. } | Route::LatestPackage { .. },
        ) => 1,
        Address::Api(Route::Package { .. }) | Address::Package(_) => 2,
        Address::Api(Route::Latest { .. }) => 3,
        Address::Api(_) | Address::List(_) => 4,
        Address::OpenApi | Address::Feed | Address::Catalogue => 5,
    }
}

/// The collection's spelling of each changed package whose name is not written in its normalised form.
async fn spellings(
    catalog: &dyn Catalog,
    layers: &[Listed],
) -> Result<HashMap<PackageName, String>, CatalogError> {
    let changed: HashSet<&PackageName> = layers.iter().map(|change| &change.package).collect();
    let builds = catalog.latest_builds(None).await?;
    let names = builds.into_iter().map(|build| build.package);
    Ok(names
        .filter(|name| changed.contains(name) && name.spelling() != name.normalized())
        .map(|name| (name.clone(), name.spelling().to_owned()))
        .collect())
}

/// The names of the objects for a document: its path, and the path with the collection's spelling of
/// the package, because a static copy cannot normalise names.
fn names(address: &Address, spellings: &HashMap<PackageName, String>) -> Vec<String> {
    let mut names = vec![name(address)];
    if let Address::Api(
        Route::LatestPackage { package, .. }
        | Route::Versions { package, .. }
        | Route::Releases { package, .. }
        | Route::Package { package },
    )
    | Address::Package(package) = address
        && let Some(spelling) = spellings.get(package)
        && let Some((folder, _)) = names[0].rsplit_once('/')
    {
        names.push(format!("{folder}/{spelling}"));
    }
    names
}

/// The name of the object at an address: its path below the root, with a file name added where the
/// path is also a folder.
fn name(address: &Address) -> String {
    let path = match address {
        Address::Catalogue => "/index.html".to_owned(),
        Address::Api(Route::Latest { format: Format::Json, .. }) => format!("{address}/json"),
        _ => address.to_string(),
    };
    path.trim_start_matches('/').to_owned()
}

/// The reason why a copy was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The catalog cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The catalog does not record its changes.
    #[error(
        "the catalog is of an earlier release and does not record changes; open it once with a command \
         that writes, such as klayers-pipeline run"
    )]
    UnknownChanges,
    /// A file or folder cannot be read or written.
    #[error("could not {action} {}", path.display())]
    Io {
        /// The action, as a verb: `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The folder for the copy holds other files.
    #[error(
        "{} is not a folder that an export made; choose an empty or new folder",
        path.display()
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// A manifest cannot be read.
    #[error("could not read the manifest {location}; delete it to export everything again")]
    Manifest {
        /// The path or URL of the manifest.
        location: String,
        /// The error of the parser.
        source: serde_json::Error,
    },
    /// S3 refused the request or did not answer.
    #[error("could not {action} s3://{bucket}/{key}")]
    Bucket {
        /// The action, as a verb: `read`.
        action: &'static str,
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_after_their_paths() {
        let spelled: PackageName = "Zope.Interface".parse().unwrap();
        let spellings = HashMap::from([(spelled.clone(), spelled.spelling().to_owned())]);
        for (path, expected) in [
            ("/", &["index.html"][..]),
            ("/openapi.json", &["openapi.json"]),
            ("/api/v2/targets", &["api/v2/targets"]),
            (
                "/api/v2/p3.12/layers/latest/eu-west-1",
                &["api/v2/p3.12/layers/latest/eu-west-1/json"],
            ),
            (
                "/api/v2/p3.12/layers/latest/eu-west-1/csv",
                &["api/v2/p3.12/layers/latest/eu-west-1/csv"],
            ),
            (
                "/api/v2/p3.12/layers/eu-west-1/zope_interface",
                &[
                    "api/v2/p3.12/layers/eu-west-1/zope-interface",
                    "api/v2/p3.12/layers/eu-west-1/Zope.Interface",
                ],
            ),
            (
                "/api/v2/p3.12/layers/latest/eu-west-1/zope_interface",
                &[
                    "api/v2/p3.12/layers/latest/eu-west-1/zope-interface",
                    "api/v2/p3.12/layers/latest/eu-west-1/Zope.Interface",
                ],
            ),
            ("/packages/zope-interface", &["packages/zope-interface", "packages/Zope.Interface"]),
            ("/packages/requests", &["packages/requests"]),
        ] {
            assert_eq!(names(&path.parse().unwrap(), &spellings), expected, "{path}");
        }
    }

    #[test]
    fn documents_come_after_those_they_link_to() {
        let change = Listed {
            target: "p3.12".parse().unwrap(),
            package: "requests".parse().unwrap(),
            region: Some("eu-west-1".parse().unwrap()),
        };
        let paths: Vec<String> = addresses(&[change]).iter().map(ToString::to_string).collect();
        let at = |path: &str| paths.iter().position(|other| other == path).unwrap();
        assert!(at("/api/v2/p3.12/layers/eu-west-1/requests") < at("/api/v2/packages/requests"));
        assert!(
            at("/api/v2/packages/requests") < at("/api/v2/p3.12/layers/latest/eu-west-1"),
            "{paths:?}"
        );
        assert_eq!(paths.last().map(String::as_str), Some("/openapi.json"));
    }
}
