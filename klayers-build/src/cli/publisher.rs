//! The publisher that the configuration names.

use std::sync::Arc;

use klayers_build::Error;
#[cfg(not(feature = "aws"))]
use klayers_build::MissingFeatureError;
use klayers_build::config::{PublishConfig, PublishTarget};
use klayers_core::Region;
#[cfg(feature = "aws")]
use klayers_publish::LambdaPublisher;
use klayers_publish::{FolderPublisher, Publisher};

/// Connects the publisher that the configuration names. Fails here if there are no credentials,
/// before anything is published.
pub(super) async fn publisher(
    config: &PublishConfig,
    regions: &[Region],
) -> Result<Arc<dyn Publisher>, Error> {
    Ok(match config.target {
        PublishTarget::Local => Arc::new(FolderPublisher::open(&config.root)?),
        PublishTarget::Aws => aws(config, regions).await?,
    })
}

#[cfg(feature = "aws")]
async fn aws(config: &PublishConfig, regions: &[Region]) -> Result<Arc<dyn Publisher>, Error> {
    Ok(Arc::new(LambdaPublisher::connect(config.aws.clone(), regions).await?))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn aws(_: &PublishConfig, _: &[Region]) -> Result<Arc<dyn Publisher>, Error> {
    Err(MissingFeatureError { feature: "aws", action: "publish to AWS" }.into())
}
