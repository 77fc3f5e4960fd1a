//! The documents that are kept, all of them of one time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Mutex, MutexGuard};

use super::path_of;
use crate::serve::metrics::Metrics;
use crate::serve::prepared::Prepared;
use crate::{Address, Places, touched};
use klayers_catalog::Listed;

/// A document that is kept.
#[derive(Debug)]
pub(in crate::serve) struct Entry {
    pub(in crate::serve) prepared: Prepared,
    /// Whether it was asked for since the last look.
    used: AtomicBool,
}

impl Entry {
    pub(super) fn new(prepared: Prepared) -> Self {
        Self { prepared, used: AtomicBool::new(true) }
    }
}

/// The documents that are kept, with what the catalog lists.
#[derive(Debug)]
pub(super) struct Shelf {
    kept: RwLock<Kept>,
    /// About how many bytes of bodies are kept at most.
    limit: usize,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The last change that is in all documents and in the places.
    until: Option<u64>,
    places: Places,
    /// By their paths.
    documents: HashMap<String, Arc<Entry>>,
    /// What they take together, in bytes.
    size: usize,
    /// The documents that are being read, by their paths.
    flights: HashMap<String, Arc<Reading>>,
}

/// A document that is being read.
#[derive(Debug, Default)]
struct Reading {
    /// Of those who want it one reads it, and the others wait.
    turn: Mutex<()>,
    /// Whether a change touched it since its reading began.
    is_stale: AtomicBool,
}

impl Shelf {
    pub(super) fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        Self { kept: RwLock::default(), limit, metrics }
    }

    /// The document at a path, which counts as used.
    pub(super) fn find(&self, path: &str) -> Option<Arc<Entry>> {
        let entry = self.read().documents.get(path).cloned()?;
        entry.used.store(true, Ordering::Relaxed);
        Some(entry)
    }

    /// Whether the document at a path was asked for since the last look.
    pub(super) fn is_used(&self, path: &str) -> bool {
        self.read().documents.get(path).is_some_and(|entry| entry.used.load(Ordering::Relaxed))
    }

    /// The last change that is in all documents; none before the shelf was filled.
    pub(super) fn until(&self) -> Option<u64> {
        self.read().until
    }

    /// Whether the catalog lists something for an address.
    pub(super) fn has(&self, address: &Address) -> bool {
        self.read().places.has(address)
    }

    /// Announces that the document at a path is about to be read.
    pub(super) fn board(&self, path: &str) -> Flight<'_> {
        let reading = Arc::clone(self.write().flights.entry(path.to_owned()).or_default());
        Flight { shelf: self, path: path.to_owned(), reading }
    }

    /// Keeps a document that no change touches.
    pub(super) fn keep(&self, path: &str, entry: &Arc<Entry>) {
        let mut kept = self.write();
        kept.insert(path.to_owned(), Arc::clone(entry));
        kept.make_room(self.limit);
        drop(kept);
        self.measure();
    }

    /// Keeps a document that was read, unless a change touched it since; says whether it did.
    pub(super) fn land(&self, path: &str, entry: &Arc<Entry>, flight: &Flight<'_>) -> bool {
        let mut kept = self.write();
        if flight.reading.is_stale.load(Ordering::Relaxed) {
            return false;
        }
        kept.insert(path.to_owned(), Arc::clone(entry));
        kept.make_room(self.limit);
        drop(kept);
        self.measure();
        true
    }

    /// Moves on to a later change: what changed is, or is not, listed from now on; documents that it
    /// touches are no longer kept, but for those that were renewed.
    pub(super) fn move_on(
        &self,
        until: u64,
        changed: Vec<(Listed, bool)>,
        renewed: HashMap<String, Arc<Entry>>,
    ) {
        let (layers, are_listed): (Vec<Listed>, Vec<bool>) = changed.into_iter().unzip();
        let stale: Vec<String> = touched(&layers).iter().map(path_of).collect();
        let mut kept = self.write();
        for (layer, is_listed) in layers.iter().zip(are_listed) {
            kept.places.set(layer, is_listed);
        }
        for path in stale {
            kept.remove(&path);
            if let Some(reading) = kept.flights.get(&path) {
                reading.is_stale.store(true, Ordering::Relaxed);
            }
        }
        for (path, entry) in renewed {
            kept.insert(path, entry);
        }
        kept.until = Some(until);
        drop(kept);
        self.measure();
    }

    /// Forgets all documents, since it is not known what changed.
    pub(super) fn refill(&self, until: u64, places: Places) {
        let mut kept = self.write();
        for reading in kept.flights.values() {
            reading.is_stale.store(true, Ordering::Relaxed);
        }
        let flights = std::mem::take(&mut kept.flights);
        *kept = Kept { until: Some(until), places, flights, ..Kept::default() };
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

/// That a document is being read, until this is dropped.
#[derive(Debug)]
pub(super) struct Flight<'a> {
    shelf: &'a Shelf,
    path: String,
    reading: Arc<Reading>,
}

impl Flight<'_> {
    /// Waits for the right to read it.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.reading.turn.lock().await
    }

    /// From now on it is read.
    pub(super) fn begin(&self) {
        self.reading.is_stale.store(false, Ordering::Relaxed);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        /// The shelf's and this one.
        const LAST: usize = 2;
        let mut kept = self.shelf.write();
        if Arc::strong_count(&self.reading) <= LAST {
            kept.flights.remove(&self.path);
        }
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

    /// Forgets the documents that were not asked for since this was done last, if they take more
    /// than `limit` bytes.
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
