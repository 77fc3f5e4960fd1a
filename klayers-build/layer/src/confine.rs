//! Confinement: runs untrusted code so that it reaches nothing of this machine that it does not
//! need.
//!
//! Modules that are imported and source distributions that are built are code that nobody here has
//! reviewed. A [`Confinement`] runs a program that sees only the system's programs and libraries
//! and the folders of its `View`, writes only where the view allows it, has no network, and ends
//! when the pipeline ends. Three mechanisms of the kernel enforce that:
//!
//! - *Namespaces* give the program its own root folder, process list and network. The root is built
//!   from bind mounts before the program starts. Most containers refuse namespaces.
//! - *[Landlock]* limits what the program may open, connect to and signal. It needs no privileges
//!   and also works in containers.
//! - A *filter of system calls* refuses kinds of sockets that neither of the two covers.
//!
//! All available mechanisms are used. A [trial](Confinement::find) finds those that are missing,
//! and [`Confinement::gaps`] names what a program can do without them.
//!
//! Mounting and Landlock must happen in the new process, just before the program starts. So the
//! pipeline starts its own executable again, and [`enter`] does the rest there. A program that uses
//! this library calls `enter` at the top of its `main`. Without that call programs have no root of
//! their own: the thread that starts a program is restricted by Landlock, and the program inherits
//! the restriction.
//!
//! [Landlock]: https://docs.kernel.org/userspace-api/landlock.html

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::geteuid;
#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::command::{Bounds, CommandError, Output, can_kill_with_parent, run_apart, setpriv};

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(target_os = "linux")]
mod mounts;
mod plan;
#[cfg(target_os = "linux")]
mod root;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "Linux alone has most of it"))]
mod system;
#[cfg(target_os = "linux")]
mod system_calls;
mod toolchain;
#[cfg(target_os = "linux")]
mod trampoline;
mod view;

#[cfg(not(target_os = "linux"))]
use elsewhere::{landlock, system_calls};
pub use klayers_wheel::gate_report::Gap;
pub(crate) use toolchain::Toolchain;
pub(crate) use view::View;

use plan::{Allowed, Internet, Plan};

/// First argument that makes the executable set up a confinement and become another program.
const TRAMPOLINE_ARGUMENT: &str = concat!("confine-", env!("CARGO_PKG_VERSION"));
/// First version of Landlock that restricts named (Unix) sockets.
const NAMED_SOCKETS: u8 = 9;
/// Deadline of a trial.
const TRIAL: Duration = Duration::from_secs(20);
/// `PATH` for the tools that start a program.
const SEARCH_PATH: &str = "/usr/bin:/bin";
/// The executable that called [`enter`].
static TRAMPOLINE: OnceLock<PathBuf> = OnceLock::new();
/// What this machine allows. It does not change while this process runs.
static FOUND: OnceCell<Confinement> = OnceCell::const_new();

/// Prepares this executable to confine programs. Call this first in `main`, before threads start,
/// and return the exit code if there is one.
///
/// In an ordinary start, this marks the process as not dumpable, so that no other process of the
/// same user can read its environment or memory through `/proc` or a debugger. Started by a
/// [`Confinement`], the process becomes the confined program; it returns an exit code only if that
/// fails.
pub fn enter() -> Option<ExitCode> {
    #[cfg(target_os = "linux")]
    {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|first| first == TRAMPOLINE_ARGUMENT) {
            return Some(trampoline::become_confined(arguments));
        }
        // This does not fail on kernels with `/proc`.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    if let Ok(program) = std::env::current_exe() {
        let _ = TRAMPOLINE.set(program);
    }
    None
}

/// The mechanisms that a [`Confinement`] may use.
#[derive(Clone, Debug)]
pub struct Options {
    /// The executable that calls [`enter`], if there is one.
    pub trampoline: Option<PathBuf>,
    /// Whether to try namespaces.
    pub namespaces: bool,
    /// Whether to try Landlock.
    pub landlock: bool,
    /// Whether to try filters of system calls.
    pub system_calls: bool,
}

