//! Looks up answers of one kind: in memory, then in the cache folder, then from the server.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use equivalent::Equivalent;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use klayers_core::api::Route;
use klayers_core::{PackageName, Region, Target};

use crate::Error;
use crate::backend::Backend;
use crate::clock::{Deadline, now};
use crate::display::without_login;
use crate::freshness::{CacheHeaders, Freshness, Validity};
use crate::protocol::Row;
use crate::response::{Response, Times};

/// The subject of a question. All spellings of a package have the same key.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key {
    target: Option<Target>,
    region: Option<Region>,
    package: Option<PackageName>,
}

/// A borrowed [`Key`], for lookups.
#[derive(Hash)]
pub(crate) struct KeyRef<'a> {
    pub(crate) target: Option<Target>,
    pub(crate) region: Option<&'a Region>,
    pub(crate) package: Option<&'a PackageName>,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.target == key.target
            && self.region == key.region.as_ref()
            && self.package == key.package.as_ref()
    }
}

impl KeyRef<'_> {
    fn of(route: &Route) -> KeyRef<'_> {
        let (target, region, package) = match route {
            Route::Latest { target, region, .. } => (Some(*target), Some(region), None),
            Route::Versions { target, region, package } => {
                (Some(*target), Some(region), Some(package))
            }
            Route::LatestBuilds { target } => (Some(*target), None, None),
            Route::Package { package } => (None, None, Some(package)),
            _ => (None, None, None),
        };
        KeyRef { target, region, package }
    }

    fn to_key(&self) -> Key {
        Key { target: self.target, region: self.region.cloned(), package: self.package.cloned() }
    }
}

/// An answer that was checked to match its question.
#[derive(Debug)]
pub(crate) struct Entry<R> {
    pub(crate) rows: Arc<[R]>,
    pub(crate) validity: Validity,
    /// The route that was requested, in the caller's spelling of the package.
    route: Route,
    headers: CacheHeaders,
    times: Times,
}

/// Whether a cached answer is good enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CacheUse {
    /// A fresh cached answer is good enough.
    Allowed,
    /// The server must confirm the answer. The cached answer says that a layer does not exist, but
    /// the layer may have been published meanwhile.
    Revalidate,
}

/// The result of a lookup.
#[derive(Debug)]
pub(crate) struct Lookup<R> {
    pub(crate) entry: Arc<Entry<R>>,
    /// Why the entry is stale, if it is.
    pub(crate) stale_because: Option<Error>,
    /// Whether the server gave or confirmed this answer in this lookup.
    pub(crate) confirmed: bool,
}

impl<R> Clone for Lookup<R> {
    fn clone(&self) -> Self {
        Self {
            entry: Arc::clone(&self.entry),
            stale_because: self.stale_because.clone(),
            confirmed: self.confirmed,
        }
    }
}

impl<R> Lookup<R> {
    /// A lookup that was answered from the cache.
    fn cached(entry: Arc<Entry<R>>) -> Self {
        Self { entry, stale_because: None, confirmed: false }
    }
}

/// A request that is under way.
type Request<R> = BoxFuture<'static, Result<Lookup<R>, Error>>;

pub(crate) struct AnswerCache<R> {
    memory: Option<quick_cache::sync::Cache<Key, Arc<Entry<R>>>>,
    /// The requests that are under way, by the route and the use of the cache.
    pending: Mutex<HashMap<String, WeakShared<Request<R>>>>,
}

impl<R: Row> AnswerCache<R> {
    pub(crate) fn new(entries: usize) -> Self {
        Self {
            memory: (entries > 0).then(|| quick_cache::sync::Cache::new(entries)),
            pending: Mutex::default(),
        }
    }

    /// The entry in memory, if it is fresh.
    pub(crate) fn fresh(&self, key: &KeyRef<'_>) -> Option<Arc<Entry<R>>> {
        let entry = self.memory.as_ref()?.get(key)?;
        (entry.validity.at(now()) == Freshness::Fresh).then_some(entry)
    }

