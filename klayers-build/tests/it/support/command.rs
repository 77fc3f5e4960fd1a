//! Runs the command `klayers-pipeline` as a process in its own folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::WheelFile;

/// Deadline of a command, after which it is killed.
const DEADLINE: Duration = Duration::from_mins(2);
/// The folder of the caches, which are not part of a command's output.
const CACHES: &str = "caches";

/// A working folder for commands, with its own wheels, configuration and caches.
pub(crate) struct Home {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// Sets an environment variable for all commands.
    pub(crate) fn tell(&mut self, variable: &'static str, value: &str) {
        self.environment.push((variable, value.to_owned()));
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Writes a file, and creates its folders.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes wheels into the folder `wheels`.
    pub(crate) fn wheels(&self, wheels: &[WheelFile]) -> PathBuf {
        let folder = self.path("wheels");
        for wheel in wheels {
            wheel.write(&folder);
        }
        folder
    }

    /// Writes a `klayers.toml` that uses only packages in the folder `wheels`, and its config
    /// folder: the packages of each target, and the regions.
    pub(crate) fn collection(&self, packages: &[(&str, &[&str])], regions: &[&str]) {
        fs::create_dir_all(self.path("wheels")).unwrap();
        self.write(
            "klayers.toml",
            "config_dir = \"config\"\n[gate]\nimports = false\n[build]\nbytecode = \"off\"\n\
             find_links = [\"wheels\"]\nno_index = true\n",
        );
        let mut config = serde_json::Map::new();
        let targets: Vec<&str> = packages.iter().map(|(target, _)| *target).collect();
        config.insert("python_versions".to_owned(), targets.into());
        for (target, names) in packages {
            let file = format!("packages_{target}.csv");
            let rows: Vec<String> = names.iter().map(|name| format!("{name}, MIT, x")).collect();
            let csv = format!("Package_Name,License,Authors/Maintainers\n{}\n", rows.join("\n"));
            self.write(&format!("config/{file}"), csv);
            config.insert((*target).to_owned(), serde_json::json!({ "packages_file": file }));
        }
        self.write("config/config.json", serde_json::Value::Object(config).to_string());
        self.regions(regions);
    }

    /// Writes the `regions.csv`.
    pub(crate) fn regions(&self, regions: &[&str]) {
        let rows: Vec<String> = regions.iter().map(|region| format!("{region}, A place")).collect();
        self.write("config/regions.csv", format!("Code,Name\n{}\n", rows.join("\n")));
    }

    /// Installs a script as `uv`, in place of the real one.
    pub(crate) fn fake_uv(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write("bin/uv", format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Creates the command with arguments. Of this machine's environment it gets only `PATH`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klayers-pipeline"));
        command.args(arguments);
        self.confine(&mut command);
        command
    }

    /// Sets this working folder and the environment of [`Home::command`].
    pub(crate) fn confine(&self, command: &mut Command) {
        let mut search = vec![self.path("bin")];
        search.extend(std::env::split_paths(&environment("PATH").unwrap_or_default()));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::join_paths(search).unwrap())
            .env("HOME", self.folder.path())
            .env("UV_CACHE_DIR", self.path(CACHES).join("uv"))
            .env("KLAYERS_CACHE_DIR", self.path(CACHES).join("klayers"))
            .env("UV_NO_CONFIG", "1")
            .envs(self.environment.iter().map(|(variable, value)| (variable, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    /// Waits for the end of a started command.
    pub(crate) fn finish(&self, child: Child) -> Outcome {
        let id = Pid::from_child(&child);
        let (ended, waiting) = channel::<()>();
        let watchdog = thread::spawn(move || {
            let late = waiting.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout);
            if late {
                let _ = kill_process(id, Signal::KILL);
            }
            late
        });
        let output = child.wait_with_output().unwrap();
        drop(ended);
        assert!(!watchdog.join().unwrap(), "it did not end: {output:?}");
        // The name of the folder varies.
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(&self.folder.path().display().to_string(), "HOME")
        };
        Outcome {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The files and folders, with the content of files, without the caches.
    pub(crate) fn contents(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), self.folder.path(), &mut found);
        found.retain(|path, _| !path.starts_with(CACHES));
        found
    }

    /// The files below a folder, sorted.
    pub(crate) fn files(&self, below: &str) -> Vec<String> {
        let mut found = BTreeMap::new();
        collect(&self.path(below), &self.path(below), &mut found);
        found.into_iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path).collect()
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Option<Vec<u8>>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_dir() {
            found.insert(name, None);
            collect(root, &path, found);
        } else if path.is_file() {
            found.insert(name, Some(fs::read(&path).unwrap()));
        }
    }
}

/// The outcome of a command. Its output shows the working folder as HOME.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The summary line of a run.
    #[track_caller]
    pub(crate) fn tally(&self) -> &str {
        let tally = self.stderr.lines().find(|line| line.contains(" layers: "));
        tally.unwrap_or_else(|| panic!("{}", self.stderr))
    }

    /// Asserts the exit code and the whole stderr of a command without a result.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, stderr: &str) {
        assert_eq!(self.stderr, stderr);
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""));
    }
}

/// Whether a test that needs uv can run. Without uv it prints a note, and panics where all tests
/// must run.
#[track_caller]
pub(crate) fn uv_is_there() -> bool {
    let asked = Command::new("uv").arg("--version").stdout(Stdio::null()).status();
    let there = asked.is_ok_and(|status| status.success());
    if !there {
        cannot_run("uv is not on PATH");
    }
    there
}

/// Reports that a test cannot run because something is missing. Panics where all tests must run.
#[track_caller]
pub(crate) fn cannot_run(reason: &str) {
    assert!(environment("CI").is_none(), "{reason}");
    say_skipped(reason);
}

/// Prints, past the capturing of output, that a test is skipped.
pub(crate) fn say_skipped(reason: &str) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    // Macros are not used here: their output is hidden if the test passes.
    let _ = writeln!(std::io::stderr(), "\nSKIPPED {test}: {reason}");
}

#[expect(clippy::disallowed_methods, reason = "tests are an edge, too")]
pub(crate) fn environment(variable: &str) -> Option<OsString> {
    std::env::var_os(variable)
}
