//! Stands in for `pointers` in builds without that feature, which refuse to keep pointers.

use klayers_core::{PackageName, Region, Target};

use super::{LambdaPublisher, Pointer, PublishError};

impl LambdaPublisher {
    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(super) async fn write_pointer(&self, _: &Pointer) -> Result<(), PublishError> {
        Err(PublishError::WithoutPointers)
    }

    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(super) async fn read_pointer(
        &self,
        _: &Region,
        _: Target,
        _: &PackageName,
    ) -> Result<Option<String>, PublishError> {
        Err(PublishError::WithoutPointers)
    }
}
