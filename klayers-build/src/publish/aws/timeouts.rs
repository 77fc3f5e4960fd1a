//! How long AWS may take. Every limit of time stands here, with its reason.
//!
//! | call | one attempt | all attempts and the waits between them |
//! | --- | --- | --- |
//! | a question or a small change | [`QUESTION`] | [`REPEATED`] |
//! | publishing a layer | sending it and [`PUBLICATION`] | the deadline |
//! | an upload to S3 | sending it and [`QUESTION`] | the deadline |
//! | a copy from region to region | [`COPY`] | the deadline |
//!
//! The deadline is that of `[publish]` in `klayers.toml`. No call takes longer, whatever the table
//! says.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;

/// The longest time that Lambda takes to make a layer version once it has the whole request, and to
/// list it. Layers near the size limit take some 20 seconds; AWS's own SDKs give up after 60.
pub(super) const LONGEST_PUBLICATION: Duration = Duration::from_mins(1);

/// AWS's own SDKs give up after this time.
const PUBLICATION: Duration = Duration::from_mins(1);

/// The deadline where nothing is configured.
pub(super) const DEADLINE: Duration = Duration::from_mins(5);

/// TCP and TLS, to the farthest region over a poor line.
const CONNECTION: Duration = Duration::from_secs(10);
/// AWS answers questions within a second. Finding credentials with single sign-on or a role, which
/// the first call does, takes some seconds.
const QUESTION: Duration = Duration::from_secs(15);
/// Room for the attempts of a call that is throttled.
const REPEATED: Duration = Duration::from_mins(2);
/// S3 copies 50 MB a second between neighbouring regions, and a fifth of that around the world. A
/// layer has 250 MB at most.
const COPY: Duration = Duration::from_mins(1);
/// The slowest line on which a layer can be sent, in bytes a second. The largest request, 67 MB,
/// takes four minutes on it.
const SLOWEST_LINE: u64 = 256 << 10;

/// A region that owes an answer for this long is told of.
pub(super) const SILENCE: Duration = Duration::from_secs(10);
/// How often a call is made that gets no answer at all. Whoever is silent twice is so a third time.
pub(super) const SILENT_ATTEMPTS: u32 = 2;
/// Asked whose the credentials are, a region that works answers sooner. After this time the next one
/// is asked, too.
pub(super) const NEXT_IDENTITY: Duration = Duration::from_secs(2);
/// The check of the bucket through which files get into a partition: no region waits longer for
/// another one before it sends a file on its own.
pub(super) const HOME: Duration = Duration::from_secs(5);

/// How long one call may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Timeouts {
    /// One attempt.
    pub(super) attempt: Duration,
    /// All attempts, with the waits between them.
    pub(super) total: Duration,
    /// The part of an attempt in which no answer can be expected, because the request is being sent.
    pub(super) sending: Duration,
}

impl Timeouts {
    pub(super) const QUESTION: Self =
        Self { attempt: QUESTION, total: REPEATED, sending: Duration::ZERO };
    pub(super) const COPY: Self =
        Self { attempt: COPY, total: Duration::MAX, sending: Duration::ZERO };

    /// For publishing a layer with a request of this many bytes.
    pub(super) fn publication(bytes: u64) -> Self {
        Self::sending(bytes, PUBLICATION)
    }

    /// For sending a file of this many bytes to S3.
    pub(super) fn upload(bytes: u64) -> Self {
        Self::sending(bytes, QUESTION)
    }

    fn sending(bytes: u64, then: Duration) -> Self {
        let sending = Duration::from_secs(bytes / SLOWEST_LINE);
        Self { attempt: sending + then, total: Duration::MAX, sending }
    }
}

/// What the SDK itself has to know: all other limits are those of a call.
pub(super) fn connection() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECTION).build()
}
