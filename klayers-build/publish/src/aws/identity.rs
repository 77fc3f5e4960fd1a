//! Identifies the account of the credentials.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use klayers_core::{AccountId, Region};
use tracing::debug;

use super::accounts::{Access, aws_region};
use super::call::{AwsResult, Call};
use super::timeouts::NEXT_IDENTITY;
use crate::AwsErrorKind;
use crate::PublishError;

/// Number of regions to ask. If three regions do not answer, the cause is not the regions.
const ASKED: usize = 3;

/// Returns the account of the credentials, and the region that answered first.
///
/// Every region of a partition gives the same answer. If one region is silent or fails, the next is
/// asked as well, so that nothing waits for a single region.
pub(super) async fn find(
    config: &SdkConfig,
    regions: &[Region],
    profile: Option<&str>,
    deadline: Duration,
) -> Result<(AccountId, Region), PublishError> {
    let mut others = regions.iter().take(ASKED);
    let mut asked = FuturesUnordered::new();
    let mut failed = None;
    loop {
        let more = others.next();
        if let Some(region) = more {
            asked.push(async move { (region, ask(config, region, deadline).await) });
        }
        let answer = if others.len() > 0 {
            tokio::time::timeout(NEXT_IDENTITY, asked.next()).await
        } else {
            Ok(asked.next().await)
        };
        match answer {
            // Ask the next region.
            Err(_) => {}
            Ok(Some((region, Ok(account)))) => return Ok((account, region.clone())),
            Ok(Some((region, Err(error)))) => {
                debug!(%region, %error, "identity not found");
                let (partition, profile) = (region.partition(), profile.map(str::to_owned));
                if matches!(
                    error.kind(),
                    AwsErrorKind::Denied | AwsErrorKind::NoCredentials | AwsErrorKind::Refused
                ) {
                    return Err(PublishError::Credentials { partition, profile, source: error });
                }
                failed = Some(PublishError::Unidentified { partition, source: error });
            }
            Ok(None) => match failed {
                Some(error) => return Err(error),
                // Not reached: there is at least one region, and each was asked.
                None => return Err(PublishError::Ended),
            },
        }
    }
}

async fn ask(config: &SdkConfig, region: &Region, deadline: Duration) -> AwsResult<AccountId> {
    let config = config.to_builder().region(aws_region(region)).build();
    let sts = aws_sdk_sts::Client::new(&config);
    let call = Call::new("GetCallerIdentity", region, Arc::new(Access::new(deadline)));
    let answer = call.repeated(|| sts.get_caller_identity().send()).await?;
    call.required("Account", answer.account())
}
