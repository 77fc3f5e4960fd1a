use std::collections::HashMap;

use klayers_core::api::{
    BuildRow, Format, LatestRow, PackageRow, RegionRow, Release, Releases, Route, TargetRow,
    VersionRow, latest_csv, latest_html,
};
use klayers_core::{Digest, LayerVersion, PackageName, Region, Target, api};
use serde::Serialize;

use super::order::oldest_first;
use super::{Address, Document, feed, list, openapi};
use crate::page;
use klayers_catalog::{Catalog, CatalogError, Include, Query};
use klayers_wheel::gate_report::{GateReport, ImportReport};

/// The result of [`render`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rendered {
    /// The document.
    pub document: Document,
    /// Whether the document is a list without rows. A server sends such a list, a static copy leaves it
    /// out: there are unlimited addresses of this kind.
    pub is_empty: bool,
}

/// Reads the document at an address.
///
/// # Errors
///
/// If the catalog cannot be read.
pub async fn render(address: &Address, catalog: &dyn Catalog) -> Result<Rendered, CatalogError> {
    if let Some(document) = static_document(address) {
        let is_empty = match address {
            Address::Package(package) => {
                catalog.layer_versions(&existing(package)).await?.is_empty()
            }
            _ => false,
        };
        return Ok(Rendered { document, is_empty });
    }
    match address {
        Address::Api(route) => render_route(route, catalog).await,
        Address::List(target) => {
            let query = Query { target: Some(*target), ..Query::default() };
            let versions = catalog.layer_versions(&query).await?;
            let document = list_document(*target, &versions);
            Ok(Rendered { document, is_empty: versions.is_empty() })
        }
        Address::Feed => {
            let feed = feed::atom(catalog).await?;
            let document = Document::new("application/atom+xml; charset=utf-8", feed);
            Ok(Rendered { document, is_empty: false })
        }
        _ => Err(CatalogError::Storage("this address has no document".into())),
    }
}

/// The document at an address, if it does not depend on the catalog. Pages do not: they read the API
/// in the browser. All pages of packages are the same document.
pub fn static_document(address: &Address) -> Option<Document> {
    let page = |html: &'static str| Document {
        policy: Some(page::CONTENT_SECURITY_POLICY),
        ..Document::new(Format::Html.content_type(), html)
    };
    match address {
        Address::OpenApi => Some(Document::new("application/json", openapi::description())),
        Address::Catalogue => Some(page(page::CATALOGUE)),
        Address::Package(_) => Some(page(page::PACKAGE)),
        Address::Asset(asset) => Some(Document::new(asset.content_type, asset.body)),
        Address::Api(_) | Address::List(_) | Address::Feed => None,
    }
}

/// The document at the address of a list without rows.
pub fn empty_document(address: &Address) -> Option<Document> {
    match address {
        Address::Api(Route::Latest { target, region, format }) => {
            latest_document(*target, region, *format, &[]).ok()
        }
        Address::Api(Route::Releases { .. }) => {
            json_document(&Releases { releases: Vec::new() }).ok()
        }
        Address::Api(_) => json_document::<[LatestRow]>(&[]).ok(),
        Address::List(target) => Some(list_document(*target, &[])),
        _ => None,
    }
}

fn list_document(target: Target, versions: &[LayerVersion]) -> Document {
    Document::new("text/markdown; charset=utf-8", list::markdown(target, versions))
}

fn latest_document(
    target: Target,
    region: &Region,
    format: Format,
    rows: &[LatestRow],
) -> Result<Document, CatalogError> {
    let body = match format {
        Format::Json => return json_document(rows),
        Format::Csv => latest_csv(rows),
        Format::Html => latest_html(target, region, rows),
    };
    Ok(Document {
        file_name: (format == Format::Csv).then(|| format!("klayers-{region}-{target}.csv")),
        policy: (format == Format::Html).then_some(PLAIN_PAGE),
        ..Document::new(format.content_type(), body)
    })
}

