//! Looking for a layer version again and again, as long as AWS may still make it.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait after the first look; the waits double from there.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait between two looks: each costs a call to the region.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// When to look for a version: at once, then at growing intervals, and a last time when the time for
/// which AWS may still make it is over.
#[derive(Debug)]
pub(super) struct Looks {
    until: Instant,
    pause: Option<Duration>,
    is_last: bool,
}

impl Looks {
    /// Looks during so much time from now; one look if there is none.
    pub(super) fn during(time: Duration) -> Self {
        Self { until: Instant::now() + time, pause: None, is_last: false }
    }

    /// Waits until it is time for a look; says false, at once, if the last one was taken.
    pub(super) async fn next(&mut self) -> bool {
        if self.is_last {
            return false;
        }
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause.min(self.left())).await;
        }
        self.pause = Some(self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)));
        self.is_last = self.left().is_zero();
        true
    }

    /// How much longer looks are taken.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_look_begins_when_the_time_is_over() {
        let mut looks = Looks::during(Duration::from_millis(1500));
        let until = looks.until;
        let mut taken = Vec::new();
        while looks.next().await {
            taken.push(Instant::now());
        }
        let (last, earlier) = taken.split_last().unwrap();
        assert!(*last >= until);
        assert!(!earlier.is_empty() && earlier.iter().all(|look| *look < *last));
    }

    #[tokio::test]
    async fn without_time_there_is_one_look() {
        let mut looks = Looks::during(Duration::ZERO);
        assert!(looks.next().await);
        assert!(!looks.next().await);
    }
}
