//! How long AWS may take. Every limit of time stands here, with its reason.

use std::time::Duration;

/// The longest time that Lambda takes to make a layer version once it has the whole request, and to
/// list it. Layers near the size limit take some 20 seconds; AWS's own SDKs give up after 60.
pub(super) const LONGEST_PUBLICATION: Duration = Duration::from_mins(1);
