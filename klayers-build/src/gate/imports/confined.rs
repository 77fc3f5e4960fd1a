//! Processes that have neither the environment of this one nor, where the system allows it, its
//! network.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::report::Network;
use crate::command::{Bounds, CommandError, Output, run};

/// Puts a process into namespaces of its own: no network, and no process that outlives it.
const UNSHARE: [&str; 7] =
    ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"];
/// How much a process may write, in MiB.
const OUTPUT_MIB: u64 = 16;
/// How long trying the namespaces may take.
const TRIAL: Duration = Duration::from_secs(10);

/// How processes are confined on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confinement {
    pub(super) network: Network,
}

impl Confinement {
    /// Finds out whether this machine lets processes have namespaces of their own. Some systems and
    /// most containers do not.
    pub(super) async fn find() -> Self {
        let namespaces = Self { network: Network::Absent };
        let home = Path::new("/");
        let tried = namespaces.run(home, home, &["true"], "", TRIAL).await;
        let works = tried.is_ok_and(|output| output.status == Some(0));
        Self { network: if works { Network::Absent } else { Network::Refused } }
    }

    /// Runs a program to its end.
    ///
    /// It knows its home, which is also where it is to put temporary files, and the folder where
    /// Lambda looks for the libraries of layers: `/opt/lib`, which is `lib` in the layer.
    /// `PYTHONHASHSEED` makes an import that depends on the order of a set do the same every time.
    pub(super) async fn run(
        self,
        home: &Path,
        layer: &Path,
        program: &[&str],
        input: &str,
        time: Duration,
    ) -> Result<Output, CommandError> {
        let variables = [
            "PATH=/usr/bin:/bin".to_owned(),
            "LANG=C.UTF-8".to_owned(),
            "TZ=UTC".to_owned(),
            "PYTHONHASHSEED=0".to_owned(),
            format!("HOME={}", home.display()),
            format!("TMPDIR={}", home.display()),
            format!("LD_LIBRARY_PATH={}", layer.join("lib").display()),
        ];
        let mut arguments = vec!["-i"];
        arguments.extend(variables.iter().map(String::as_str));
        if matches!(self.network, Network::Absent) {
            arguments.extend(UNSHARE);
        }
        arguments.extend(program);
        let mut command = Command::new("/usr/bin/env");
        run(command.args(arguments), input, Bounds { time, output_mib: OUTPUT_MIB }).await
    }
}
