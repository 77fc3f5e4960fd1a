//! Time limits for AWS, each with its reason.
//!
//! | call | one attempt | all attempts and the waits between them |
//! | --- | --- | --- |
//! | a query or a small change | [`QUERY`] | [`REPEATED`] |
//! | publishing a layer | sending it and [`PUBLICATION`] | the deadline |
//! | an upload to S3 | sending it and [`QUERY`] | the deadline |
//! | a copy from region to region | [`COPY`] | the deadline |
//!
//! The deadline is `deadline` of `[publish]` in `klayers.toml`. It also limits the first row.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;

/// The AWS SDKs give up after this time.
const PUBLICATION: Duration = Duration::from_mins(1);

/// TCP and TLS handshakes with the farthest region over a poor connection.
const CONNECTION: Duration = Duration::from_secs(10);
/// AWS answers queries within a second. The first call also finds credentials, which takes some
/// seconds with single sign-on or a role.
const QUERY: Duration = Duration::from_secs(15);
/// Room for the attempts of a throttled call.
const REPEATED: Duration = Duration::from_mins(2);
/// S3 copies 50 MB a second between neighbouring regions, and 10 MB a second around the world. A
/// layer has at most 250 MB.
const COPY: Duration = Duration::from_mins(1);
/// The slowest connection over which a layer can be sent, in bytes a second. The largest request,
/// 67 MB, takes four minutes.
const SLOWEST_LINE: u64 = 256 << 10;

/// A warning names a region that has not answered for this long.
pub(super) const SILENCE: Duration = Duration::from_secs(10);
/// Attempts of a call that gets no answer at all. A region that is silent twice is silent a third
/// time too.
pub(super) const SILENT_ATTEMPTS: u32 = 2;
/// A working region identifies the credentials within this time. After it, the next region is asked
/// as well.
pub(super) const NEXT_IDENTITY: Duration = Duration::from_secs(2);
/// Time for checking the bucket through which files are sent into a partition. No region waits
/// longer for it before sending its file directly.
pub(super) const HOME_CHECK: Duration = Duration::from_secs(5);

/// Time limits of one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Timeouts {
    /// Limit for one attempt.
    pub(super) attempt: Duration,
    /// Limit for all attempts and the waits between them.
    pub(super) total: Duration,
    /// The part of an attempt that sends the request, during which no answer can arrive.
    pub(super) sending: Duration,
}

impl Timeouts {
    pub(super) const QUERY: Self =
        Self { attempt: QUERY, total: REPEATED, sending: Duration::ZERO };
    pub(super) const COPY: Self =
        Self { attempt: COPY, total: Duration::MAX, sending: Duration::ZERO };

    /// Limits for publishing a layer with a request of this many bytes.
    pub(super) fn publication(bytes: u64) -> Self {
        Self::sending(bytes, PUBLICATION)
    }

    /// Limits for uploading a file of this many bytes to S3.
    pub(super) fn upload(bytes: u64) -> Self {
        Self::sending(bytes, QUERY)
    }

    fn sending(bytes: u64, then: Duration) -> Self {
        let sending = Duration::from_secs(bytes / SLOWEST_LINE);
        Self { attempt: sending + then, total: Duration::MAX, sending }
    }
}

/// Time limits for the SDK. All other limits apply to a single call.
pub(super) fn connection() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECTION).build()
}
