//! Stops a run early: nothing new begins, and publications under way may finish.

use std::sync::Arc;

use tokio::sync::watch;

/// Asks a run to stop early. Clones share the same state.
///
/// A publication that has begun cannot be cancelled, because the request may have reached AWS. So a
/// stopped run begins nothing more, and the caller can let it finish the publications [under
/// way](Self::under_way).
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    requested: watch::Sender<bool>,
    under_way: watch::Sender<usize>,
}

impl Stop {
    /// Asks the run to stop.
    pub fn request(&self) {
        self.0.requested.send_replace(true);
    }

    /// Number of publications currently under way.
    pub fn under_way(&self) -> usize {
        *self.0.under_way.borrow()
    }

    /// Whether the run was asked to stop.
    pub(super) fn is_requested(&self) -> bool {
        *self.0.requested.borrow()
    }

    /// Waits until the run is asked to stop.
    pub(super) async fn requested(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.requested.subscribe().wait_for(|requested| *requested).await;
    }

    /// Counts a publication as under way while the returned value lives. `None` if the run was
    /// asked to stop, so that the publication must not begin.
    pub(super) fn begin(&self) -> Option<UnderWay> {
        if self.is_requested() {
            return None;
        }
        self.0.under_way.send_modify(|count| *count += 1);
        Some(UnderWay(self.clone()))
    }
}

/// A publication under way.
#[derive(Debug)]
pub(super) struct UnderWay(Stop);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.under_way.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_begins_after_stop_request() {
        let stop = Stop::default();
        let first = stop.begin().unwrap();
        assert_eq!(stop.under_way(), 1);
        stop.clone().request();
        stop.requested().await;
        assert!(stop.begin().is_none());
        assert_eq!(stop.under_way(), 1);
        drop(first);
        assert_eq!(stop.under_way(), 0);
    }
}
