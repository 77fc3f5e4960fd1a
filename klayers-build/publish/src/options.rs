//! Options for publishing to AWS.

use std::collections::BTreeMap;
use std::time::Duration;

use klayers_core::Partition;
use serde::Deserialize;

/// Longest time that Lambda takes to create and list a layer version once it has the complete
/// request. Layers near the size limit take about 20 seconds; the AWS SDKs give up after 60.
const LONGEST_PUBLICATION: Duration = Duration::from_mins(1);

/// The default deadline.
const DEADLINE: Duration = Duration::from_mins(5);

/// Options for publishing to AWS: the section `[publish.aws]` of `klayers.toml`.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AwsOptions {
    /// Name of the S3 buckets for large layers, one in each region. `{region}` stands for the
    /// region's code: `my-layers-{region}`. Without a bucket, all layers are sent in the request,
    /// which holds at most 50 MiB.
    pub bucket: Option<String>,
    /// Layers larger than this many bytes are published through S3, if there is a bucket.
    pub in_request: u64,
    /// Profile in the AWS configuration files for each partition whose credentials differ from
    /// those that AWS tools find by default.
    pub profiles: BTreeMap<Partition, String>,
    /// Whether to keep the latest version of each layer in the SSM Parameter Store of its region,
    /// as `/klayers/{target}/{package}/latest`.
    pub pointers: bool,
    /// The longest time in seconds that AWS takes to create and list a version once it has the
    /// request. A run waits no longer for an answer. If a version is still not listed by then, a
    /// later run concludes that it was never created.
    pub longest_publication: u64,
    /// The longest time for one call with all its attempts: `deadline` of `[publish]`.
    #[serde(skip)]
    pub deadline: Duration,
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            bucket: None,
            in_request: 5 << 20,
            profiles: BTreeMap::new(),
            pointers: false,
            longest_publication: LONGEST_PUBLICATION.as_secs(),
            deadline: DEADLINE,
        }
    }
}
