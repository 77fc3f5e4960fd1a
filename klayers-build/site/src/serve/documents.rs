//! The cached documents of a site, encoded as they are sent, until a change makes them stale.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{self, Arc, PoisonError};

use tokio::sync::Mutex;
use tracing::warn;

use self::cache::{DocumentCache, PendingRead};
use super::encoded::EncodedDocument;
use super::metrics::Metrics;
use crate::gzip::Gzip;
use crate::{
    Address, Document, ListedLayers, Rendered, empty_document, render, stale_addresses,
    static_document,
};
use klayers_catalog::{Catalog, CatalogError, Include, Listed, Query};

mod cache;

pub(super) use cache::CacheEntry;

/// The documents of a site.
///
/// A requested document is read from the catalog, encoded once and cached. A request waits only for
/// its own document, never for another. Requests for layers that the catalog does not list are
/// answered from [`ListedLayers`].
///
/// All cached documents and the listed layers show the same state of the catalog: the one after the
/// last change that [`DocumentCache`] knows. Four times a second, [`refresh`](Self::refresh) renders
/// the cached documents that newer changes make stale, and replaces all of them at once. If a document that is
/// not cached is read in the meantime, [`advance`](Self::advance) drops the stale documents first. So
/// no client sees a newer document and then an older one.
#[derive(Debug)]
pub(super) struct Documents {
    catalog: Arc<dyn Catalog>,
    cache: DocumentCache,
    /// Held while the cache moves to a later change.
    turn: Mutex<()>,
    /// The number of moves that have begun.
    begun: AtomicU64,
    /// The number of the last completed move.
    done: AtomicU64,
    /// Compressors that are not in use.
    gzips: Arc<sync::Mutex<Vec<Gzip>>>,
    metrics: Arc<Metrics>,
}

/// The largest number of reads of a document while the catalog keeps changing.
const ATTEMPTS: usize = 5;

