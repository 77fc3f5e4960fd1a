//! Folders that are full, or that may only be read.

use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::command::{Home, Outcome, say_skipped};

/// Where the command works while one of its folders is different from others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Folder {
    /// It is a disk of its own, of this many KiB.
    Small(u32),
    /// It may only be read.
    ReadOnly,
}

impl Home {
    /// Runs the command while a folder is like that; none, and loudly so, where such a folder is
    /// not to be had. What was left in the folder is listed, then, at the end of stdout.
    pub(crate) fn run_with(&self, folder: &str, is: Folder, arguments: &[&str]) -> Option<Outcome> {
        std::fs::create_dir_all(self.path(folder)).unwrap();
        let (namespace, before) = match is {
            _ if namespaces() => (true, mount(is)),
            // A file may not become larger than half of the disk then. The signal that would end
            // the command is ignored, so that it is told instead.
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

/// Whether a folder can be a disk of its own. Where it cannot, that is said.
#[track_caller]
pub(crate) fn disks_can_be_mounted() -> bool {
    let can = namespaces();
    if !can {
        say_skipped("unshare -rm does not work here, so no disk can be mounted");
    }
    can
}

/// Whether folders may be mounted in a namespace of one's own.
fn namespaces() -> bool {
    let script = "mount -t tmpfs tmpfs /tmp";
    let tried = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
