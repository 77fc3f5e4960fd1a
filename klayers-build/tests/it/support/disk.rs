//! Folders that are full or read-only.

use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::command::{Home, Outcome, say_skipped};

/// The special property of one of the command's folders.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Folder {
    /// A separate disk with this size in KiB.
    Small(u32),
    /// Read-only.
    ReadOnly,
}

impl Home {
    /// Runs the command while a folder has this property. Returns none, with a visible note, if
    /// that is impossible here. At the end of stdout, the files left in the folder are listed.
    pub(crate) fn run_with(&self, folder: &str, is: Folder, arguments: &[&str]) -> Option<Outcome> {
        std::fs::create_dir_all(self.path(folder)).unwrap();
        let (namespace, before) = match is {
            _ if namespaces() => (true, mount(is)),
            // Limits files to half of the disk. The signal that would end the command is ignored,
            // so that it gets an error.
            Folder::Small(kib) => (false, format!("trap '' XFSZ; ulimit -f {kib}")),
            Folder::ReadOnly if !geteuid().is_root() => (false, "chmod a-w \"$folder\"".to_owned()),
            Folder::ReadOnly => {
                say_skipped("root may write everywhere, and unshare -rm does not work here");
                return None;
            }
        };
        let script = format!(
            "folder=$1; shift; {before}; \"$@\"; code=$?; \
             chmod u+w \"$folder\" 2>&-; echo left:; cd \"$folder\" && find . -type f | sort; exit $code"
        );
        let mut command = Command::new(if namespace { "unshare" } else { "sh" });
        if namespace {
            command.args(["-rm", "sh"]);
        }
        command.args(["-c", &script, "sh"]).arg(self.path(folder));
        command.arg(env!("CARGO_BIN_EXE_klayers-pipeline")).args(arguments);
        self.confine(&mut command);
        Some(self.finish(command.spawn().unwrap()))
    }
}

fn mount(is: Folder) -> String {
    match is {
        Folder::Small(kib) => format!("mount -t tmpfs -o size={kib}k tmpfs \"$folder\" || exit 99"),
        Folder::ReadOnly => {
            "mount --bind \"$folder\" \"$folder\" && mount -o remount,bind,ro \"$folder\" || exit 99"
                .to_owned()
        }
    }
}

/// Whether a separate disk can be mounted. Prints a note if not.
#[track_caller]
pub(crate) fn disks_can_be_mounted() -> bool {
    let can = namespaces();
    if !can {
        say_skipped("unshare -rm does not work here, so no disk can be mounted");
    }
    can
}

/// Whether folders can be mounted in a separate namespace.
fn namespaces() -> bool {
    let script = "mount -t tmpfs tmpfs /tmp";
    let tried = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
