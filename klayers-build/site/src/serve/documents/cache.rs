//! The cached documents, all of which show the same state of the catalog.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Mutex, MutexGuard};

use super::path_of;
use crate::serve::encoded::EncodedDocument;
use crate::serve::metrics::Metrics;
use crate::{Address, ListedLayers, stale_addresses};
use klayers_catalog::Listed;

/// A cached document.
#[derive(Debug)]
pub(in crate::serve) struct CacheEntry {
    pub(in crate::serve) document: EncodedDocument,
    /// Whether the document was requested since the last [`make_room`](CacheState::make_room).
    used: AtomicBool,
}

impl CacheEntry {
    pub(super) fn new(document: EncodedDocument) -> Self {
        Self { document, used: AtomicBool::new(true) }
    }
}

/// The cached documents, and the layers that the catalog lists.
#[derive(Debug)]
pub(super) struct DocumentCache {
    state: RwLock<CacheState>,
    /// The approximate limit on the bodies' total size, in bytes.
    limit: usize,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct CacheState {
    /// The last change that all documents and the listed layers include.
    until: Option<u64>,
    listed: ListedLayers,
    /// The documents, by path.
    documents: HashMap<String, Arc<CacheEntry>>,
    /// The total size of the bodies, in bytes.
    size: usize,
    /// The documents being read, by path.
    pending: HashMap<String, Arc<ReadState>>,
}

/// A document being read from the catalog.
#[derive(Debug, Default)]
struct ReadState {
    /// Held by the request that reads the document; the others wait.
    turn: Mutex<()>,
    /// Whether a change made the document stale since the read began.
    is_stale: AtomicBool,
}

impl DocumentCache {
    pub(super) fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        Self { state: RwLock::default(), limit, metrics }
    }

    /// The document at a path. Marks the document as used.
    pub(super) fn get(&self, path: &str) -> Option<Arc<CacheEntry>> {
        let entry = self.read().documents.get(path).cloned()?;
        entry.used.store(true, Ordering::Relaxed);
        Some(entry)
    }

    /// Whether the document at a path is cached and marked as used.
    pub(super) fn is_used(&self, path: &str) -> bool {
        self.read().documents.get(path).is_some_and(|entry| entry.used.load(Ordering::Relaxed))
    }

    /// The last change that all documents include; `None` before the cache is filled.
    pub(super) fn until(&self) -> Option<u64> {
        self.read().until
    }

    /// Whether the catalog lists anything for an address.
    pub(super) fn may_have_content(&self, address: &Address) -> bool {
        self.read().listed.may_have_content(address)
    }

    /// Registers a request that needs to read the document at a path.
    pub(super) fn begin_read(&self, path: &str) -> PendingRead<'_> {
        let reading = Arc::clone(self.write().pending.entry(path.to_owned()).or_default());
        PendingRead { cache: self, path: path.to_owned(), reading }
    }

    /// Adds a document that does not depend on the catalog.
    pub(super) fn insert(&self, path: &str, entry: &Arc<CacheEntry>) {
        let mut state = self.write();
        state.insert(path.to_owned(), Arc::clone(entry));
        state.make_room(self.limit);
        drop(state);
        self.update_metrics();
    }

    /// Adds a document that was read, and returns true; returns false if a change made the document
    /// stale since the read began.
    pub(super) fn insert_if_current(
        &self,
        path: &str,
        entry: &Arc<CacheEntry>,
        pending: &PendingRead<'_>,
    ) -> bool {
        let mut state = self.write();
        if pending.reading.is_stale.load(Ordering::Relaxed) {
            return false;
        }
        state.insert(path.to_owned(), Arc::clone(entry));
        state.make_room(self.limit);
        drop(state);
        self.update_metrics();
        true
    }

    /// Moves to a later change: records whether each changed layer is still listed, drops the stale
    /// documents, and adds the renewed ones.
    pub(super) fn move_on(
        &self,
        until: u64,
        changed: Vec<(Listed, bool)>,
        renewed: HashMap<String, Arc<CacheEntry>>,
    ) {
        let (layers, are_listed): (Vec<Listed>, Vec<bool>) = changed.into_iter().unzip();
        let paths: Vec<String> = stale_addresses(&layers).iter().map(path_of).collect();
        let mut state = self.write();
        for (layer, is_listed) in layers.iter().zip(are_listed) {
            state.listed.set(layer, is_listed);
        }
        for path in paths {
            state.remove(&path);
            if let Some(reading) = state.pending.get(&path) {
                reading.is_stale.store(true, Ordering::Relaxed);
            }
        }
        for (path, entry) in renewed {
            state.insert(path, entry);
        }
        state.until = Some(until);
        drop(state);
        self.update_metrics();
    }

    /// Drops all documents, because the catalog cannot tell what changed.
    pub(super) fn refill(&self, until: u64, listed: ListedLayers) {
        let mut state = self.write();
        for reading in state.pending.values() {
            reading.is_stale.store(true, Ordering::Relaxed);
        }
        let pending = std::mem::take(&mut state.pending);
        *state = CacheState { until: Some(until), listed, pending, ..CacheState::default() };
        drop(state);
        self.update_metrics();
    }

    fn update_metrics(&self) {
        let state = self.read();
        self.metrics.documents.set(i64::try_from(state.documents.len()).unwrap_or(i64::MAX));
        self.metrics.document_bytes.set(i64::try_from(state.size).unwrap_or(i64::MAX));
    }

    // No code panics while it holds the lock. Even if it did, every entry would be intact.
    fn read(&self) -> RwLockReadGuard<'_, CacheState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, CacheState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that reads a document, until this value is dropped.
#[derive(Debug)]
pub(super) struct PendingRead<'a> {
    cache: &'a DocumentCache,
    path: String,
    reading: Arc<ReadState>,
}

impl PendingRead<'_> {
    /// Waits until no other request reads the document.
    pub(super) async fn wait_for_turn(&self) -> MutexGuard<'_, ()> {
        self.reading.turn.lock().await
    }

    /// Marks the beginning of a read.
    pub(super) fn begin(&self) {
        self.reading.is_stale.store(false, Ordering::Relaxed);
    }
}

impl Drop for PendingRead<'_> {
    fn drop(&mut self) {
        /// The references of the cache and of this value.
        const LAST: usize = 2;
        let mut state = self.cache.write();
        if Arc::strong_count(&self.reading) <= LAST {
            state.pending.remove(&self.path);
        }
    }
}

impl CacheState {
    fn insert(&mut self, path: String, entry: Arc<CacheEntry>) {
        self.size += entry.document.size();
        if let Some(before) = self.documents.insert(path, entry) {
            self.size -= before.document.size();
        }
    }

    fn remove(&mut self, path: &str) {
        if let Some(entry) = self.documents.remove(path) {
            self.size -= entry.document.size();
        }
    }

    /// If the documents take more than `limit` bytes, drops those that were not requested since the
    /// last call.
    fn make_room(&mut self, limit: usize) {
        if self.size <= limit {
            return;
        }
        let idle: Vec<String> = self
            .documents
            .iter()
            .filter(|(_, entry)| !entry.used.swap(false, Ordering::Relaxed))
            .map(|(path, _)| path.clone())
            .collect();
        for path in idle {
            self.remove(&path);
        }
    }
}
