//! Answers of one kind: from memory, from the disk, from the server, in this order.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use equivalent::Equivalent;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use klayers_core::api::Route;
use klayers_core::{PackageName, Region, Target};

use crate::Error;
use crate::error::shown;
use crate::freshness::{Fields, Use, Validity};
use crate::hub::Hub;
use crate::protocol::Row;
use crate::response::{Response, Times};
use crate::transport::{Deadline, now};

/// What a question is about, whatever the spelling of the package.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key {
    target: Option<Target>,
    region: Option<Region>,
    package: Option<PackageName>,
}

/// A [`Key`] that owns nothing, to look one up with.
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

/// An answer that was found to be the one to its question.
#[derive(Debug)]
pub(crate) struct Entry<R> {
    pub(crate) rows: Arc<[R]>,
    pub(crate) validity: Validity,
    /// In the spelling that was asked for.
    route: Route,
    fields: Fields,
    times: Times,
}

/// Whether an answer that is kept and fresh will do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    Kept,
    /// One that the server confirms now. What is kept says that there is no such layer, which may
    /// have been published since.
    Confirmed,
}

/// An entry, and why there is none that is newer.
#[derive(Debug)]
pub(crate) struct Found<R> {
    pub(crate) entry: Arc<Entry<R>>,
    pub(crate) stale_because: Option<Error>,
    /// Whether the server was asked, and this is its answer.
    pub(crate) confirmed: bool,
}

impl<R> Clone for Found<R> {
    fn clone(&self) -> Self {
        Self {
            entry: Arc::clone(&self.entry),
            stale_because: self.stale_because.clone(),
            confirmed: self.confirmed,
        }
    }
}

impl<R> Found<R> {
    /// An entry that needed no question.
    fn kept(entry: Arc<Entry<R>>) -> Self {
        Self { entry, stale_because: None, confirmed: false }
    }
}

type Flight<R> = BoxFuture<'static, Result<Found<R>, Error>>;

pub(crate) struct Shelf<R> {
    memory: Option<quick_cache::sync::Cache<Key, Arc<Entry<R>>>>,
    /// The requests that are under way, by what they ask for.
    flights: Mutex<HashMap<String, WeakShared<Flight<R>>>>,
}

impl<R: Row> Shelf<R> {
    pub(crate) fn new(entries: usize) -> Self {
        Self {
            memory: (entries > 0).then(|| quick_cache::sync::Cache::new(entries)),
            flights: Mutex::default(),
        }
    }

    /// The entry in memory, if it may be used without a question.
    pub(crate) fn fresh(&self, key: &KeyRef<'_>) -> Option<Arc<Entry<R>>> {
        let entry = self.memory.as_ref()?.get(key)?;
        (entry.validity.at(now()) == Use::Fresh).then_some(entry)
    }

    /// The answer to a route. Those who ask for the same meanwhile get the same.
    pub(crate) async fn get(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        route: Route,
        wanted: Wanted,
        deadline: Deadline,
    ) -> Result<Found<R>, Error> {
        if wanted == Wanted::Kept
            && let Some(entry) = self.remembered(&route)
        {
            match entry.validity.at(now()) {
                Use::Fresh => return Ok(Found::kept(entry)),
                Use::Renew if !hub.offline => {
                    let (joined, flight) = self.flight(hub, route, wanted, deadline);
                    // Nobody waits for it.
                    if !joined {
                        tokio::spawn(flight);
                    }
                    return Ok(Found::kept(entry));
                }
                Use::Renew | Use::Ask => {}
            }
        }
        loop {
            let (joined, flight) = self.flight(hub, route.clone(), wanted, deadline);
            match flight.await {
                // Its time was that of whoever began it.
                Err(error) if joined && error.is_timeout() && !deadline.left().is_zero() => {}
                found => return found,
            }
        }
    }

    /// The entry in memory, unless it says that there is nothing under another spelling: the public
    /// server knows a package by the collection's own spelling alone.
    fn remembered(&self, route: &Route) -> Option<Arc<Entry<R>>> {
        let entry = self.memory.as_ref()?.get(&KeyRef::of(route))?;
        answers(&entry, route).then_some(entry)
    }