    /// Looks up the answer to a route. Simultaneous callers with the same route share one request.
    pub(crate) async fn get(
        self: &Arc<Self>,
        backend: &Arc<Backend>,
        route: Route,
        cache_use: CacheUse,
        deadline: Deadline,
    ) -> Result<Lookup<R>, Error> {
        if cache_use == CacheUse::Allowed
            && let Some(entry) = self.in_memory(&route)
        {
            match entry.validity.at(now()) {
                Freshness::Fresh => return Ok(Lookup::cached(entry)),
                Freshness::StaleWhileRevalidate if !backend.offline => {
                    let (joined, request) = self.request(backend, route, cache_use, deadline);
                    // The request runs in the background.
                    if !joined {
                        tokio::spawn(request);
                    }
                    return Ok(Lookup::cached(entry));
                }
                Freshness::StaleWhileRevalidate | Freshness::Stale => {}
            }
        }
        loop {
            let (joined, request) = self.request(backend, route.clone(), cache_use, deadline);
            match request.await {
                // The request ran out of the time of the caller that started it.
                Err(error) if joined && error.is_timeout() && !deadline.left().is_zero() => {}
                result => return result,
            }
        }
    }

    /// The entry in memory. An empty list for another spelling does not count: the public server only
    /// knows the collection's spelling of a package.
    fn in_memory(&self, route: &Route) -> Option<Arc<Entry<R>>> {
        let entry = self.memory.as_ref()?.get(&KeyRef::of(route))?;
        answers(&entry, route).then_some(entry)
    }

    /// The request for the answer, and whether another caller started it.
    fn request(
        self: &Arc<Self>,
        backend: &Arc<Backend>,
        route: Route,
        cache_use: CacheUse,
        deadline: Deadline,
    ) -> (bool, Shared<Request<R>>) {
        let name = match cache_use {
            CacheUse::Allowed => route.to_string(),
            CacheUse::Revalidate => format!("{route} confirmed"),
        };
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(request) = pending.get(&name).and_then(WeakShared::upgrade)
            && request.peek().is_none()
        {
            return (true, request);
        }
        pending.retain(|_, weak| weak.upgrade().is_some_and(|request| request.peek().is_none()));
        let (this, backend) = (Arc::clone(self), Arc::clone(backend));
        let request: Request<R> =
            Box::pin(async move { this.fetch(&backend, &route, cache_use, deadline).await });
        let request = request.shared();
        if let Some(weak) = request.downgrade() {
            pending.insert(name, weak);
        }
        (false, request)
    }

    /// Gets the answer from the cache folder or from the server, and caches it.
    async fn fetch(
        &self,
        backend: &Backend,
        route: &Route,
        cache_use: CacheUse,
        deadline: Deadline,
    ) -> Result<Lookup<R>, Error> {
        let cached = newer(self.in_memory(route), read(backend, route).await);
        if let Some(entry) = &cached
            && (backend.offline
                || (cache_use == CacheUse::Allowed && entry.validity.at(now()) == Freshness::Fresh))
        {
            self.store_in_memory(route, entry);
            let stale = entry.validity.at(now()) != Freshness::Fresh;
            let offline =
                || Error::Offline { url: without_login(&backend.api.url(route)), cached: true };
            let stale_because = stale.then(offline);
            return Ok(Lookup { stale_because, ..Lookup::cached(Arc::clone(entry)) });
        }
        let url = backend.api.url(cached.as_ref().map_or(route, |entry| &entry.route));
        if backend.offline {
            return Err(Error::Offline { url: without_login(&url), cached: false });
        }
        let conditions =
            cached.as_ref().map(|entry| entry.headers.conditions()).unwrap_or_default();
        let response = backend.transport.get(&url, &conditions, deadline).await;
        let answer =
            response.and_then(|response| parse(backend, route, cached.as_deref(), response));
        match (answer, cached) {
            (Ok(answer), _) => {
                let entry = Arc::new(answer.entry);
                if answer.cacheable {
                    self.store_in_memory(route, &entry);
                    write(backend, &entry, answer.body).await;
                } else {
                    self.remove(backend, route).await;
                }
                Ok(Lookup { confirmed: true, ..Lookup::cached(entry) })
            }
            (Err(error), Some(entry))
                if error.allows_stale_answer()
                    && entry.validity.usable_on_error(now(), backend.cache.stale_if_error) =>
            {
                self.store_in_memory(route, &entry);
                Ok(Lookup { stale_because: Some(error), ..Lookup::cached(entry) })
            }
            (Err(error), _) => Err(error),
        }
    }

    fn store_in_memory(&self, route: &Route, entry: &Arc<Entry<R>>) {
        if let Some(memory) = &self.memory {
            memory.insert(KeyRef::of(route).to_key(), Arc::clone(entry));
        }
    }

