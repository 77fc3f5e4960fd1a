use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that a confined program can do on this machine although it should not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gap {
    /// It can read and write all files that this user can.
    Files,
    /// It can see the other processes and their arguments.
    Processes,
    /// It can use the network, unless Python prevents that.
    Network,
    /// It can send and receive datagrams (UDP), but not open connections.
    Datagrams,
    /// It can reach sockets of other programs on this machine.
    Sockets,
    /// It can send signals to other processes of this user.
    Signals,
    /// It can deliberately outlive its deadline and the pipeline.
    Detachment,
    /// Its child processes can outlive a pipeline that is killed.
    Survival,
    /// It can fill the disk.
    Space,
    /// It sees the layer at another path than `/opt`.
    Place,
}

impl Gap {
    /// Whether the gap affects safety, and not only how closely the process resembles a Lambda
    /// function.
    pub fn is_unsafe(self) -> bool {
        self != Self::Place
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Files => "read and write all files of this user",
            Self::Processes => "see other processes",
            Self::Network => "use the network",
            Self::Datagrams => "send and receive UDP packets",
            Self::Sockets => "reach sockets of other programs on this machine",
            Self::Signals => "signal other processes of this user",
            Self::Detachment => "outlive its own end and the pipeline",
            Self::Survival => "outlive a pipeline that is killed",
            Self::Space => "fill the disk with temporary files",
            Self::Place => "see that the layer is not at /opt",
        })
    }
}