impl Default for Options {
    /// All mechanisms. The trampoline is this executable, if it called [`enter`].
    fn default() -> Self {
        let trampoline = TRAMPOLINE.get().cloned();
        Self { trampoline, namespaces: true, landlock: true, system_calls: true }
    }
}

/// How programs are confined on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Confinement {
    trampoline: Option<PathBuf>,
    namespaces: Namespaces,
    /// The version of Landlock that is enforced; 0 if there is none.
    landlock: u8,
    /// Whether system calls are filtered.
    filtered: bool,
    /// Whether a program ends when this process is killed.
    tied: bool,
}

/// What a program has for itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Namespaces {
    /// Its network, its process list and its root folder.
    Root,
    /// Its network and its processes. It shares the folders of the system.
    Processes,
    None,
}

impl Confinement {
    /// Finds out by trial, once per process, what this machine allows.
    pub async fn find() -> Self {
        FOUND.get_or_init(async || Self::with(&Options::default()).await).await.clone()
    }

    /// Finds out by trial which of these options this machine allows.
    pub async fn with(options: &Options) -> Self {
        let landlock = if options.landlock { landlock::version() } else { 0 };
        let filtered = options.system_calls && system_calls::works();
        let tied = can_kill_with_parent().await;
        let namespaces: &[Namespaces] = match (options.namespaces, &options.trampoline) {
            (true, Some(_)) => &[Namespaces::Root, Namespaces::Processes, Namespaces::None],
            (true, None) => &[Namespaces::Processes, Namespaces::None],
            (false, _) => &[Namespaces::None],
        };
        let trampolines = options.trampoline.iter().map(Some).chain([None]);
        for trampoline in trampolines {
            for &namespaces in namespaces {
                let trampoline = trampoline.cloned();
                let confinement = Self { trampoline, namespaces, landlock, filtered, tied };
                match confinement.trial().await {
                    Ok(()) => return confinement,
                    Err(reason) => tracing::debug!(?confinement, reason, "not possible here"),
                }
            }
        }
        // The tools are missing. Landlock and filters work without them.
        let (trampoline, namespaces) = (None, Namespaces::None);
        Self { trampoline, namespaces, landlock, filtered, tied: false }
    }

    /// Returns what a confined program can still do on this machine.
    pub fn gaps(&self) -> BTreeSet<Gap> {
        let none = self.namespaces == Namespaces::None;
        let own_root = self.namespaces == Namespaces::Root;
        // Landlock and the filter each cover some gaps of the other.
        let shared = |version: u8| !own_root && self.landlock < version;
        let unfiltered = !self.filtered;
        let gaps = [
            (Gap::Files, shared(1)),
            (Gap::Processes, shared(1) || !own_root && self.trampoline.is_none()),
            (Gap::Network, none && shared(landlock::TCP) && unfiltered),
            (Gap::Datagrams, none && unfiltered),
            (Gap::Sockets, unfiltered),
            (Gap::Signals, none && shared(landlock::SCOPES)),
            (Gap::Detachment, none && (unfiltered || self.trampoline.is_none())),
            (Gap::Survival, none || !self.tied),
            (Gap::Space, !own_root),
            (Gap::Place, !own_root),
        ];
        gaps.into_iter().filter(|(_, open)| *open).map(|(gap, _)| gap).collect()
    }

    /// Returns a sentence about the harm that a confined program could do on this machine. None if
    /// there is no such gap.
    pub fn warning(&self) -> Option<String> {
        let gaps = self.gaps();
        let open: Vec<String> =
            gaps.iter().filter(|gap| gap.is_unsafe()).map(Gap::to_string).collect();
        (!open.is_empty()).then(|| {
            format!(
                "this system does not let Klayers confine the code of packages completely, as most \
                 containers do not; a package that is imported or built could {}",
                open.join(", ")
            )
        })
    }

    /// Whether a program has no network at all.
    pub(crate) fn is_offline(&self) -> bool {
        !self.gaps().iter().any(|gap| matches!(gap, Gap::Network | Gap::Datagrams))
    }

