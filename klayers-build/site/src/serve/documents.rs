//! What is kept of a site: its documents as they are sent, until a change makes them old.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{self, Arc, PoisonError};

use tokio::sync::Mutex;
use tracing::warn;

use self::kept::{Flight, Shelf};
use super::metrics::Metrics;
use super::prepared::Prepared;
use crate::gzip::Gzip;
use crate::{Address, Document, Places, Rendered, render, touched, unchanging, vacant};
use klayers_catalog::{Catalog, CatalogError, Include, Listed, Query};

mod kept;

pub(super) use kept::Entry;

/// The documents of a site.
///
/// A document that is asked for is read from the catalog, prepared once and kept. No document waits
/// for another: who asks for one waits for that one alone, and what the catalog does not list is
/// answered from [`Places`].
///
/// All documents and the places are of one time, that of the last change in [`Shelf`]. Four times a
/// second the kept documents that a change touches are made anew beside the old, and all of them
/// take their places at once ([`refresh`](Self::refresh)). If a document that is not kept is read in
/// the meantime, the old ones make way at once ([`advance`](Self::advance)), so that nobody sees a
/// newer document first and an older one then.
#[derive(Debug)]
pub(super) struct Documents {
    catalog: Arc<dyn Catalog>,
    shelf: Shelf,
    /// Held while the shelf is brought up to a later change.
    turn: Mutex<()>,
    /// How many times that was begun.
    begun: AtomicU64,
    /// The number of the last time that it was done.
    done: AtomicU64,
    /// Compressors that are free.
    gzips: Arc<sync::Mutex<Vec<Gzip>>>,
    metrics: Arc<Metrics>,
}

/// How often what is read is read again, when the catalog changes all the while.
const ATTEMPTS: usize = 5;

