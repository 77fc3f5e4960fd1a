//! A static copy of a site: the same bodies under the same paths as a server has them, for a web
//! server or a content delivery network.
//!
//! A copy holds a [`Manifest`] of its objects: what is in each, and which header fields tell of it.
//! An export reads that of the copy before, and from the catalog only what changed since; objects
//! that are as they were are not written again. What readers see is switched at the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use klayers_core::PackageName;
use klayers_core::api::{Format, Route};
use tracing::info;

use crate::page::ASSETS;
use crate::{Address, Document, render, touched};
use klayers_catalog::{Catalog, CatalogError, Listed};

mod folder;
mod manifest;

pub use folder::Folder;
pub use manifest::{Manifest, Object};

/// Where a copy is kept.
#[async_trait]
pub trait Destination: std::fmt::Debug + Send {
    /// The manifest of the copy that readers see; none if there is no copy yet.
    async fn current(&self) -> Result<Option<Manifest>, ExportError>;

    /// Writes an object, which readers need not see before [`switch`](Self::switch).
    async fn write(&mut self, name: &str, document: &Document) -> Result<(), ExportError>;

    /// Shows readers the copy that the manifest tells of: what was written, and of `before` the
    /// objects that were not.
    async fn switch(
        &mut self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), ExportError>;
}

/// What an export did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Exported {
    /// How many objects the copy has.
    pub objects: usize,
    /// How many were written, since they are new or changed.
    pub written: usize,
    /// How many bytes those have.
    pub bytes: u64,
    /// How many are gone.
    pub removed: usize,
}

/// Brings the copy at a destination up to date with a catalog.
///
/// `origin` tells the catalog from others. A copy of another catalog, or of a release that laid copies
/// out otherwise, is written anew.
///
/// # Errors
///
/// If the catalog cannot be read or the copy not be written. What readers see is the copy before,
/// then.
pub async fn export(
    catalog: &dyn Catalog,
    origin: &str,
    destination: &mut dyn Destination,
) -> Result<Exported, ExportError> {
    let before = destination.current().await?;
    let usable = before
        .as_ref()
        .filter(|manifest| manifest.origin == origin && manifest.layout == Manifest::LAYOUT);
    let since = usable.map_or(0, |manifest| manifest.until);
    let mut changes = catalog.changes(Some(since)).await?;
    let partial = changes.layers.is_some() && usable.is_some();
    if changes.layers.is_none() {
        // The catalog was set back to an earlier state; what came since is not known.
        changes = catalog.changes(Some(0)).await?;
    }
    let layers = changes.layers.ok_or(ExportError::UnknownChanges)?;
    let objects = match usable {
        Some(manifest) if partial => manifest.objects.clone(),
        _ => BTreeMap::new(),
    };
    let (origin, layout) = (origin.to_owned(), Manifest::LAYOUT);
    let mut after = Manifest { origin, layout, until: changes.until, objects };
    let mut done = Exported::default();
    let spellings = spellings(catalog, &layers).await?;
    for address in addresses(&layers) {
        let rendered = render(&address, catalog).await?;
        for name in names(&address, &spellings) {
            if rendered.vacant {
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
    // While it was read the catalog may have changed; what that touched is written next time, since
    // the number is that from before.
    if before.as_ref() != Some(&after) {
        destination.switch(&after, before.as_ref()).await?;
    }
    info!(objects = done.objects, written = done.written, removed = done.removed, "exported");
    Ok(done)
}

/// What changes made old, and what is the same in every copy of this release; in an order in which
/// what is referred to comes first.
fn addresses(layers: &[Listed]) -> Vec<Address> {
    let mut addresses: HashSet<Address> = touched(layers);
    addresses.extend(ASSETS.iter().map(Address::Asset));
    addresses.extend([Address::OpenApi, Address::Catalogue, Address::Feed]);
    addresses.extend([Route::Targets, Route::Regions].map(Address::Api));
    let mut addresses: Vec<Address> = addresses.into_iter().collect();
    addresses.sort_by_cached_key(|address| (place(address), address.to_string()));
    addresses
}

fn place(address: &Address) -> u8 {
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

/// How the collection spells the packages whose names are not spelled as they are normalised.
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

/// The names of the objects in which a document stands: its path, and a second time the path with
/// the package spelled as the collection does, since a file has no other spellings.
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

/// The name of the object at an address: its path below the root, but where that is a folder.
fn name(address: &Address) -> String {
    let path = match address {
        Address::Catalogue => "/index.html".to_owned(),
        Address::Api(Route::Latest { format: Format::Json, .. }) => format!("{address}/json"),
        _ => address.to_string(),
    };
    path.trim_start_matches('/').to_owned()
}

/// Why a copy was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The catalog cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The catalog does not count its changes.
    #[error(
        "the catalog is of an earlier release, which does not say what changed; let a command that \
         writes open it once, as klayers-pipeline run"
    )]
    UnknownChanges,
    /// A file or folder cannot be read or written.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// There is something else where the copy is to be.
    #[error(
        "{} is not a folder that an export made; name an empty or a new one",
        path.display()
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// A manifest cannot be read.
    #[error("the manifest {location} cannot be read; delete it, and all is exported again")]
    Manifest {
        /// Where it is.
        location: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// S3 refused or did not answer.
    #[error("could not {action} s3://{bucket}/{key}")]
    Bucket {
        /// What was tried.
        action: &'static str,
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_stand_at_their_paths() {
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
    fn lists_come_after_what_they_lead_to() {
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
