//! The clock, and the deadline of a call.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The system's clock. The age of an answer is measured with this clock rather than a monotonic one,
/// since cached answers outlast the process on the disk.
#[expect(clippy::disallowed_methods, reason = "connections are made at the edge")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// When a call must be over, including all its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The deadline of a call that begins now.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    /// The time left.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
