use std::time::{Duration, Instant};

/// How slowly a server may answer before the request is repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// The longest time without any byte.
    pub silence: Duration,
    /// The period over which `least` is measured.
    pub slow: Duration,
    /// The least number of bytes that must arrive in the period `slow`.
    pub least: u64,
}

impl Default for Patience {
    /// 30 seconds of silence; 1 KiB a second, measured over a minute.
    fn default() -> Self {
        Self { silence: Duration::from_secs(30), slow: Duration::from_mins(1), least: 60 << 10 }
    }
}

/// Measures the speed of an answer.
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

    /// Counts received bytes. Returns true if fewer than `least` arrived in the last full period.
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
