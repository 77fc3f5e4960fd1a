use std::fmt;

use klayers_core::PackageVersion;

use crate::VersionRow;
use crate::display::server_text;

/// A layer version that was withdrawn.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WithdrawnVersion {
    /// The package's version in the layer.
    pub package_version: PackageVersion,
    /// The number of the layer version.
    pub layer_version: u64,
    /// Why it was withdrawn.
    pub reason: String,
}

impl WithdrawnVersion {
    /// The withdrawn version that a row describes; none if the row was not withdrawn.
    pub(crate) fn from_row(row: &VersionRow) -> Option<Self> {
        Some(Self {
            package_version: row.package_version.clone(),
            layer_version: row.arn.version(),
            reason: row.yanked.clone()?,
        })
    }
}

impl fmt::Display for WithdrawnVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package_version, layer_version, reason } = self;
        write!(formatter, "{package_version} (layer version {layer_version}) is withdrawn")?;
        match reason.trim() {
            "" => Ok(()),
            reason => write!(formatter, ": {}", server_text(reason)),
        }
    }
}
