use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that a confined program can do on this machine although it should not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gap {
    /// It reads and writes whatever this user can.
    Files,
    /// It sees which other processes run, with their arguments.
    Processes,
    /// It uses the network, as far as Python does not keep it from that.
    Network,
    /// It sends and receives datagrams (UDP), though it has no connections.
    Datagrams,
    /// It reaches sockets of other programs on this machine.
    Sockets,
    /// It sends signals to other processes of this user.
    Signals,
    /// It outlives its deadline, and the pipeline, if it means to.
    Detachment,
    /// What it started outlives a pipeline that is killed.
    Survival,
    /// It can fill the disk.
    Space,
    /// It finds a layer elsewhere than at `/opt`.
    Place,
}

impl Gap {
    /// Whether it concerns safety, and not only how well the process resembles a function.
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
