//! A child that a killed run was starting, and that has not become another program yet.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use klayers_build::pipeline::RunLock;
use rustix::process::{Pid, Signal, kill_process};

use super::home;

/// How many runs are killed.
const RUNS: usize = 10;

/// A search path with so many folders before the real ones that a child takes a good part of a
/// second to find its program.
fn long_search(before: &str) -> String {
    format!("{}{before}", "/x:".repeat(40_000))
}

/// Whether a process has a child that is still the same program as itself.
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

#[test]
fn a_half_started_child_does_not_hold_the_lock_of_a_killed_run() {
    let home = home();
    // It only has to be found, late: nothing is resolved before the run is killed.
    home.fake_uv("if [ \"$1\" = --version ]; then echo 'uv 0.9.0'; exit; fi; sleep 60");
    let mut killed_while_starting = 0;
    for _ in 0..RUNS {
        let mut command = home.command(&["run"]);
        let search = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
        let search = long_search(search.to_str().unwrap());
        let mut run = command.env("PATH", search).spawn().unwrap();
        let process = Pid::from_child(&run);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            if home.path("klayers.db").exists() && starts_a_child(process) {
                killed_while_starting += 1;
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        kill_process(process, Signal::KILL).unwrap();
        run.wait().unwrap();
        // At once: the child is still looking for its program.
        let lock = RunLock::take(&home.path("klayers.db"));
        assert!(lock.is_ok(), "{lock:?}");
        fs::remove_file(home.path("klayers.db")).unwrap();
    }
    assert!(killed_while_starting > 0, "no run was killed while it started a child");
}
