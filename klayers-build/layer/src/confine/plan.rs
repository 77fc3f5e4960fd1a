use serde::{Deserialize, Serialize};

use super::view::View;

/// The steps before a program starts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) own_root: bool,
    pub(super) landlock: bool,
    /// Restricts system calls. None for no restriction.
    pub(super) allowed: Option<Allowed>,
    pub(super) view: View,
}

/// The system calls that a process may make although they affect more than the process itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Allowed {
    /// Sockets with names in the file system.
    pub(super) named_sockets: bool,
    pub(super) internet: Internet,
    /// Leaving its session and its process group.
    pub(super) detach: bool,
}

/// The IP sockets that a process may create.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Internet {
    None,
    Tcp,
    All,
}
