//! An account for each test.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use url::Url;

/// An AWS account that no other test uses. LocalStack and moto keep accounts apart, and take an
/// access key of 12 digits for the account that it names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Account(String);

impl Account {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut hasher = DefaultHasher::new();
        // Each test is a thread of its own name, and under nextest a process, too.
        std::thread::current().name().hash(&mut hasher);
        std::process::id().hash(&mut hasher);
        COUNT.fetch_add(1, Ordering::Relaxed).hash(&mut hasher);
        Self((100_000_000_000 + hasher.finish() % 900_000_000_000).to_string())
    }

    /// Its 12 digits, which are its access key, too.
    pub(crate) fn id(&self) -> &str {
        &self.0
    }

    /// The environment in which AWS's tools act as this account, and look nowhere else for
    /// credentials or settings.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ACCESS_KEY_ID", self.id()),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
    }

    /// As this account at an endpoint, for a client in this process.
    pub(crate) fn config(&self, endpoint: &Url) -> SdkConfig {
        let credentials = Credentials::new(self.id(), "test", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(endpoint.as_str())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }
}