impl Documents {
    /// Keeps at most about `limit` bytes of bodies.
    pub(super) fn new(catalog: Arc<dyn Catalog>, limit: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            catalog,
            shelf: Shelf::new(limit, Arc::clone(&metrics)),
            turn: Mutex::new(()),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
            gzips: Arc::default(),
            metrics,
        }
    }

    /// A document that is kept, by the path under which it is.
    pub(super) fn kept(&self, path: &str) -> Option<Arc<Entry>> {
        self.shelf.find(path)
    }

    /// The document at an address.
    ///
    /// # Errors
    ///
    /// If it is not kept, and the catalog cannot be read.
    pub(super) async fn get(&self, address: &Address) -> Result<Arc<Entry>, CatalogError> {
        let path = path_of(address);
        if let Some(entry) = self.kept(&path) {
            return Ok(entry);
        }
        let unchanging = unchanging(address);
        if unchanging.is_none() {
            // Callers at the same time share one question to the catalog.
            self.advance().await?;
            if !self.shelf.has(address)
                && let Some(document) = vacant(address)
            {
                return Ok(Arc::new(Entry::new(Prepared::plain(&document))));
            }
        }
        let flight = self.shelf.board(&path);
        let _alone = flight.turn().await;
        if let Some(entry) = self.kept(&path) {
            return Ok(entry);
        }
        if let Some(document) = unchanging {
            let entry = self.prepare(document).await?;
            self.metrics.rendered.inc();
            self.shelf.keep(&path, &entry);
            return Ok(entry);
        }
        self.read(address, &path, &flight).await
    }

    /// Reads and prepares a document that changes.
    async fn read(
        &self,
        address: &Address,
        path: &str,
        flight: &Flight<'_>,
    ) -> Result<Arc<Entry>, CatalogError> {
        let mut attempt = 1;
        loop {
            // What is kept becomes as new as what is about to be read.
            self.advance().await?;
            flight.begin();
            let Rendered { document, .. } = render(address, &*self.catalog).await?;
            let entry = self.prepare(document).await?;
            self.metrics.rendered.inc();
            self.advance().await?;
            if self.shelf.land(path, &entry, flight) || attempt == ATTEMPTS {
                return Ok(entry);
            }
            attempt += 1;
        }
    }

    /// Brings what is kept up to date: what changes touch is made anew first.
    ///
    /// # Errors
    ///
    /// If the catalog cannot be read; what is kept stays.
    pub(super) async fn refresh(&self) -> Result<(), CatalogError> {
        let Some(since) = self.shelf.until() else { return self.advance().await };
        let mut until = since;
        let mut renewed = HashMap::new();
        for _ in 0..ATTEMPTS {
            let changes = self.catalog.changes(Some(until)).await?;
            let Some(layers) = changes.layers else { return self.advance().await };
            if layers.is_empty() {
                break;
            }
            for address in touched(&layers) {
                let path = path_of(&address);
                // What nobody asked for lately is forgotten, and made anew when somebody does.
                if unchanging(&address).is_none() && self.shelf.is_used(&path) {
                    let Rendered { document, .. } = render(&address, &*self.catalog).await?;
                    self.metrics.rendered.inc();
                    renewed.insert(path, self.prepare(document).await?);
                }
            }
            // What was read meanwhile may be of a later time in part.
            until = changes.until;
        }
        if until == since {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        self.move_on(Renewed { documents: renewed, until }).await
    }

    /// Brings what is kept up to date: what changes touched since is no longer kept. That takes a
    /// question or two to the catalog, and no document is prepared meanwhile.
    async fn advance(&self) -> Result<(), CatalogError> {
        let entered = self.begun.load(Ordering::SeqCst);
        let _turn = self.turn.lock().await;
        // Somebody did it for all who came before he began.
        if self.done.load(Ordering::SeqCst) > entered {
            return Ok(());
        }
        self.move_on(Renewed::default()).await
    }

    /// Moves the shelf to the time of the last change, with those of the renewed documents that are
    /// of that time. Whoever calls it has the turn.
    async fn move_on(&self, renewed: Renewed) -> Result<(), CatalogError> {
        let Renewed { mut documents, until } = renewed;
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(since) = self.shelf.until() else {
            self.refill().await?;
            self.done.store(number, Ordering::SeqCst);
            return Ok(());
        };
        let changes = self.catalog.changes(Some(since)).await?;
        if !documents.is_empty() {
            let later = self.catalog.changes(Some(until)).await?;
            for address in later.layers.iter().flat_map(|layers| touched(layers)) {
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
                self.shelf.move_on(changes.until, listed, documents);
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

    /// Forgets everything, and reads what is listed anew. Whoever calls it has the turn.
    async fn refill(&self) -> Result<(), CatalogError> {
        let until = self.catalog.changes(None).await?.until;
        let places = Places::new(&self.catalog.listing().await?);
        self.shelf.refill(until, places);
        Ok(())
    }

    /// Encodes in a thread where that holds up nobody.
    async fn prepare(&self, document: Document) -> Result<Arc<Entry>, CatalogError> {
        let gzips = Arc::clone(&self.gzips);
        let prepared = tokio::task::spawn_blocking(move || {
            let free = gzips.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut gzip = free.unwrap_or_else(Gzip::new);
            let prepared = Prepared::new(&document, &mut gzip);
            gzips.lock().unwrap_or_else(PoisonError::into_inner).push(gzip);
            prepared
        });
        let prepared = prepared.await.map_err(|error| {
            warn!(%error, "a document could not be encoded");
            CatalogError::Storage(error.into())
        })?;
        Ok(Arc::new(Entry::new(prepared)))
    }
}

/// Documents that were made anew beside the old.
#[derive(Debug, Default)]
struct Renewed {
    documents: HashMap<String, Arc<Entry>>,
    /// They were read after this change.
    until: u64,
}

/// The path under which a document is kept. All packages have one page.
fn path_of(address: &Address) -> String {
    match address {
        Address::Package(_) => "/packages/*".to_owned(),
        _ => address.to_string(),
    }
}
