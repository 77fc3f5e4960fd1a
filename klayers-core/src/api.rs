//! The HTTP API v2: its paths, its bodies and its formats.
//!
//! Server and client share these types, so that they always agree. A path is a [`Route`]. A body is a
//! list of one of the row types. [`Format`] is the format of a list of latest layers.

mod format;
mod problem;
mod route;
mod rows;
mod wire_time;

pub use format::{Format, latest_csv, latest_html};
pub use problem::Problem;
pub use route::{LONGEST_PATH, Route, RouteError};
pub use rows::{
    BuildRow, DeployStatus, Gate, GateImports, LatestRow, PackageRow, RegionRow, Release, Releases,
    TargetRow, VersionRow,
};