    /// Returns the path under which a program sees a folder that its view [reads](View::read).
    pub(crate) fn seen(&self, outside: &Path, inside: &Path) -> PathBuf {
        let own_root = self.namespaces == Namespaces::Root;
        if own_root { inside } else { outside }.to_owned()
    }

    /// Runs a program to its end.
    pub(crate) async fn run(
        &self,
        view: &View,
        program: &[String],
        input: &str,
        bounds: Bounds,
    ) -> Result<Output, CommandError> {
        // Without its own root, the program gets a temporary folder of this machine.
        let own_root = self.namespaces == Namespaces::Root;
        let temporary = if own_root { None } else { Some(view.temporary()?) };
        let shown = view.resolved(temporary.as_ref().map(tempfile::TempDir::path));
        let shown = if own_root { shown.and_then(view::View::exploded) } else { shown };
        let mut shown = shown.map_err(CommandError::Start)?;
        if !own_root && !shown.folder.is_dir() {
            shown.folder = PathBuf::from("/");
        }
        let landlock = self.landlock > 0;
        let own_network = self.namespaces != Namespaces::None;
        let allowed = self.filtered.then_some(Allowed {
            named_sockets: own_root || self.landlock >= NAMED_SOCKETS,
            internet: match (own_network, self.landlock >= landlock::TCP) {
                (true, _) => Internet::All,
                (false, true) => Internet::Tcp,
                (false, false) => Internet::None,
            },
            // A program started by a thread becomes a process group of its own.
            detach: own_network || self.trampoline.is_none(),
        });
        let plan = Plan { own_root, landlock, allowed, view: shown };
        let line = self.line(&plan, program).map_err(CommandError::Start)?;
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).env_clear().env("PATH", SEARCH_PATH);
        let in_thread = self.trampoline.is_none();
        let prepare = move || {
            if in_thread && landlock {
                landlock::restrict_thread(&plan.view)?;
            }
            plan.allowed.filter(|_| in_thread).map_or(Ok(()), system_calls::filter)
        };
        run_apart(command, prepare, input, bounds).await
    }

    /// Returns the command line, with all tools that start the program.
    fn line(&self, plan: &Plan, program: &[String]) -> io::Result<Vec<String>> {
        let mut line: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| line.extend(words.iter().map(|&word| word.to_owned()));
        if self.tied {
            add(&[setpriv(), "--pdeathsig", "KILL"]);
        }
        let root = geteuid().is_root();
        if self.namespaces != Namespaces::None {
            add(&["unshare", "--net", "--pid", "--ipc", "--fork", "--kill-child"]);
            // If Landlock restricts root already, it cannot write its user mapping, and does not
            // need one.
            if self.trampoline.is_some() || !root {
                add(&["--user", "--map-root-user"]);
            }
        }
        if plan.own_root {
            add(&["--mount"]);
        }
        if let Some(trampoline) = &self.trampoline {
            let trampoline = trampoline.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
            let plan = serde_json::to_string(plan).map_err(io::Error::other)?;
            add(&[trampoline, TRAMPOLINE_ARGUMENT, &plan]);
        } else {
            // A process in its own user namespace is root there.
            if root || self.namespaces != Namespaces::None {
                add(&["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]);
            }
            // The variables come last: `LD_LIBRARY_PATH` must not affect the tools.
            add(&["env", "-i", "-C", &plan.view.folder.display().to_string()]);
            let variables = plan.view.variables.iter();
            line.extend(variables.map(|(name, value)| format!("{name}={value}")));
        }
        line.extend(program.iter().cloned());
        Ok(line)
    }

    /// Runs a program that does nothing, to test the mechanisms.
    async fn trial(&self) -> Result<(), String> {
        let view = View::new(Path::new("/tmp"));
        let program = ["true".to_owned()];
        let bounds = Bounds { time: TRIAL, output_mib: 1 };
        match self.run(&view, &program, "", bounds).await {
            Ok(output) if output.status == Some(0) => Ok(()),
            Ok(output) => Err(output.explanation()),
            Err(error) => Err(error.to_string()),
        }
    }
}
