//! Landlock: limits what a process may open, connect to and signal, whatever user it runs as.

use std::io;
use std::path::Path;
use std::thread;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _,
    RulesetStatus, Scope,
};

use super::system;
use super::view::View;

/// The newest version whose restrictions are used.
const NEWEST: ABI = ABI::V9;
/// First version that restricts TCP.
pub(super) const TCP: u8 = 4;
/// First version that restricts signals and abstract sockets.
pub(super) const SCOPES: u8 = 6;

/// Returns the version of Landlock that this kernel enforces, found by restricting a thread that
/// does nothing else. 0 if there is none.
pub(super) fn version() -> u8 {
    let tried = thread::spawn(|| {
        let status = created().ok()?.restrict_self().ok()?;
        let enforced = status.ruleset != RulesetStatus::NotEnforced;
        match status.landlock {
            LandlockStatus::Available { effective_abi, .. } if enforced => Some(effective_abi),
            _ => None,
        }
    });
    // The enumeration's numbers are those of the versions.
    tried.join().ok().flatten().map_or(0, |abi| abi as u8)
}

/// Restricts where this thread may write. Its root was built for it.
pub(super) fn restrict_in_own_root(view: &View) -> io::Result<()> {
    let mut rules = Rules(created()?);
    rules.read(Path::new("/"))?;
    for folder in ["/tmp", "/dev/shm"] {
        rules.write(Path::new(folder))?;
    }
    rules.devices()?;
    // These have the same path outside and inside.
    for folder in view.writable.keys() {
        rules.write(folder)?;
    }
    rules.enforce()
}

/// Restricts this thread, which shares the system's root, to its view.
pub(super) fn restrict(view: &View) -> io::Result<()> {
    let mut rules = rules(view)?;
    rules.read(Path::new("/proc/self"))?;
    rules.enforce()
}

/// The same for a thread that starts programs through tools. Their process ids are not known yet,
/// so all of `/proc` is readable unless the kernel protects it. The tools set up namespaces; unless
/// the user is root, they have to write to `/proc` for that.
pub(super) fn restrict_thread(view: &View) -> io::Result<()> {
    let mut rules = rules(view)?;
    rules.read(Path::new("/proc"))?;
    if !rustix::process::geteuid().is_root() {
        rules.allow(Path::new("/proc"), AccessFs::WriteFile.into())?;
    }
    rules.enforce()
}

fn rules(view: &View) -> io::Result<Rules> {
    let mut rules = Rules(created()?);
    let system = system::FOLDERS.iter().chain(&system::SETTINGS).chain(&system::PROC);
    for path in system.chain(system::WRITTEN.iter().map(|(path, _)| path)) {
        rules.read(Path::new(path))?;
    }
    rules.devices()?;
    for path in view.readable.values() {
        rules.read(path)?;
    }
    for folder in view.writable.values() {
        rules.write(folder)?;
    }
    if view.shared_memory {
        rules.write(Path::new("/dev/shm"))?;
    }
    Ok(rules)
}

/// Creates rules that allow nothing yet.
fn created() -> io::Result<RulesetCreated> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let ruleset = ruleset.handle_access(AccessFs::from_all(NEWEST)).map_err(io::Error::other)?;
    let ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST)).map_err(io::Error::other)?;
    let ruleset = ruleset.scope(Scope::from_all(NEWEST)).map_err(io::Error::other)?;
    ruleset.create().map_err(io::Error::other)
}

struct Rules(RulesetCreated);

impl Rules {
    fn read(&mut self, path: &Path) -> io::Result<()> {
        self.allow(path, AccessFs::from_read(NEWEST))
    }

    fn write(&mut self, folder: &Path) -> io::Result<()> {
        let devices = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
        self.allow(folder, AccessFs::from_all(NEWEST) & !devices)
    }

    fn devices(&mut self) -> io::Result<()> {
        for device in system::DEVICES {
            self.allow(Path::new(device), AccessFs::ReadFile | AccessFs::WriteFile)?;
        }
        Ok(())
    }

    /// Allows access below a path, if it exists.
    fn allow(&mut self, path: &Path, access: BitFlags<AccessFs>) -> io::Result<()> {
        let Ok(metadata) = path.metadata() else { return Ok(()) };
        let access = if metadata.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
        let opened = PathFd::new(path).map_err(io::Error::other)?;
        let rule = PathBeneath::new(opened, access);
        (&mut self.0).add_rule(rule).map_err(io::Error::other)?;
        Ok(())
    }

    fn enforce(self) -> io::Result<()> {
        let status = self.0.restrict_self().map_err(io::Error::other)?;
        match status.ruleset {
            RulesetStatus::NotEnforced => Err(io::Error::other("Landlock is not enforced")),
            _ => Ok(()),
        }
    }
}
