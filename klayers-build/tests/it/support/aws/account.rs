//! A separate account for each test.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use url::Url;

/// An AWS account that no other test uses. LocalStack and moto separate accounts, and interpret an
/// access key of 12 digits as the number of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Account(String);

impl Account {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut hasher = DefaultHasher::new();
        // Each test has a thread with its own name and, under nextest, its own process.
        std::thread::current().name().hash(&mut hasher);
        std::process::id().hash(&mut hasher);
        COUNT.fetch_add(1, Ordering::Relaxed).hash(&mut hasher);
        Self((100_000_000_000 + hasher.finish() % 900_000_000_000).to_string())
    }

    /// Its 12 digits, which are also its access key.
    pub(crate) fn id(&self) -> &str {
        &self.0
    }

    /// The environment in which AWS tools act as this account and find no other credentials or
    /// settings.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ACCESS_KEY_ID", self.id()),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
    }

    /// The configuration of a client in this process that acts as this account at an endpoint.
    pub(crate) fn config(&self, endpoint: &Url) -> SdkConfig {
        let credentials = Credentials::new(self.id(), "test", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(endpoint.as_str())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }
}
