//! Confinement: running code of others so that it reaches nothing of this machine that it does not
//! need.
//!
//! Imported modules and the builds of source distributions are code that nobody here has read. A
//! [`Confinement`] runs a program that sees the system's programs and libraries, the folders of its
//! `View` and nothing else, writes only where the view allows it, has no network, and ends when
//! the pipeline does. Three mechanisms of the kernel stand behind that:
//!
//! - *Namespaces* give the program its own root folder, process list and network. The root is built
//!   from bind mounts before the program starts. Most containers refuse namespaces.
//! - *[Landlock]* limits what the program may open, connect to and signal. It needs no privileges
//!   and works in containers, too.
//! - A *filter of system calls* refuses kinds of sockets that neither of the two covers.
//!
//! All are used that are there. What is missing is found by a [trial](Confinement::find), and
//! [`Confinement::gaps`] names what stays open then.
//!
//! Mounting and Landlock have to happen in the new process, just before the program starts. So the
//! pipeline starts its own executable again, and [`enter`] does the rest there. A program that uses
//! this library calls `enter` at the top of its `main`. Without that call there is no own root: the
//! thread that starts a program is restricted by Landlock, and the program inherits it.
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

use crate::command::{Bounds, CommandError, Output, can_tie, run_apart, setpriv};

#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod gap;
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
pub use gap::Gap;
pub(crate) use toolchain::Toolchain;
pub(crate) use view::View;

use plan::{Allowed, Internet, Plan};

/// The first argument that has the executable set up a confinement and become another program.
const MARK: &str = concat!("confine-", env!("CARGO_PKG_VERSION"));
/// The version of Landlock from which it restricts sockets that have names, too.
const NAMED_SOCKETS: u8 = 9;
/// How long a trial may take.
const TRIAL: Duration = Duration::from_secs(20);
/// Where the tools are that a program is started through.
const SEARCH_PATH: &str = "/usr/bin:/bin";
/// The executable that called [`enter`].
static ENTERED: OnceLock<PathBuf> = OnceLock::new();
/// What this machine allows; it does not change while this process runs.
static FOUND: OnceCell<Confinement> = OnceCell::const_new();

/// Makes this executable one that can confine programs. Call it first in `main`, before threads
/// start, and return the exit code if there is one.
///
/// Started in the ordinary way, this process is marked as not dumpable, so that no other process of
/// the same user reads its environment or its memory through `/proc` or a debugger. Started by a
/// [`Confinement`], this process becomes the confined program; an exit code then says that it could
/// not.
pub fn enter() -> Option<ExitCode> {
    #[cfg(target_os = "linux")]
    {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|first| first == MARK) {
            return Some(trampoline::become_confined(arguments));
        }
        // It fails on no kernel that has `/proc`.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    if let Ok(program) = std::env::current_exe() {
        let _ = ENTERED.set(program);
    }
    None
}

/// What a [`Confinement`] may use.
#[derive(Clone, Debug)]
pub struct Options {
    /// The executable that calls [`enter`], if there is one.
    pub trampoline: Option<PathBuf>,
    /// Whether namespaces are tried.
    pub namespaces: bool,
    /// Whether Landlock is tried.
    pub landlock: bool,
    /// Whether filtering system calls is tried.
    pub system_calls: bool,
}

impl Default for Options {
    /// All there is. The trampoline is this executable, if it called [`enter`].
    fn default() -> Self {
        let trampoline = ENTERED.get().cloned();
        Self { trampoline, namespaces: true, landlock: true, system_calls: true }
    }
}

/// How programs are confined on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Confinement {
    trampoline: Option<PathBuf>,
    namespaces: Namespaces,
    /// The version of Landlock that is enforced; 0 where there is none.
    landlock: u8,
    /// Whether system calls are filtered.
    filtered: bool,
    /// Whether a program ends when this process is killed.
    tied: bool,
}

/// Which parts of the system a program has for itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Namespaces {
    /// Its network, its process list and its root folder.
    Root,
    /// Its network and its processes; the folders are those of the system.
    Processes,
    None,
}

impl Confinement {
    /// Finds out by trial, once in the life of this process, what this machine allows.
    pub async fn find() -> Self {
        FOUND.get_or_init(async || Self::with(&Options::default()).await).await.clone()
    }

    /// Finds out by trial what this machine allows of these options.
    pub async fn with(options: &Options) -> Self {
        let landlock = if options.landlock { landlock::version() } else { 0 };
        let filtered = options.system_calls && system_calls::works();
        let tied = can_tie().await;
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
                match confinement.tried().await {
                    Ok(()) => return confinement,
                    Err(reason) => tracing::debug!(?confinement, reason, "not possible here"),
                }
            }
        }
        // Not even the tools are there, which Landlock and filters do without.
        let (trampoline, namespaces) = (None, Namespaces::None);
        Self { trampoline, namespaces, landlock, filtered, tied: false }
    }

    /// What stays open to a confined program on this machine.
    pub fn gaps(&self) -> BTreeSet<Gap> {
        let none = self.namespaces == Namespaces::None;
        let own_root = self.namespaces == Namespaces::Root;
        // Without a filter, what Landlock leaves open, and the other way round.
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

    /// One sentence about what a confined program could do on this machine to other things on it,
    /// if there is anything.
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

    /// Whether a program reaches no network at all.
    pub(crate) fn is_offline(&self) -> bool {
        !self.gaps().iter().any(|gap| matches!(gap, Gap::Network | Gap::Datagrams))
    }

    /// Where a program sees a folder that its view [reads](View::read).
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
        // Where there is no own root, its folder for temporary files is one of this machine's.
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
            // What a thread starts becomes a process group of its own.
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

    /// The program with all that it is started through.
    fn line(&self, plan: &Plan, program: &[String]) -> io::Result<Vec<String>> {
        let mut line: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| line.extend(words.iter().map(|&word| word.to_owned()));
        if self.tied {
            add(&[setpriv(), "--pdeathsig", "KILL"]);
        }
        let root = geteuid().is_root();
        if self.namespaces != Namespaces::None {
            add(&["unshare", "--net", "--pid", "--ipc", "--fork", "--kill-child"]);
            // Restricted by Landlock already, root could not write its mapping, and needs none.
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
            add(&[trampoline, MARK, &plan]);
        } else {
            // Who has a user namespace is root in it.
            if root || self.namespaces != Namespaces::None {
                add(&["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]);
            }
            // The variables come last: `LD_LIBRARY_PATH` must not reach the tools before.
            add(&["env", "-i", "-C", &plan.view.folder.display().to_string()]);
            let variables = plan.view.variables.iter();
            line.extend(variables.map(|(name, value)| format!("{name}={value}")));
        }
        line.extend(program.iter().cloned());
        Ok(line)
    }

    /// Runs a program that does nothing, for all that stands before it.
    async fn tried(&self) -> Result<(), String> {
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
