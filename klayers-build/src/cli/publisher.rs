//! Where layers are published to.

use std::sync::Arc;

use klayers_build::Error;
use klayers_build::config::{PublishConfig, PublishTarget};
use klayers_core::Region;
use klayers_publish::{FolderPublisher, LambdaPublisher, Publisher};

/// The publisher that the configuration asks for. Credentials are looked for before anything is
/// done.
pub(super) async fn publisher(
    config: &PublishConfig,
    regions: &[Region],
) -> Result<Arc<dyn Publisher>, Error> {
    Ok(match config.target {
        PublishTarget::Local => Arc::new(FolderPublisher::open(&config.root)?),
        PublishTarget::Aws => {
            Arc::new(LambdaPublisher::connect(config.aws.clone(), regions).await?)
        }
    })
}
