//! What is kept of a site: its documents as they are sent, until a change makes them old.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{self, Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Mutex;
use tracing::warn;

use super::metrics::Metrics;
use super::prepared::Prepared;
use crate::catalog::{Catalog, CatalogError};
use crate::gzip::Gzip;
use crate::site::{Address, Document, Rendered, render, touched};

/// The documents of a site.
///
/// A document that is asked for is read from the catalog, prepared once and kept. When the catalog
/// changes, the kept ones that the change touches are made anew beside the old, which are answered
/// with meanwhile; then all of them take their places at once. So what a reader sees is of one time.
#[derive(Debug)]
pub(super) struct Documents {
    catalog: Arc<dyn Catalog>,
    kept: RwLock<Kept>,
    /// Held by whoever reads the catalog. It is one file, so readers would wait anyhow; and what is
    /// read in a turn is known to be of one time if nothing changed in the meantime.
    turn: Mutex<()>,
    /// Of whoever has the turn.
    gzip: Arc<sync::Mutex<Gzip>>,
    limit: usize,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The last change that is in all documents.
    until: Option<u64>,
    /// By their paths.
    documents: HashMap<String, Arc<Entry>>,
    /// What they take together, in bytes.
    size: usize,
}

/// A document that is kept.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) prepared: Prepared,
    /// Whether it was asked for since the last look.
    used: AtomicBool,
}

/// How often what is read is read again, when the catalog changes all the while.
const ATTEMPTS: usize = 5;

impl Documents {
    /// Keeps at most about `limit` bytes of bodies.
    pub(super) fn new(catalog: Arc<dyn Catalog>, limit: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            catalog,
            kept: RwLock::default(),
            turn: Mutex::new(()),
            gzip: Arc::new(sync::Mutex::new(Gzip::new())),
            limit,
            metrics,
        }
    }

    /// A document that is kept, by the path under which it is.
    pub(super) fn kept(&self, path: &str) -> Option<Arc<Entry>> {
        let entry = self.read().documents.get(path).cloned()?;
        entry.used.store(true, Ordering::Relaxed);
        Some(entry)
    }

    /// The document at an address.
    ///
    /// # Errors
    ///
    /// If it is not kept, and the catalog cannot be read.
    pub(super) async fn get(&self, address: &Address) -> Result<Arc<Entry>, CatalogError> {
        let path = address.to_string();
        if let Some(entry) = self.kept(&path) {
            return Ok(entry);
        }
        let _turn = self.turn.lock().await;
        // What is kept becomes as new as what is about to be read, so that nobody sees a newer
        // document first and an older one then.
        self.catch_up().await?;
        if let Some(entry) = self.kept(&path) {
            return Ok(entry);
        }
        let mut attempt = 1;
        loop {
            let Rendered { document, vacant } = render(address, &*self.catalog).await?;
            let entry = self.prepare(document).await?;
            self.metrics.rendered.inc();
            let settled = self.catch_up().await?;
            if settled && !vacant {
                self.keep(path.clone(), &entry);
            }
            // Of a list that nobody knows there is nothing to keep.
            if settled || attempt == ATTEMPTS {
                return Ok(entry);
            }
            attempt += 1;
        }
    }

    /// Brings what is kept up to date.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read; what is kept stays.
    pub(super) async fn refresh(&self) -> Result<(), CatalogError> {
        let _turn = self.turn.lock().await;
        self.catch_up().await.map(drop)
    }

    /// The same for who has the turn. Says whether there was nothing to do.
    async fn catch_up(&self) -> Result<bool, CatalogError> {
        let since = self.read().until;
        let mut changes = self.catalog.changes(since).await?;
        if changes.layers.as_ref().is_some_and(Vec::is_empty) {
            return Ok(true);
        }
        let mut stale = HashSet::new();
        let mut renewed = HashMap::new();
        for _ in 0..ATTEMPTS {
            let Some(layers) = &changes.layers else {
                *self.write() = Kept { until: Some(changes.until), ..Kept::default() };
                self.measure();
                return Ok(false);
            };
            for address in touched(layers) {
                let path = address.to_string();
                let Some(entry) = self.read().documents.get(&path).cloned() else { continue };
                // What nobody asked for lately is forgotten, and made anew when somebody does.
                if entry.used.load(Ordering::Relaxed) {
                    let Rendered { document, vacant } = render(&address, &*self.catalog).await?;
                    self.metrics.rendered.inc();
                    if vacant {
                        renewed.remove(&path);
                    } else {
                        renewed.insert(path.clone(), self.prepare(document).await?);
                    }
                }
                stale.insert(path);
            }
            // What was read meanwhile may be of a later time in part.
            let later = self.catalog.changes(Some(changes.until)).await?;
            if later.layers.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
            changes = later;
        }
        let mut kept = self.write();
        for path in stale {
            kept.remove(&path);
        }
        for (path, entry) in renewed {
            kept.insert(path, entry);
        }
        kept.until = Some(changes.until);
        drop(kept);
        self.measure();
        Ok(false)
    }

    /// Encodes in a thread where that holds up nobody.
    async fn prepare(&self, document: Document) -> Result<Arc<Entry>, CatalogError> {
        let gzip = Arc::clone(&self.gzip);
        let prepared = tokio::task::spawn_blocking(move || {
            // What a panic left of the last body is forgotten with the next.
            let mut gzip = gzip.lock().unwrap_or_else(PoisonError::into_inner);
            Prepared::new(&document, &mut gzip)
        });
        let prepared = prepared.await.map_err(|error| {
            warn!(%error, "a document could not be encoded");
            CatalogError::Storage(error.into())
        })?;
        Ok(Arc::new(Entry { prepared, used: AtomicBool::new(true) }))
    }

    fn keep(&self, path: String, entry: &Arc<Entry>) {
        let mut kept = self.write();
        kept.insert(path, Arc::clone(entry));
        if kept.size > self.limit {
            // Those that were not asked for since this was done last.
            let idle: Vec<String> = kept
                .documents
                .iter()
                .filter(|(_, entry)| !entry.used.swap(false, Ordering::Relaxed))
                .map(|(path, _)| path.clone())
                .collect();
            for path in idle {
                kept.remove(&path);
            }
        }
        drop(kept);
        self.measure();
    }

    fn measure(&self) {
        let kept = self.read();
        self.metrics.documents.set(i64::try_from(kept.documents.len()).unwrap_or(i64::MAX));
        self.metrics.document_bytes.set(i64::try_from(kept.size).unwrap_or(i64::MAX));
    }

    // Nothing panics while it is held; and if it did, each entry would still be whole.
    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn insert(&mut self, path: String, entry: Arc<Entry>) {
        self.size += entry.prepared.size();
        if let Some(before) = self.documents.insert(path, entry) {
            self.size -= before.prepared.size();
        }
    }

    fn remove(&mut self, path: &str) {
        if let Some(entry) = self.documents.remove(path) {
            self.size -= entry.prepared.size();
        }
    }
}
