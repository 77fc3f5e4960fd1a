//! Tests that a child process which a killed run had forked but not yet executed does not hold the
//! run's lock.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use klayers_build::pipeline::RunLock;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::command::environment;

/// Number of times that the holder of a lock is killed.
const KILLS: usize = 20;
/// The variable that passes the catalog's path to the process that holds its lock.
const CATALOG: &str = "KLAYERS_TEST_CATALOG";
const HOLDER: &str = "bad_input::half_started::holder_of_a_lock_that_starts_children";

/// A search path with so many folders that a child searches its program for a while.
fn long_search() -> String {
    "/x:".repeat(40_000)
}

/// Whether a process has a child that still runs the same program as itself.
fn starts_a_child(process: Pid) -> bool {
    let folder = format!("/proc/{}", process.as_raw_nonzero());
    let program = |process: &str| fs::read_link(format!("/proc/{process}/exe")).ok();
    let own = program(&process.as_raw_nonzero().to_string());
    let Ok(tasks) = fs::read_dir(Path::new(&folder).join("task")) else { return false };
    tasks.flatten().any(|task| {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.split_whitespace().any(|child| own.is_some() && program(child) == own)
    })
}

/// The process that the next test kills. Without the variable it does nothing.
#[test]
fn holder_of_a_lock_that_starts_children() {
    let Some(catalog) = environment(CATALOG) else { return };
    let lock = RunLock::take(Path::new(&catalog));
    while lock.is_ok() {
        let started = Command::new("no-such-program").env("PATH", long_search()).spawn();
        assert!(started.is_err());
    }
    panic!("{lock:?}");
}

#[test]
fn forked_child_does_not_hold_the_lock_of_a_killed_run() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("klayers.db");
    for _ in 0..KILLS {
        let mut holder = Command::new(std::env::current_exe().unwrap());
        holder.args(["--exact", HOLDER]).env(CATALOG, &catalog);
        let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let process = Pid::from_child(&holder);
        let begun = Instant::now();
        while !starts_a_child(process) {
            assert!(begun.elapsed() < Duration::from_secs(30), "it starts no child");
            std::thread::sleep(Duration::from_millis(1));
        }
        kill_process(process, Signal::KILL).unwrap();
        holder.wait().unwrap();
        // Immediately, since the child is still searching its program.
        let lock = RunLock::take(&catalog);
        assert!(lock.is_ok(), "{lock:?}");
    }
}