async fn render_route(route: &Route, catalog: &dyn Catalog) -> Result<Rendered, CatalogError> {
    match route {
        Route::Latest { target, region, format } => {
            let query =
                Query { target: Some(*target), region: Some(region.clone()), ..Query::default() };
            let versions = catalog.layer_versions(&query).await?;
            let rows: Vec<LatestRow> = versions.iter().map(LatestRow::from).collect();
            let document = latest_document(*target, region, *format, &rows)?;
            Ok(Rendered { document, is_empty: rows.is_empty() })
        }
        Route::LatestPackage { target, region, package } => {
            let query = Query {
                target: Some(*target),
                region: Some(region.clone()),
                package: Some(package.clone()),
                ..Query::default()
            };
            let versions = catalog.layer_versions(&query).await?;
            json(&versions.iter().map(LatestRow::from).collect::<Vec<LatestRow>>())
        }
        Route::Versions { target, region, package } => {
            let query =
                Query { target: Some(*target), region: Some(region.clone()), ..existing(package) };
            let versions = oldest_first(catalog.layer_versions(&query).await?);
            let rows = version_rows(&versions, catalog).await?;
            json(&rows.into_iter().map(|(_, row)| row).collect::<Vec<VersionRow>>())
        }
        Route::Releases { target, region, package } => {
            let query =
                Query { target: Some(*target), region: Some(region.clone()), ..existing(package) };
            let versions = catalog.layer_versions(&query).await?;
            let releases: Vec<Release> = versions.iter().filter_map(Release::new).collect();
            let is_empty = releases.is_empty();
            Ok(Rendered { document: json_document(&Releases { releases })?, is_empty })
        }
        Route::LatestBuilds { target } => {
            let builds = catalog.latest_builds(Some(*target)).await?;
            json(&builds.iter().map(BuildRow::from).collect::<Vec<BuildRow>>())
        }
        Route::Targets => {
            let targets = catalog.targets().await?;
            json(&targets.into_iter().map(TargetRow::from).collect::<Vec<TargetRow>>())
        }
        Route::Regions => {
            let regions = catalog.regions().await?;
            json(&regions.iter().map(RegionRow::from).collect::<Vec<RegionRow>>())
        }
        Route::Package { package } => {
            let versions = oldest_first(catalog.layer_versions(&existing(package)).await?);
            let rows = version_rows(&versions, catalog).await?;
            let rows = rows.into_iter().map(|(version, row)| PackageRow {
                package: version.build.package.clone(),
                target: version.build.target,
                version: row,
            });
            json(&rows.collect::<Vec<PackageRow>>())
        }
        _ => Err(CatalogError::Storage("this server does not know the path yet".into())),
    }
}

/// Selects all layer versions of a package that are not deleted.
fn existing(package: &PackageName) -> Query {
    Query { package: Some(package.clone()), include: Include::Existing, ..Query::default() }
}

/// The policy of HTML lists, which load nothing.
const PLAIN_PAGE: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The rows of layer versions, each with its gate report.
async fn version_rows<'a>(
    versions: &'a [LayerVersion],
    catalog: &dyn Catalog,
) -> Result<Vec<(&'a LayerVersion, VersionRow)>, CatalogError> {
    let mut gates: HashMap<Digest, Option<api::Gate>> = HashMap::new();
    let mut rows = Vec::with_capacity(versions.len());
    for version in versions {
        let content = version.build.content_digest();
        if let Some(content) = content
            && !gates.contains_key(&content)
        {
            gates.insert(content, catalog.gate_report(content).await?.as_ref().map(gate));
        }
        if let Some(row) = VersionRow::new(version) {
            let gate = content.and_then(|content| gates.get(&content).cloned().flatten());
            rows.push((version, VersionRow { gate, ..row }));
        }
    }
    Ok(rows)
}

fn gate(report: &GateReport) -> api::Gate {
    api::Gate {
        imports: match &report.imports {
            ImportReport::NotRun { .. } => api::GateImports::NotRun,
            ImportReport::Run { .. } if report.imports.failures().next().is_some() => {
                api::GateImports::Failed
            }
            ImportReport::Run { .. } => api::GateImports::Passed,
        },
        warnings: report.lines().into_iter().map(|line| line.text).collect(),
    }
}

fn json<T: Serialize>(rows: &[T]) -> Result<Rendered, CatalogError> {
    Ok(Rendered { document: json_document(rows)?, is_empty: rows.is_empty() })
}

fn json_document<T: Serialize + ?Sized>(value: &T) -> Result<Document, CatalogError> {
    let body = serde_json::to_vec(value).map_err(|error| CatalogError::Corrupt(error.into()))?;
    Ok(Document::new(Format::Json.content_type(), body))
}
