//! Notices when a region is silent or throttles calls.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use klayers_core::Region;
use tracing::{info, warn};

use super::timeouts::SILENCE;
use crate::Trouble;

/// Follows the calls to a region.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Number of calls waiting for an answer.
    waiting: usize,
    /// Start of the region's silence.
    silent_since: Option<Instant>,
    warned: bool,
    /// Start of the period in which every answer was throttling.
    throttled_since: Option<Instant>,
}

/// A call waiting for an answer.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Watch);

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call, which waits until the returned value is dropped.
    pub(super) fn begin(&self, now: Instant) -> Waiting<'_> {
        let mut state = self.state();
        // Ignore calls that were given up before a warning, and the time after them.
        if state.silent_since.is_none() || state.waiting == 0 && !state.warned {
            state.silent_since = Some(now);
        }
        state.waiting += 1;
        Waiting(self)
    }

    /// Records an answer of the region, even if it is an error.
    pub(super) fn answered(&self, region: &Region, throttled: bool, now: Instant) {
        let mut state = self.state();
        // The other waiting calls count from now, because the region was not silent until now.
        state.silent_since = (state.waiting > 1).then_some(now);
        if std::mem::take(&mut state.warned) {
            info!(%region, "{region} answers again");
        }
        state.throttled_since = throttled.then(|| state.throttled_since.unwrap_or(now));
    }

    /// Warns that the region is silent, once for each silence, after the limit has passed. Returns
    /// the time until the next check.
    pub(super) fn warn_if_silent(
        &self,
        region: &Region,
        sending: Duration,
        now: Instant,
    ) -> Duration {
        let mut state = self.state();
        let patience = SILENCE + sending;
        let silent = state.silent_since.map_or(Duration::ZERO, |since| now.duration_since(since));
        if let Some(left) = patience.checked_sub(silent)
            && !left.is_zero()
        {
            return left;
        }
        if !state.warned {
            state.warned = true;
            warn!(%region, "{region} has not answered for {} s", silent.as_secs());
        }
        patience
    }

    pub(super) fn trouble(&self, now: Instant) -> Option<Trouble> {
        let state = self.state();
        let until_now = |since| now.duration_since(since);
        let throttled = state.throttled_since.map(|since| Trouble::Throttled(until_now(since)));
        let silent = state.silent_since.map(|since| Trouble::Silent(until_now(since)));
        throttled.or(silent)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn silence_starts_with_first_unanswered_call() {
        let (watch, region) = (Watch::default(), "eu-west-1".parse().expect("a region"));
        let start = Instant::now();
        let at = |time| start + seconds(time);
        assert_eq!(watch.trouble(at(0)), None);
        let first = watch.begin(at(0));
        let second = watch.begin(at(4));
        assert_eq!(watch.warn_if_silent(&region, Duration::ZERO, at(4)), seconds(6));
        assert_eq!(watch.trouble(at(11)), Some(Trouble::Silent(seconds(11))));
        assert_eq!(watch.warn_if_silent(&region, seconds(5), at(11)), seconds(4));
        assert!(!watch.state().warned, "a request that is being sent is no silence");
        watch.warn_if_silent(&region, Duration::ZERO, at(11));
        assert!(watch.state().warned);

        watch.answered(&region, false, at(12));
        assert!(!watch.state().warned);
        assert_eq!(watch.trouble(at(12)), Some(Trouble::Silent(seconds(0))), "one still waits");
        drop((first, second));
        let _third = watch.begin(at(100));
        assert_eq!(watch.trouble(at(100)), Some(Trouble::Silent(seconds(0))));
    }

    #[test]
    fn throttling_ends_with_next_other_answer() {
        let (watch, region) = (Watch::default(), "eu-west-1".parse().expect("a region"));
        let start = Instant::now();
        for time in [0, 20, 40] {
            let _waiting = watch.begin(start + seconds(time));
            watch.answered(&region, true, start + seconds(time));
        }
        let trouble = watch.trouble(start + seconds(60)).expect("it is throttled");
        assert_eq!(trouble, Trouble::Throttled(seconds(60)));
        assert_eq!(trouble.to_string(), "it was throttled for 60 s");
        let _waiting = watch.begin(start + seconds(60));
        watch.answered(&region, false, start + seconds(60));
        assert_eq!(watch.trouble(start + seconds(60)), None);
    }
}