    /// The request that brings the answer, and whether another caller began it.
    fn flight(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        route: Route,
        wanted: Wanted,
        deadline: Deadline,
    ) -> (bool, Shared<Flight<R>>) {
        let name = match wanted {
            Wanted::Kept => route.to_string(),
            Wanted::Confirmed => format!("{route} confirmed"),
        };
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&name).and_then(WeakShared::upgrade)
            && flight.peek().is_none()
        {
            return (true, flight);
        }
        flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        let (this, hub) = (Arc::clone(self), Arc::clone(hub));
        let flight: Flight<R> =
            Box::pin(async move { this.fetch(&hub, &route, wanted, deadline).await });
        let flight = flight.shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(name, weak);
        }
        (false, flight)
    }

    async fn fetch(
        &self,
        hub: &Hub,
        route: &Route,
        wanted: Wanted,
        deadline: Deadline,
    ) -> Result<Found<R>, Error> {
        let known = newer(self.remembered(route), read(hub, route).await);
        if let Some(entry) = &known
            && (hub.offline || (wanted == Wanted::Kept && entry.validity.at(now()) == Use::Fresh))
        {
            self.remember(route, entry);
            let stale = entry.validity.at(now()) != Use::Fresh;
            let offline = || Error::Offline { url: shown(&hub.api.url(route)), kept: true };
            let stale_because = stale.then(offline);
            return Ok(Found { stale_because, ..Found::kept(Arc::clone(entry)) });
        }
        let url = hub.api.url(known.as_ref().map_or(route, |entry| &entry.route));
        if hub.offline {
            return Err(Error::Offline { url: shown(&url), kept: false });
        }
        let conditions = known.as_ref().map(|entry| entry.fields.conditions()).unwrap_or_default();
        let asked = hub.transport.get(&url, &conditions, deadline).await;
        let answer = asked.and_then(|response| understand(hub, route, known.as_deref(), response));
        match (answer, known) {
            (Ok(answer), _) => {
                let entry = Arc::new(answer.entry);
                if answer.keep {
                    self.remember(route, &entry);
                    write(hub, &entry, answer.body).await;
                } else {
                    self.forget(hub, route).await;
                }
                Ok(Found { confirmed: true, ..Found::kept(entry) })
            }
            (Err(error), Some(entry))
                if error.leaves_what_is_kept()
                    && entry.validity.stands_in(now(), hub.cache.stale_if_error) =>
            {
                self.remember(route, &entry);
                Ok(Found { stale_because: Some(error), ..Found::kept(entry) })
            }
            (Err(error), _) => Err(error),
        }
    }

    fn remember(&self, route: &Route, entry: &Arc<Entry<R>>) {
        if let Some(memory) = &self.memory {
            memory.insert(KeyRef::of(route).to_key(), Arc::clone(entry));
        }
    }

    async fn forget(&self, hub: &Hub, route: &Route) {
        if let Some(memory) = &self.memory {
            memory.remove(&KeyRef::of(route));
        }
        hub.remove(route).await;
    }
}

/// Whether an entry answers a route.
fn answers<R>(entry: &Entry<R>, route: &Route) -> bool {
    !entry.rows.is_empty() || entry.route.to_string() == route.to_string()
}

fn newer<R>(one: Option<Arc<Entry<R>>>, other: Option<Entry<R>>) -> Option<Arc<Entry<R>>> {
    match (one, other) {
        (Some(one), Some(other)) if !other.validity.is_newer_than(&one.validity) => Some(one),
        (_, Some(other)) => Some(Arc::new(other)),
        (one, None) => one,
    }
}

/// What a response says.
struct Answered<R> {
    entry: Entry<R>,
    keep: bool,
    /// None where it is the one that is kept already.
    body: Option<Vec<u8>>,
}

fn understand<R: Row>(
    hub: &Hub,
    route: &Route,
    known: Option<&Entry<R>>,
    response: Response,
) -> Result<Answered<R>, Error> {
    let (rows, fields, route) = match known {
        Some(known) if response.status == 304 => (
            Arc::clone(&known.rows),
            known.fields.confirmed_by(&response.headers),
            known.route.clone(),
        ),
        _ => {
            let rows = hub.api.rows(&response, route)?;
            let route = known.map_or(route, |entry| &entry.route).clone();
            (Arc::from(rows), Fields::new(&response.headers), route)
        }
    };
    let (keep, validity) = validity(hub, &fields, response.times, rows.is_empty());
    let (body, times) = ((response.status != 304).then_some(response.body), response.times);
    Ok(Answered { entry: Entry { rows, validity, route, fields, times }, keep, body })
}

/// Whether an answer may be kept, and for how long it may be used. That there is nothing is asked
/// again each time, whatever the server allows: what was published a second ago must be found.
fn validity(hub: &Hub, fields: &Fields, times: Times, is_empty: bool) -> (bool, Validity) {
    match Validity::new(fields, times, hub.cache.assume_fresh) {
        Some(validity) if is_empty => (true, validity.never_fresh()),
        Some(validity) => (true, validity),
        None => (false, Validity::once(times)),
    }
}

/// The answer that the disk has, checked as if the server had just sent it.
async fn read<R: Row>(hub: &Hub, route: &Route) -> Option<Entry<R>> {
    let (kept, body) = hub.read(route).await?;
    let response = Response {
        url: kept.url.parse().ok()?,
        status: 200,
        headers: reqwest::header::HeaderMap::new(),
        body,
        times: Times { sent: kept.sent, received: kept.received },
    };
    let rows = hub.api.rows(&response, route).ok()?;
    let (keep, validity) = validity(hub, &kept.fields, response.times, rows.is_empty());
    let entry = Entry {
        rows: rows.into(),
        validity,
        route: kept.route.parse().ok()?,
        fields: kept.fields,
        times: response.times,
    };
    (keep && answers(&entry, route)).then_some(entry)
}

async fn write<R>(hub: &Hub, entry: &Entry<R>, body: Option<Vec<u8>>) {
    hub.write(&entry.route, &entry.fields, entry.times, body).await;
}

impl<R> fmt::Debug for Shelf<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.memory.as_ref().map_or(0, quick_cache::sync::Cache::len);
        formatter.debug_struct("Shelf").field("kept", &kept).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn a_key_and_what_it_is_looked_up_with_are_one() {
        let hasher = std::hash::RandomState::new();
        for path in [
            "/api/v2/p3.13/layers/latest/us-east-1",
            "/api/v2/p3.13-arm64/layers/us-east-1/Pillow",
            "/api/v2/p3.13/builds/latest",
            "/api/v2/packages/requests",
            "/api/v2/targets",
        ] {
            let route: Route = path.parse().expect("a route");
            let (looked, key) = (KeyRef::of(&route), KeyRef::of(&route).to_key());
            assert!(looked.equivalent(&key));
            assert_eq!(hasher.hash_one(&looked), hasher.hash_one(&key));
        }
    }
}
