use std::time::{Duration, Instant};

/// How slow a server may be within an answer, before it is asked again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// How long it may stay silent.
    pub silence: Duration,
    /// How long it may be slower than it has to be.
    pub slow: Duration,
    /// How many bytes it has to send in that time.
    pub least: u64,
}

impl Default for Patience {
    /// 30 seconds of silence; 1 KiB a second, over a minute.
    fn default() -> Self {
        Self { silence: Duration::from_secs(30), slow: Duration::from_mins(1), least: 60 << 10 }
    }
}

/// How fast an answer comes.
#[derive(Debug)]
pub(super) struct Pace {
    patience: Patience,
    since: Instant,
    received: u64,
}

impl Pace {
    pub(super) fn begin(patience: Patience) -> Self {
        Self { patience, since: Instant::now(), received: 0 }
    }

    /// Counts what came. Whether the patience with the server has come to its end.
    pub(super) fn is_too_slow(&mut self, bytes: usize) -> bool {
        self.received += bytes as u64;
        if self.since.elapsed() < self.patience.slow {
            return false;
        }
        let too_slow = self.received < self.patience.least;
        *self = Self::begin(self.patience);
        too_slow
    }
}