impl Documents {
    /// Caches at most about `limit` bytes of bodies.
    pub(super) fn new(catalog: Arc<dyn Catalog>, limit: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            catalog,
            cache: DocumentCache::new(limit, Arc::clone(&metrics)),
            turn: Mutex::new(()),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
            gzips: Arc::default(),
            metrics,
        }
    }

    /// The cached document with a canonical path.
    pub(super) fn cached(&self, path: &str) -> Option<Arc<CacheEntry>> {
        self.cache.get(path)
    }

    /// The document at an address.
    ///
    /// # Errors
    ///
    /// If the document is not cached and the catalog cannot be read.
    pub(super) async fn get(&self, address: &Address) -> Result<Arc<CacheEntry>, CatalogError> {
        let path = path_of(address);
        if let Some(entry) = self.cached(&path) {
            return Ok(entry);
        }
        let static_document = static_document(address);
        if static_document.is_none() {
            // Simultaneous callers share one query of the catalog.
            self.advance().await?;
            if !self.cache.may_have_content(address)
                && let Some(document) = empty_document(address)
            {
                return Ok(Arc::new(CacheEntry::new(EncodedDocument::plain(&document))));
            }
        }
        let pending = self.cache.begin_read(&path);
        let _alone = pending.wait_for_turn().await;
        if let Some(entry) = self.cached(&path) {
            return Ok(entry);
        }
        if let Some(document) = static_document {
            let entry = self.encode(document).await?;
            self.metrics.rendered.inc();
            self.cache.insert(&path, &entry);
            return Ok(entry);
        }
        self.read(address, &path, &pending).await
    }

    /// Reads and encodes a document that depends on the catalog.
    async fn read(
        &self,
        address: &Address,
        path: &str,
        pending: &PendingRead<'_>,
    ) -> Result<Arc<CacheEntry>, CatalogError> {
        let mut attempt = 1;
        loop {
            // The cache must not be older than the document that is read next.
            self.advance().await?;
            pending.begin();
            let Rendered { document, .. } = render(address, &*self.catalog).await?;
            let entry = self.encode(document).await?;
            self.metrics.rendered.inc();
            self.advance().await?;
            if self.cache.insert_if_current(path, &entry, pending) || attempt == ATTEMPTS {
                return Ok(entry);
            }
            attempt += 1;
        }
    }

    /// Moves the cache to the catalog's latest change. Documents that the changes make stale are
    /// rendered before, and replaced at once.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read. The cached documents then stay as they are.
    pub(super) async fn refresh(&self) -> Result<(), CatalogError> {
        let Some(since) = self.cache.until() else { return self.advance().await };
        let mut until = since;
        let mut renewed = HashMap::new();
        for _ in 0..ATTEMPTS {
            let changes = self.catalog.changes(Some(until)).await?;
            let Some(layers) = changes.layers else { return self.advance().await };
            if layers.is_empty() {
                break;
            }
            for address in stale_addresses(&layers) {
                let path = path_of(&address);
                // A document without recent requests is dropped, and rendered on its next request.
                if static_document(&address).is_none() && self.cache.is_used(&path) {
                    let Rendered { document, .. } = render(&address, &*self.catalog).await?;
                    self.metrics.rendered.inc();
                    renewed.insert(path, self.encode(document).await?);
                }
            }
            // Some of these documents may already show later changes, so look for those again.
            until = changes.until;
        }
        if until == since {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        self.move_on(Renewed { documents: renewed, until }).await
    }

    /// Moves the cache to the catalog's latest change and drops the stale documents. This takes one
    /// or two queries and encodes no document.
    async fn advance(&self) -> Result<(), CatalogError> {
        let entered = self.begun.load(Ordering::SeqCst);
        let _turn = self.turn.lock().await;
        // Another caller has completed a move that began after this call.
        if self.done.load(Ordering::SeqCst) > entered {
            return Ok(());
        }
        self.move_on(Renewed::default()).await
    }

    /// Moves the cache to the catalog's latest change, and adds those renewed documents that no
    /// later change made stale. The caller must hold `turn`.
    async fn move_on(&self, renewed: Renewed) -> Result<(), CatalogError> {
        let Renewed { mut documents, until } = renewed;
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(since) = self.cache.until() else {
            self.refill().await?;
            self.done.store(number, Ordering::SeqCst);
            return Ok(());
        };
        let changes = self.catalog.changes(Some(since)).await?;
        if !documents.is_empty() {
            let later = self.catalog.changes(Some(until)).await?;
            for address in later.layers.iter().flat_map(|layers| stale_addresses(layers)) {
                documents.remove(&path_of(&address));
            }
        }
        match changes.layers {
            None => self.refill().await?,
            Some(layers) if layers.is_empty() && documents.is_empty() => {}
            Some(layers) => {
                let mut listed = Vec::with_capacity(layers.len());
                for layer in layers {
                    let is_listed = self.is_listed(&layer).await?;
                    listed.push((layer, is_listed));
                }
                self.cache.move_on(changes.until, listed, documents);
            }
        }
        self.done.store(number, Ordering::SeqCst);
        Ok(())
    }

    async fn is_listed(&self, layer: &Listed) -> Result<bool, CatalogError> {
        if layer.region.is_none() {
            return Ok(true);
        }
        let query = Query {
            target: Some(layer.target),
            region: layer.region.clone(),
            package: Some(layer.package.clone()),
            include: Include::Existing,
        };
        Ok(!self.catalog.layer_versions(&query).await?.is_empty())
    }

    /// Drops all documents and reads the listed layers again. The caller must hold `turn`.
    async fn refill(&self) -> Result<(), CatalogError> {
        let until = self.catalog.changes(None).await?.until;
        let listed = ListedLayers::new(&self.catalog.listing().await?);
        self.cache.refill(until, listed);
        Ok(())
    }

    /// Encodes a document in a thread for blocking work.
    async fn encode(&self, document: Document) -> Result<Arc<CacheEntry>, CatalogError> {
        let gzips = Arc::clone(&self.gzips);
        let encoding = tokio::task::spawn_blocking(move || {
            let free = gzips.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut gzip = free.unwrap_or_else(Gzip::new);
            let encoded = EncodedDocument::new(&document, &mut gzip);
            gzips.lock().unwrap_or_else(PoisonError::into_inner).push(gzip);
            encoded
        });
        let encoded = encoding.await.map_err(|error| {
            warn!(%error, "could not encode a document");
            CatalogError::Storage(error.into())
        })?;
        Ok(Arc::new(CacheEntry::new(encoded)))
    }
}

/// Documents rendered to replace stale ones.
#[derive(Debug, Default)]
struct Renewed {
    documents: HashMap<String, Arc<CacheEntry>>,
    /// The change up to which they are current.
    until: u64,
}

/// The key of a document in the cache: its path. All pages of packages are the same document.
fn path_of(address: &Address) -> String {
    match address {
        Address::Package(_) => "/packages/*".to_owned(),
        _ => address.to_string(),
    }
}
