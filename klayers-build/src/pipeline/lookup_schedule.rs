//! The schedule for looking up a layer version while AWS may still be creating it.

use std::time::Duration;

use tokio::time::Instant;

/// Pause after the first lookup. Later pauses double.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between lookups. Each lookup costs a call to the region.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Number of lookups that must find nothing after the time is over. A single list may be outdated,
/// and publishing a version twice cannot be undone.
const CONFIRMING_LOOKS: u32 = 2;

/// Schedule of lookups: the first at once, the others at growing intervals, and two more when the
/// time in which AWS may create the version is over.
#[derive(Debug)]
pub(super) struct LookupSchedule {
    until: Instant,
    pause: Option<Duration>,
    /// Number of remaining lookups after the time is over.
    confirming: u32,
}

impl LookupSchedule {
    /// Schedules lookups during `time` from now; a single one if versions never appear after their
    /// call has ended.
    pub(super) fn during(time: Option<Duration>) -> Self {
        let confirming = if time.is_some() { CONFIRMING_LOOKS } else { 1 };
        Self { until: Instant::now() + time.unwrap_or_default(), pause: None, confirming }
    }

    /// Waits until the next lookup is due. Returns false at once if the last one was taken.
    pub(super) async fn next(&mut self) -> bool {
        if self.confirming == 0 {
            return false;
        }
        if let Some(pause) = self.pause {
            let left = self.left();
            let is_confirming = left.is_zero();
            tokio::time::sleep(if is_confirming { FIRST_PAUSE } else { pause.min(left) }).await;
        }
        self.pause = Some(self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)));
        if self.left().is_zero() {
            self.confirming -= 1;
        }
        true
    }

    /// Remaining time of the schedule.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(looks: &mut LookupSchedule) -> Vec<Instant> {
        let mut taken = Vec::new();
        while looks.next().await {
            taken.push(Instant::now());
        }
        taken
    }

    #[tokio::test]
    async fn two_lookups_follow_after_time_is_over() {
        let mut looks = LookupSchedule::during(Some(Duration::from_millis(1500)));
        let until = looks.until;
        let taken = taken(&mut looks).await;
        assert_eq!(taken.iter().filter(|look| **look >= until).count(), 2, "{taken:?}");
        assert!(taken.len() > 2, "{taken:?}");
    }

    #[tokio::test]
    async fn elapsed_time_is_confirmed_by_two_lookups() {
        let mut looks = LookupSchedule::during(Some(Duration::ZERO));
        let taken = taken(&mut looks).await;
        assert!(taken.len() == 2 && taken[1] - taken[0] >= FIRST_PAUSE, "{taken:?}");
    }

    #[tokio::test]
    async fn without_time_there_is_one_lookup() {
        let mut looks = LookupSchedule::during(None);
        assert_eq!(taken(&mut looks).await.len(), 1);
    }
}