    async fn remove(&self, backend: &Backend, route: &Route) {
        if let Some(memory) = &self.memory {
            memory.remove(&KeyRef::of(route));
        }
        backend.remove(route).await;
    }
}

/// Whether an entry answers a route. An empty list only answers the exact spelling.
fn answers<R>(entry: &Entry<R>, route: &Route) -> bool {
    !entry.rows.is_empty() || entry.route.to_string() == route.to_string()
}

/// The entry that was received last.
fn newer<R>(one: Option<Arc<Entry<R>>>, other: Option<Entry<R>>) -> Option<Arc<Entry<R>>> {
    match (one, other) {
        (Some(one), Some(other)) if !other.validity.is_newer_than(&one.validity) => Some(one),
        (_, Some(other)) => Some(Arc::new(other)),
        (one, None) => one,
    }
}

/// A parsed response.
struct ParsedAnswer<R> {
    entry: Entry<R>,
    cacheable: bool,
    /// None if the server confirmed the cached body.
    body: Option<Vec<u8>>,
}

fn parse<R: Row>(
    backend: &Backend,
    route: &Route,
    cached: Option<&Entry<R>>,
    response: Response,
) -> Result<ParsedAnswer<R>, Error> {
    let (rows, headers, route) = match cached {
        Some(cached) if response.status == 304 => (
            Arc::clone(&cached.rows),
            cached.headers.updated_by(&response.headers),
            cached.route.clone(),
        ),
        _ => {
            let rows = backend.api.rows(&response, route)?;
            let route = cached.map_or(route, |entry| &entry.route).clone();
            (Arc::from(rows), CacheHeaders::new(&response.headers), route)
        }
    };
    let (cacheable, validity) = validity(backend, &headers, response.times, rows.is_empty());
    let (body, times) = ((response.status != 304).then_some(response.body), response.times);
    Ok(ParsedAnswer { entry: Entry { rows, validity, route, headers, times }, cacheable, body })
}

/// Whether an answer may be cached, and how long it may be used. An empty list is never fresh,
/// whatever the server allows: a layer that was published a second ago must be found.
fn validity(
    backend: &Backend,
    headers: &CacheHeaders,
    times: Times,
    is_empty: bool,
) -> (bool, Validity) {
    match Validity::new(headers, times, backend.cache.assume_fresh) {
        Some(validity) if is_empty => (true, validity.never_fresh()),
        Some(validity) => (true, validity),
        None => (false, Validity::uncached(times)),
    }
}

/// Reads the answer from the cache folder. It is checked in the same way as a response.
async fn read<R: Row>(backend: &Backend, route: &Route) -> Option<Entry<R>> {
    let (cached, body) = backend.read(route).await?;
    let response = Response {
        url: cached.url.parse().ok()?,
        status: 200,
        headers: reqwest::header::HeaderMap::new(),
        body,
        times: Times { sent: cached.sent, received: cached.received },
    };
    let rows = backend.api.rows(&response, route).ok()?;
    let (cacheable, validity) = validity(backend, &cached.headers, response.times, rows.is_empty());
    let entry = Entry {
        rows: rows.into(),
        validity,
        route: cached.route.parse().ok()?,
        headers: cached.headers,
        times: response.times,
    };
    (cacheable && answers(&entry, route)).then_some(entry)
}

async fn write<R>(backend: &Backend, entry: &Entry<R>, body: Option<Vec<u8>>) {
    backend.write(&entry.route, &entry.headers, entry.times, body).await;
}

impl<R> fmt::Debug for AnswerCache<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.memory.as_ref().map_or(0, quick_cache::sync::Cache::len);
        formatter.debug_struct("AnswerCache").field("entries", &entries).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn borrowed_key_equals_and_hashes_like_its_key() {
        let hasher = std::hash::RandomState::new();
        for path in [
            "/api/v2/p3.13/layers/latest/us-east-1",
            "/api/v2/p3.13-arm64/layers/us-east-1/Pillow",
            "/api/v2/p3.13/builds/latest",
            "/api/v2/packages/requests",
            "/api/v2/targets",
        ] {
            let route: Route = path.parse().expect("a route");
            let (borrowed, key) = (KeyRef::of(&route), KeyRef::of(&route).to_key());
            assert!(borrowed.equivalent(&key));
            assert_eq!(hasher.hash_one(&borrowed), hasher.hash_one(&key));
        }
    }
}
