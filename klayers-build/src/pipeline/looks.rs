//! Looking for a layer version again and again, as long as AWS may still make it.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait after the first look; the waits double from there.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait between two looks: each costs a call to the region.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How many looks must find nothing once the time is over. A single list may be out of date, and a
/// version that was published twice cannot be taken back.
const CONFIRMING_LOOKS: u32 = 2;

/// When to look for a version: at once, then at growing intervals, and twice more when the time for
/// which AWS may still make it is over.
#[derive(Debug)]
pub(super) struct Looks {
    until: Instant,
    pause: Option<Duration>,
    /// How many looks are to be taken once the time is over.
    confirming: u32,
}

impl Looks {
    /// Looks during so much time from now; one look if nothing can appear after its call has ended.
    pub(super) fn during(time: Option<Duration>) -> Self {
        let confirming = if time.is_some() { CONFIRMING_LOOKS } else { 1 };
        Self { until: Instant::now() + time.unwrap_or_default(), pause: None, confirming }
    }

    /// Waits until it is time for a look; says false, at once, if the last one was taken.
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

    /// How much longer looks are taken.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(looks: &mut Looks) -> Vec<Instant> {
        let mut taken = Vec::new();
        while looks.next().await {
            taken.push(Instant::now());
        }
        taken
    }

    #[tokio::test]
    async fn two_looks_begin_when_the_time_is_over() {
        let mut looks = Looks::during(Some(Duration::from_millis(1500)));
        let until = looks.until;
        let taken = taken(&mut looks).await;
        assert_eq!(taken.iter().filter(|look| **look >= until).count(), 2, "{taken:?}");
        assert!(taken.len() > 2, "{taken:?}");
    }

    #[tokio::test]
    async fn a_time_that_is_over_already_is_confirmed() {
        let mut looks = Looks::during(Some(Duration::ZERO));
        let taken = taken(&mut looks).await;
        assert!(taken.len() == 2 && taken[1] - taken[0] >= FIRST_PAUSE, "{taken:?}");
    }

    #[tokio::test]
    async fn without_time_there_is_one_look() {
        let mut looks = Looks::during(None);
        assert_eq!(taken(&mut looks).await.len(), 1);
    }
}
