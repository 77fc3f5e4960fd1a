//! Whose credentials are used where, and the clients that use them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use klayers_core::{AccountId, Partition, Region};

use super::call::Call;
use crate::publish::PublishError;

/// Of the 15 calls a second that AWS takes of an account in a region: this many at once, and
const BURST: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");
/// this many a second after that, so that they are never more.
const A_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");

const CONNECTING: Duration = Duration::from_secs(10);

pub(crate) type Limit = Arc<DefaultDirectRateLimiter>;

/// The account of each partition, and clients for the regions in it.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    accounts: BTreeMap<Partition, Account>,
    regions: BTreeMap<Region, Clients>,
}

#[derive(Debug)]
struct Account {
    id: AccountId,
    /// The region through which files get into the partition.
    home: Region,
}

#[derive(Debug)]
struct Clients {
    lambda: aws_sdk_lambda::Client,
    s3: aws_sdk_s3::Client,
    ssm: aws_sdk_ssm::Client,
    limit: Limit,
}

impl Accounts {
    /// Finds credentials as AWS's tools do, for each partition that has one of the regions.
    pub(super) async fn connect(
        profiles: &BTreeMap<Partition, String>,
        regions: &[Region],
    ) -> Result<Self, PublishError> {
        let mut accounts = Self::default();
        for (partition, regions) in by_partition(regions) {
            let profile = profiles.get(&partition).map(String::as_str);
            let config = load(&regions[0], profile).await;
            accounts.add(partition, &config, &regions, profile).await?;
        }
        Ok(accounts)
    }

    /// Uses the credentials and endpoint of one configuration for all partitions.
    pub(super) async fn with_config(
        config: &SdkConfig,
        regions: &[Region],
    ) -> Result<Self, PublishError> {
        let mut accounts = Self::default();
        let config = config.to_builder().retry_config(RetryConfig::disabled()).build();
        for (partition, regions) in by_partition(regions) {
            let config = config.to_builder().region(aws_region(&regions[0])).build();
            accounts.add(partition, &config, &regions, None).await?;
        }
        Ok(accounts)
    }

    async fn add(
        &mut self,
        partition: Partition,
        config: &SdkConfig,
        regions: &[Region],
        profile: Option<&str>,
    ) -> Result<(), PublishError> {
        let home = regions[0].clone();
        let id = whose(config, &home, profile).await?;
        self.accounts.insert(partition, Account { id, home });
        let clients = |region: &Region| (region.clone(), Clients::new(config, region));
        self.regions.extend(regions.iter().map(clients));
        Ok(())
    }

    pub(super) fn account(&self, partition: &Partition) -> Option<&AccountId> {
        self.accounts.get(partition).map(|account| &account.id)
    }

    /// The region of the same partition through which files get into it.
    pub(super) fn home(&self, region: &Region) -> Result<&Region, PublishError> {
        let account = self.accounts.get(&region.partition());
        Ok(&account.ok_or_else(|| PublishError::UnknownRegion(region.clone()))?.home)
    }

    pub(super) fn lambda(&self, region: &Region) -> Result<&aws_sdk_lambda::Client, PublishError> {
        Ok(&self.clients(region)?.lambda)
    }

    pub(super) fn s3(&self, region: &Region) -> Result<&aws_sdk_s3::Client, PublishError> {
        Ok(&self.clients(region)?.s3)
    }

    pub(super) fn ssm(&self, region: &Region) -> Result<&aws_sdk_ssm::Client, PublishError> {
        Ok(&self.clients(region)?.ssm)
    }

    pub(super) fn limit(&self, region: &Region) -> Result<Limit, PublishError> {
        Ok(Arc::clone(&self.clients(region)?.limit))
    }

    fn clients(&self, region: &Region) -> Result<&Clients, PublishError> {
        self.regions.get(region).ok_or_else(|| PublishError::UnknownRegion(region.clone()))
    }
}

impl Clients {
    fn new(config: &SdkConfig, region: &Region) -> Self {
        let config = config.to_builder().region(aws_region(region)).build();
        Self {
            lambda: aws_sdk_lambda::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            limit: limit(),
        }
    }
}

/// Never an empty list.
fn by_partition(regions: &[Region]) -> BTreeMap<Partition, Vec<Region>> {
    let mut partitions: BTreeMap<Partition, Vec<Region>> = BTreeMap::new();
    for region in regions {
        partitions.entry(region.partition()).or_default().push(region.clone());
    }
    partitions
}

/// As many calls as AWS takes of an account in a region.
pub(crate) fn limit() -> Limit {
    Arc::new(RateLimiter::direct(Quota::per_second(A_SECOND).allow_burst(BURST)))
}

fn aws_region(region: &Region) -> aws_config::Region {
    aws_config::Region::new(region.as_str().to_owned())
}

async fn load(region: &Region, profile: Option<&str>) -> SdkConfig {
    settings(Some(region), profile).await
}

/// Finds credentials, endpoint and, where it is not said, the region as AWS's tools do.
pub(crate) async fn settings(region: Option<&Region>, profile: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECTING).build());
    if let Some(region) = region {
        loader = loader.region(aws_region(region));
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

/// Asks AWS which account the credentials are of.
async fn whose(
    config: &SdkConfig,
    region: &Region,
    profile: Option<&str>,
) -> Result<AccountId, PublishError> {
    let sts = aws_sdk_sts::Client::new(config);
    let call = Call { operation: "GetCallerIdentity", region, limit: limit() };
    let refused = |source| PublishError::Credentials {
        partition: region.partition(),
        profile: profile.map(str::to_owned),
        source,
    };
    let answer = call.repeated(|| sts.get_caller_identity().send()).await.map_err(refused)?;
    call.required("Account", answer.account()).map_err(refused)
}
