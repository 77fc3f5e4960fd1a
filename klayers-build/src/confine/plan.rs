use serde::{Deserialize, Serialize};

use super::view::View;

/// What is to be done before a program starts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) own_root: bool,
    pub(super) landlock: bool,
    /// Which system calls are left; all of them if it says nothing.
    pub(super) allowed: Option<Allowed>,
    pub(super) view: View,
}

/// Which system calls a process may make that concern more than itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Allowed {
    /// Sockets that have names in the file system.
    pub(super) named_sockets: bool,
    pub(super) internet: Internet,
    /// Leaving its session and its process group.
    pub(super) detach: bool,
}

/// Which sockets for IP a process may make.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Internet {
    None,
    Tcp,
    All,
}
