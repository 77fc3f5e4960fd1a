//! How long an answer may be used, as [RFC 9111] and [RFC 5861] define for private caches. All
//! decisions are made from header fields and times.
//!
//! [RFC 9111]: https://www.rfc-editor.org/rfc/rfc9111
//! [RFC 5861]: https://www.rfc-editor.org/rfc/rfc5861

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::response::Times;

/// The limit of heuristic freshness, which applies if the server only sends `Last-Modified`.
const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 3_600);

/// The header fields that matter for caching.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct CacheHeaders {
    cache_control: Option<String>,
    expires: Option<String>,
    date: Option<String>,
    age: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    vary: Option<String>,
}

impl CacheHeaders {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        // Several fields of the same name form one list.
        let get = |name: HeaderName| {
            let values: Vec<&str> =
                headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        Self {
            cache_control: get(header::CACHE_CONTROL),
            expires: get(header::EXPIRES),
            date: get(header::DATE),
            age: get(header::AGE),
            etag: get(header::ETAG),
            last_modified: get(header::LAST_MODIFIED),
            vary: get(header::VARY),
        }
    }

    /// These fields, updated with the fields of a response that confirms them (304).
    pub(crate) fn updated_by(&self, newer: &HeaderMap) -> Self {
        let (old, new) = (self.clone(), Self::new(newer));
        Self {
            cache_control: new.cache_control.or(old.cache_control),
            expires: new.expires.or(old.expires),
            date: new.date,
            age: new.age,
            etag: new.etag.or(old.etag),
            last_modified: new.last_modified.or(old.last_modified),
            vary: new.vary.or(old.vary),
        }
    }

    /// The header fields of a request that asks for an answer only if it is newer than this one.
    pub(crate) fn conditions(&self) -> HeaderMap {
        let fields =
            [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.last_modified)];
        let value = |text: &Option<String>| HeaderValue::from_str(text.as_deref()?).ok();
        fields.into_iter().filter_map(|(name, text)| Some((name, value(text)?))).collect()
    }
}

/// Whether a cached answer may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Freshness {
    /// The answer may be used.
    Fresh,
    /// The answer may be used while a newer one is requested.
    StaleWhileRevalidate,
    /// The server must be asked first.
    Stale,
}

/// How long one answer may be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Validity {
    /// When the server made the answer, by the local clock.
    created: SystemTime,
    received: SystemTime,
    fresh_for: Duration,
    stale_while_revalidate: Duration,
    /// How long the server allows the stale answer if it cannot be reached; none if it does not say.
    stale_if_error: Option<Duration>,
}

impl Validity {
    /// None if the answer must not be cached. An answer without any freshness information counts as
    /// fresh for the time `assumed`.
    pub(crate) fn new(headers: &CacheHeaders, times: Times, assumed: Duration) -> Option<Self> {
        let control = Directives::new(headers.cache_control.as_deref().unwrap_or_default());
        if control.has("no-store") || varies(headers.vary.as_deref()) {
            return None;
        }
        let date = headers.date.as_deref().and_then(parse_date);
        let delay = times.received.duration_since(times.sent).unwrap_or_default();
        let stated = headers.age.as_deref().and_then(seconds).unwrap_or_default() + delay;
        let apparent = date.and_then(|date| times.received.duration_since(date).ok());
        let age = stated.max(apparent.unwrap_or_default());
        // The server must confirm the answer before each use.
        let strict = control.has("no-cache");
        let must_revalidate = strict || control.has("must-revalidate");
        let allowed = |name| if must_revalidate { None } else { control.seconds(name) };
        Some(Self {
            created: times.received.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
            received: times.received,
            fresh_for: if strict {
                Duration::ZERO
            } else {
                lifetime(headers, &control, date.unwrap_or(times.received), assumed)
            },
            stale_while_revalidate: allowed("stale-while-revalidate").unwrap_or_default(),
            stale_if_error: if must_revalidate {
                Some(Duration::ZERO)
            } else {
                allowed("stale-if-error")
            },
        })
    }

