//! How long an answer may be used: HTTP caching as [RFC 9111] and [RFC 5861] say, for the cache of
//! one user. Header fields and times in, decisions out.
//!
//! [RFC 9111]: https://www.rfc-editor.org/rfc/rfc9111
//! [RFC 5861]: https://www.rfc-editor.org/rfc/rfc5861

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::response::Times;

/// The longest freshness that is guessed where a server tells when the list last changed and
/// nothing else.
const LONGEST_GUESS: Duration = Duration::from_hours(24);

/// The header fields that caching looks at.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fields {
    cache_control: Option<String>,
    expires: Option<String>,
    date: Option<String>,
    age: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    vary: Option<String>,
}

impl Fields {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        // Several fields of one name are one list.
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

    /// These fields, brought up to date by those of an answer that confirms them (304).
    pub(crate) fn confirmed_by(&self, newer: &HeaderMap) -> Self {
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

    /// What makes a request one for a newer answer than the one with these fields.
    pub(crate) fn conditions(&self) -> HeaderMap {
        let fields =
            [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.last_modified)];
        let value = |text: &Option<String>| HeaderValue::from_str(text.as_deref()?).ok();
        fields.into_iter().filter_map(|(name, text)| Some((name, value(text)?))).collect()
    }
}

/// What may be done with an answer that is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Use {
    /// It may be used.
    Fresh,
    /// It may be used while a newer one is asked for.
    Renew,
    /// The server has to be asked first.
    Ask,
}

/// For how long one answer may be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Validity {
    /// When it was made, by our own clock.
    made: SystemTime,
    received: SystemTime,
    fresh_for: Duration,
    renewable_for: Duration,
    /// What the server allows where it cannot be asked; none if it does not say.
    on_error_for: Option<Duration>,
}

impl Validity {
    /// None if the answer may not be kept. What says nothing of its freshness counts as fresh for
    /// the time `assumed`.
    pub(crate) fn new(fields: &Fields, times: Times, assumed: Duration) -> Option<Self> {
        let control = Directives::new(fields.cache_control.as_deref().unwrap_or_default());
        if control.has("no-store") || varies(fields.vary.as_deref()) {
            return None;
        }
        let date = fields.date.as_deref().and_then(parse_date);
        let delay = times.received.duration_since(times.sent).unwrap_or_default();
        let stated = fields.age.as_deref().and_then(seconds).unwrap_or_default() + delay;
        let apparent = date.and_then(|date| times.received.duration_since(date).ok());
        let age = stated.max(apparent.unwrap_or_default());
        // Used only after the server was asked, each time.
        let strict = control.has("no-cache");
        let bound = strict || control.has("must-revalidate");
        let allowed = |name| if bound { None } else { control.seconds(name) };
        Some(Self {
            made: times.received.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
            received: times.received,
            fresh_for: if strict {
                Duration::ZERO
            } else {
                lifetime(fields, &control, date.unwrap_or(times.received), assumed)
            },
            renewable_for: allowed("stale-while-revalidate").unwrap_or_default(),
            on_error_for: if bound { Some(Duration::ZERO) } else { allowed("stale-if-error") },
        })
    }

    /// That of an answer that is used once and not kept.
    pub(crate) fn once(times: Times) -> Self {
        Self {
            made: times.sent,
            received: times.received,
            fresh_for: Duration::ZERO,
            renewable_for: Duration::ZERO,
            on_error_for: Some(Duration::ZERO),
        }
    }

    /// The same, for an answer that is asked for again each time.
    pub(crate) fn never_fresh(self) -> Self {
        Self { fresh_for: Duration::ZERO, renewable_for: Duration::ZERO, ..self }
    }

    /// How long ago the answer was made.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.made).unwrap_or_default()
    }

    /// For how much longer it is fresh.
    pub(crate) fn fresh_left(&self, now: SystemTime) -> Duration {
        self.fresh_for.saturating_sub(self.age(now))
    }

    pub(crate) fn at(&self, now: SystemTime) -> Use {
        // A clock that went back cannot tell how old anything is.
        if now < self.received {
            return Use::Ask;
        }
        let age = self.age(now);
        if age < self.fresh_for {
            Use::Fresh
        } else if age < self.fresh_for.saturating_add(self.renewable_for) {
            Use::Renew
        } else {
            Use::Ask
        }
    }

    /// Whether it may stand in for an answer that did not come: for as long as the server says, or
    /// else for the time `bound`, after it was fresh.
    pub(crate) fn stands_in(&self, now: SystemTime, bound: Duration) -> bool {
        let allowed = self.on_error_for.map_or(bound, |stated| stated.min(bound));
        !allowed.is_zero() && self.age(now) <= self.fresh_for.saturating_add(allowed)
    }

    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.received > other.received
    }
}

/// How long an answer is fresh, counted from when it was made.
fn lifetime(
    fields: &Fields,
    control: &Directives<'_>,
    date: SystemTime,
    assumed: Duration,
) -> Duration {
    // What is said of freshness and cannot be read means none.
    if control.has("max-age") {
        return control.seconds("max-age").unwrap_or_default();
    }
    if let Some(expires) = &fields.expires {
        let until = parse_date(expires).and_then(|until| until.duration_since(date).ok());
        return until.unwrap_or_default();
    }
    let changed = fields.last_modified.as_deref().and_then(parse_date);
    let unchanged = changed.and_then(|changed| date.duration_since(changed).ok());
    unchanged.map_or(assumed, |time| (time / 10).min(LONGEST_GUESS).max(assumed))
}

/// Whether the answer depends on more of a request than all requests of ours have in common.
fn varies(vary: Option<&str>) -> bool {
    const SAME: [&str; 3] = ["accept", "accept-encoding", "origin"];
    let names = vary.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    names.into_iter().any(|name| !SAME.iter().any(|same| name.eq_ignore_ascii_case(same)))
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

    /// The shortest time that is given, and none if one of them is no time.
    fn seconds(&self, name: &str) -> Option<Duration> {
        let times: Option<Vec<Duration>> = self.all(name).map(|value| seconds(value?)).collect();
        times?.into_iter().min()
    }
}

/// Seconds, of which too many are as many as the specification makes of them.
fn seconds(text: &str) -> Option<Duration> {
    const MOST: u64 = 1 << 31;
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(MOST).min(MOST)))
}

fn parse_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

#[cfg(test)]
mod tests;
