//! The accounts of each partition, and the clients for each region.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use futures::future::join_all;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use klayers_core::{AccountId, Partition, Region};

use super::identity;
use super::timeouts::connection;
use super::watch::Watch;
use crate::{PublishError, Trouble};
use klayers_core::terminal::error_chain;

/// AWS accepts 15 calls a second from an account in a region. A burst of 5 followed by 10 a second
/// stays within that limit.
const BURST: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");
const A_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");

/// State shared by all calls to a region.
#[derive(Debug)]
pub struct Access {
    rate: DefaultDirectRateLimiter,
    watch: Watch,
    deadline: Duration,
}

impl Access {
    /// Limits calls to the rate that AWS accepts from an account in a region. `deadline` is the
    /// longest time for one call.
    pub fn new(deadline: Duration) -> Self {
        let rate = RateLimiter::direct(Quota::per_second(A_SECOND).allow_burst(BURST));
        Self { rate, watch: Watch::default(), deadline }
    }

    /// Waits until the rate limit allows another call.
    pub(super) async fn until_ready(&self) {
        self.rate.until_ready().await;
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// The account of each partition, and clients for its regions.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    identified: BTreeMap<Partition, Account>,
    /// Partitions whose account could not be identified, with the reason.
    closed: BTreeMap<Partition, String>,
    regions: BTreeMap<Region, Clients>,
}

#[derive(Debug)]
struct Account {
    id: AccountId,
    /// The region through which files are sent into the partition.
    home: Region,
}

#[derive(Debug)]
struct Clients {
    lambda: aws_sdk_lambda::Client,
    s3: aws_sdk_s3::Client,
    #[cfg(feature = "pointers")]
    ssm: aws_sdk_ssm::Client,
    access: Arc<Access>,
}

/// Configuration of a partition.
struct Settings {
    config: SdkConfig,
    profile: Option<String>,
    regions: Vec<Region>,
}

impl Accounts {
    /// Finds credentials as AWS tools do, for each partition that has one of the regions.
    pub(super) async fn connect(
        profiles: &BTreeMap<Partition, String>,
        regions: &[Region],
        deadline: Duration,
    ) -> Result<Self, PublishError> {
        let mut partitions = BTreeMap::new();
        for (partition, regions) in by_partition(regions) {
            let profile = profiles.get(&partition).cloned();
            let config = settings(regions.first(), profile.as_deref()).await;
            partitions.insert(partition, Settings { config, profile, regions });
        }
        Self::identify(partitions, deadline).await
    }

    /// Uses the credentials and endpoint of one configuration for all partitions.
    pub(super) async fn with_config(
        config: &SdkConfig,
        regions: &[Region],
        deadline: Duration,
    ) -> Result<Self, PublishError> {
        let config = config.to_builder().retry_config(RetryConfig::disabled());
        let config = config.timeout_config(connection()).build();
        let partitions = by_partition(regions).into_iter().map(|(partition, regions)| {
            (partition, Settings { config: config.clone(), profile: None, regions })
        });
        Self::identify(partitions.collect(), deadline).await
    }

    /// Identifies the account of each partition. A partition that does not answer is closed. Fails
    /// if no partition answers.
    async fn identify(
        partitions: BTreeMap<Partition, Settings>,
        deadline: Duration,
    ) -> Result<Self, PublishError> {
        let asked = partitions.into_iter().map(|(partition, settings)| async move {
            let Settings { config, profile, regions } = &settings;
            let found = identity::find(config, regions, profile.as_deref(), deadline).await;
            (partition, settings, found)
        });
        let mut accounts = Self::default();
        let mut silent = None;
        for (partition, settings, found) in join_all(asked).await {
            let Settings { config, regions, .. } = settings;
            match found {
                Ok((id, home)) => {
                    accounts.identified.insert(partition, Account { id, home });
                    let clients = |region: Region| {
                        let clients = Clients::new(&config, &region, deadline);
                        (region, clients)
                    };
                    accounts.regions.extend(regions.into_iter().map(clients));
                }
                Err(error @ PublishError::Unidentified { .. }) => {
                    accounts.closed.insert(partition, error_chain(&error));
                    silent.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match silent {
            Some(error) if accounts.identified.is_empty() => Err(error),
            _ => Ok(accounts),
        }
    }

    pub(super) fn account(&self, partition: &Partition) -> Option<&AccountId> {
        self.identified.get(partition).map(|account| &account.id)
    }

    /// Rerate the region through which files are sent into a region's partition.
    pub(super) fn home(&self, region: &Region) -> Result<&Region, PublishError> {
        match self.identified.get(&region.partition()) {
            Some(account) => Ok(&account.home),
            None => Err(self.missing_client(region)),
        }
    }

    pub(super) fn lambda(&self, region: &Region) -> Result<&aws_sdk_lambda::Client, PublishError> {
        Ok(&self.clients(region)?.lambda)
    }

    pub(super) fn s3(&self, region: &Region) -> Result<&aws_sdk_s3::Client, PublishError> {
        Ok(&self.clients(region)?.s3)
    }

    #[cfg(feature = "pointers")]
    pub(super) fn ssm(&self, region: &Region) -> Result<&aws_sdk_ssm::Client, PublishError> {
        Ok(&self.clients(region)?.ssm)
    }

    pub(super) fn access(&self, region: &Region) -> Result<Arc<Access>, PublishError> {
        Ok(Arc::clone(&self.clients(region)?.access))
    }

    pub(super) fn trouble(&self, region: &Region) -> Option<Trouble> {
        self.regions.get(region)?.access.watch.trouble(Instant::now())
    }

    /// Rerate the error that explains why there is no client for a region.
    pub(super) fn missing_client(&self, region: &Region) -> PublishError {
        let region = region.clone();
        match self.closed.get(&region.partition()).cloned() {
            Some(reason) => PublishError::Closed { region, reason },
            None => PublishError::UnknownRegion(region),
        }
    }

    fn clients(&self, region: &Region) -> Result<&Clients, PublishError> {
        self.regions.get(region).ok_or_else(|| self.missing_client(region))
    }
}

impl Clients {
    fn new(config: &SdkConfig, region: &Region, deadline: Duration) -> Self {
        let config = config.to_builder().region(aws_region(region)).build();
        Self {
            lambda: aws_sdk_lambda::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
            #[cfg(feature = "pointers")]
            ssm: aws_sdk_ssm::Client::new(&config),
            access: Arc::new(Access::new(deadline)),
        }
    }
}

/// Groups regions by partition. No group is empty.
fn by_partition(regions: &[Region]) -> BTreeMap<Partition, Vec<Region>> {
    let mut partitions: BTreeMap<Partition, Vec<Region>> = BTreeMap::new();
    for region in regions {
        partitions.entry(region.partition()).or_default().push(region.clone());
    }
    partitions
}

pub(super) fn aws_region(region: &Region) -> aws_config::Region {
    aws_config::Region::new(region.as_str().to_owned())
}

/// Finds credentials, endpoint and, if not given, the region as AWS tools do.
pub async fn settings(region: Option<&Region>, profile: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::disabled())
        .timeout_config(connection());
    if let Some(region) = region {
        loader = loader.region(aws_region(region));
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}
