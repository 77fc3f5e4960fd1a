//! Runs in the executable that was started to become a confined program.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
};

use super::plan::Plan;
use super::{landlock, root, system_calls};

/// Exit status if the program could not be confined.
const NOT_CONFINED: u8 = 125;

/// Confines this process and then runs the program in its place. Returns only if that fails.
pub(super) fn become_confined(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Err(error) = confine(arguments);
    let message = format!("could not confine the program: {error}\n");
    let _ = io::stderr().write_all(message.as_bytes());
    NOT_CONFINED.into()
}

fn confine(mut arguments: impl Iterator<Item = OsString>) -> io::Result<std::convert::Infallible> {
    let missing = || io::Error::from(io::ErrorKind::InvalidInput);
    let plan = arguments.next().and_then(|plan| plan.into_string().ok()).ok_or_else(missing)?;
    let plan: Plan = serde_json::from_str(&plan).map_err(io::Error::other)?;
    let program = arguments.next().ok_or_else(missing)?;
    // The order matters: neither a process under Landlock nor one without capabilities can mount.
    if plan.own_root {
        root::enter(&plan.view)?;
    }
    if plan.landlock {
        if plan.own_root {
            landlock::restrict_in_own_root(&plan.view)?;
        } else {
            landlock::restrict(&plan.view)?;
        }
    }
    drop_privileges()?;
    if let Some(allowed) = plan.allowed {
        system_calls::filter(allowed)?;
    }
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&plan.view.variables);
    Err(command.current_dir(&plan.view.folder).exec())
}

/// Drops all capabilities permanently: with `no_new_privs`, no program that is run gets them back,
/// not even as root.
fn drop_privileges() -> io::Result<()> {
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(set_capabilities(None, sets)?)
}
