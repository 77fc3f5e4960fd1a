//! Asking AWS whose the credentials are.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use klayers_core::{AccountId, Region};
use tracing::debug;

use super::accounts::{Access, aws_region};
use super::call::{Answer, Call};
use super::error::Fault;
use super::timeouts::NEXT_IDENTITY;
use crate::publish::PublishError;

/// How many regions are asked at most. Whoever is not answered by three has trouble of their own.
const ASKED: usize = 3;

/// Finds the account of the credentials, and the region that answered first.
///
/// The answer is the same everywhere in a partition, so one region that is silent or fails holds
/// nobody up: the next one is asked, too.
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
            // It is time to ask another one.
            Err(_) => {}
            Ok(Some((region, Ok(account)))) => return Ok((account, region.clone())),
            Ok(Some((region, Err(error)))) => {
                debug!(%region, %error, "identity not found");
                let (partition, profile) = (region.partition(), profile.map(str::to_owned));
                if matches!(error.fault(), Fault::Denied | Fault::NoCredentials | Fault::Refused) {
                    return Err(PublishError::Credentials { partition, profile, source: error });
                }
                failed = Some(PublishError::Unidentified { partition, source: error });
            }
            Ok(None) => match failed {
                Some(error) => return Err(error),
                // There is a region, and each was asked.
                None => return Err(PublishError::Ended),
            },
        }
    }
}

async fn ask(config: &SdkConfig, region: &Region, deadline: Duration) -> Answer<AccountId> {
    let config = config.to_builder().region(aws_region(region)).build();
    let sts = aws_sdk_sts::Client::new(&config);
    let call = Call::new("GetCallerIdentity", region, Arc::new(Access::new(deadline)));
    let answer = call.repeated(|| sts.get_caller_identity().send()).await?;
    call.required("Account", answer.account())
}