    /// The validity of an answer that is used once and not cached.
    pub(crate) fn uncached(times: Times) -> Self {
        Self {
            created: times.sent,
            received: times.received,
            fresh_for: Duration::ZERO,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Some(Duration::ZERO),
        }
    }

    /// The same validity, for an answer that must be confirmed before each use.
    pub(crate) fn never_fresh(self) -> Self {
        Self { fresh_for: Duration::ZERO, stale_while_revalidate: Duration::ZERO, ..self }
    }

    /// How long ago the answer was made.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.created).unwrap_or_default()
    }

    /// How much longer the answer is fresh.
    pub(crate) fn fresh_remaining(&self, now: SystemTime) -> Duration {
        self.fresh_for.saturating_sub(self.age(now))
    }

    pub(crate) fn at(&self, now: SystemTime) -> Freshness {
        // If the clock was set back, ages are unknown.
        if now < self.received {
            return Freshness::Stale;
        }
        let age = self.age(now);
        if age < self.fresh_for {
            Freshness::Fresh
        } else if age < self.fresh_for.saturating_add(self.stale_while_revalidate) {
            Freshness::StaleWhileRevalidate
        } else {
            Freshness::Stale
        }
    }

    /// Whether the answer may be used although the server could not be reached: for up to `limit` after
    /// it became stale, or for the shorter time that the server states.
    pub(crate) fn usable_on_error(&self, now: SystemTime, limit: Duration) -> bool {
        let allowed = self.stale_if_error.map_or(limit, |stated| stated.min(limit));
        !allowed.is_zero() && self.age(now) <= self.fresh_for.saturating_add(allowed)
    }

    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.received > other.received
    }
}

/// How long an answer is fresh, counted from its creation.
fn lifetime(
    headers: &CacheHeaders,
    control: &Directives<'_>,
    date: SystemTime,
    assumed: Duration,
) -> Duration {
    // Freshness information that cannot be parsed means not fresh.
    if control.has("max-age") {
        return control.seconds("max-age").unwrap_or_default();
    }
    if let Some(expires) = &headers.expires {
        let until = parse_date(expires).and_then(|until| until.duration_since(date).ok());
        return until.unwrap_or_default();
    }
    let changed = headers.last_modified.as_deref().and_then(parse_date);
    let unchanged = changed.and_then(|changed| date.duration_since(changed).ok());
    unchanged.map_or(assumed, |time| (time / 10).min(MAX_HEURISTIC).max(assumed))
}

/// Whether the answer depends on request fields that differ between the requests of this client.
fn varies(vary: Option<&str>) -> bool {
    const CONSTANT: [&str; 3] = ["accept", "accept-encoding", "origin"];
    let names = vary.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    names.into_iter().any(|name| !CONSTANT.iter().any(|same| name.eq_ignore_ascii_case(same)))
}

/// The directives of `Cache-Control`.
struct Directives<'a>(Vec<(&'a str, Option<&'a str>)>);

impl<'a> Directives<'a> {
    fn new(text: &'a str) -> Self {
        let directives = text.split(',').map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (part.trim(), None),
        });
        Self(directives.collect())
    }

    fn all<'b>(&'b self, wanted: &'b str) -> impl Iterator<Item = Option<&'a str>> + 'b {
        let same = move |&&(name, _): &&(&str, _)| name.eq_ignore_ascii_case(wanted);
        self.0.iter().filter(same).map(|&(_, value)| value)
    }

    fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The shortest of the stated times; none if one of them is not a number of seconds.
    fn seconds(&self, name: &str) -> Option<Duration> {
        let times: Option<Vec<Duration>> = self.all(name).map(|value| seconds(value?)).collect();
        times?.into_iter().min()
    }
}

/// Parses seconds. Larger numbers than 2^31 count as 2^31, as RFC 9111 recommends.
fn seconds(text: &str) -> Option<Duration> {
    const MAX: u64 = 1 << 31;
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(MAX).min(MAX)))
}

fn parse_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

#[cfg(test)]
mod tests;
