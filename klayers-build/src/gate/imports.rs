use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use futures::StreamExt as _;
use klayers_core::{Glibc, Runtime, Target};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use super::{LoadedFiles, UNPACKED_LIMIT};
use crate::command::{CommandError, Output};

mod confined;
mod report;

use confined::Confinement;
pub use report::{ImportReport, Missing, ModuleOutcome, Network};

/// How long importing one module may take, unless it is said.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long an interpreter may take to say what it is.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long unpacking a layer may take.
const UNPACK_TIMEOUT: Duration = Duration::from_mins(5);

/// Imports each module of a layer in a fresh process of an interpreter.
///
/// The process has the layer's `python` folder before the standard library on its path and nothing
/// else, as Lambda puts it, an environment without credentials, no network, and bounds on time,
/// memory and the size of files. What it prints to standard output is dropped.
///
/// This finds what does not work by accident. It is no prison: a package that means harm can read
/// and write what this user can, as it could when it is used.
#[derive(Clone, Debug)]
pub struct ImportCheck {
    interpreter: PathBuf,
    scratch: PathBuf,
    target: Target,
    glibc: Glibc,
    deadline: Duration,
    behind: Option<PathBuf>,
}

/// What came of importing a layer's modules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Imported {
    /// How each import went.
    pub report: ImportReport,
    /// What the processes had loaded; none if nothing was imported, or if the system does not say
    /// what a process has loaded.
    pub loaded: Option<LoadedFiles>,
}

impl ImportCheck {
    /// A check for one target. Layers are unpacked into folders below `scratch`, and removed again.
    pub fn new(interpreter: &Path, scratch: &Path, target: Target, runtime: &Runtime) -> Self {
        Self {
            interpreter: interpreter.to_owned(),
            scratch: scratch.to_owned(),
            target,
            glibc: runtime.glibc,
            deadline: DEADLINE,
            behind: None,
        }
    }

    /// Puts the `python` folder of another layer last on the path of modules, a zip or a folder:
    /// what the runtime has, and the layer therefore has not.
    #[must_use]
    pub fn with_runtime_packages(self, packages: &Path) -> Self {
        Self { behind: Some(packages.to_owned()), ..self }
    }

    /// Gives the import of one module this long, in the place of one minute.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Imports the modules of a layer, which is a zip or a folder that it was unpacked to, some at
    /// a time.
    ///
    /// If the interpreter is not one that loads the target's extension modules (another version of
    /// Python, another processor, another C library), or does not answer, nothing is imported and
    /// the report says so.
    ///
    /// # Errors
    ///
    /// If the layer cannot be unpacked, or a process cannot be started.
    pub async fn run(
        &self,
        layer: &Path,
        modules: &[String],
    ) -> Result<Imported, ImportCheckError> {
        // Processes work in another folder than this one.
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(|source| self.scratch_error(source));
        let (layer, scratch) = (&absolute(layer)?, absolute(&self.scratch)?);
        let work = tempfile::Builder::new().prefix("import-check-").tempdir_in(scratch);
        let work = work.map_err(|source| self.scratch_error(source))?;
        let confinement = Confinement::find().await;
        let own = match self.probe(confinement, work.path()).await {
            Ok(own) => own,
            Err(reason) => {
                let report = ImportReport::NotRun { reason };
                return Ok(Imported { report, loaded: None });
            }
        };
        let folder = self.unpacked(confinement, layer, &work, "layer").await?;
        let behind = match &self.behind {
            Some(packages) => {
                let packages = absolute(packages)?;
                vec![self.unpacked(confinement, &packages, &work, "runtime").await?]
            }
            None => Vec::new(),
        };
        let places = Places { layer: &folder, behind: &behind };
        let at_once = available_parallelism().map_or(1, NonZeroUsize::get);
        let outcomes: Vec<(String, Result<Ended, _>)> =
            futures::stream::iter(modules.iter().enumerate())
                .map(async |(number, module)| {
                    let home = work.path().join(format!("home-{number}"));
                    (module.clone(), self.import(confinement, places, &home, &[], module).await)
                })
                .buffer_unordered(at_once)
                .collect()
                .await;
        let mut ignored = own;
        ignored.extend(behind.iter().cloned());
        let mut modules = BTreeMap::new();
        let mut loaded = Some(LoadedFiles::default());
        for (module, ended) in outcomes {
            let Ended { outcome, mapped } = ended?;
            // A process that ended early says nothing. All others must, or nothing is known.
            match (&mut loaded, mapped) {
                (Some(loaded), Some(mapped)) => loaded.add(&module, &mapped, &folder, &ignored),
                (Some(_), None) if !outcome.has_failed() => loaded = None,
                _ => {}
            }
            modules.insert(module, outcome);
        }
        // Some can only be imported by another, which sets them up.
        let passed = |outcome: &ModuleOutcome| *outcome == ModuleOutcome::Passed;
        let others: Vec<String> =
            modules.iter().filter(|(_, outcome)| passed(outcome)).map(|(m, _)| m.clone()).collect();
        for (number, (module, outcome)) in modules.iter_mut().enumerate() {
            if matches!(outcome, ModuleOutcome::Failed { .. }) && !others.is_empty() {
                let home = work.path().join(format!("second-home-{number}"));
                let again = self.import(confinement, places, &home, &others, module).await?;
                if passed(&again.outcome) {
                    *outcome = ModuleOutcome::PassedAfterOthers;
                    if let (Some(loaded), Some(mapped)) = (&mut loaded, again.mapped) {
                        loaded.add(module, &mapped, &folder, &ignored);
                    }
                }
            }
        }
        let (tolerated, undeclared) = (BTreeMap::new(), BTreeMap::new());
        let network = confinement.network;
        let report = ImportReport::Run { modules, tolerated, undeclared, network };
        Ok(Imported { report, loaded })
    }

    /// Whether the interpreter can import layers of the target; why not, otherwise.
    ///
    /// # Errors
    ///
    /// If the folder for temporary files cannot be used.
    pub async fn can_run(&self) -> Result<Result<(), String>, ImportCheckError> {
        let work = tempfile::Builder::new().prefix("import-check-").tempdir_in(&self.scratch);
        let work = work.map_err(|source| self.scratch_error(source))?;
        Ok(self.probe(Confinement::find().await, work.path()).await.map(|_| ()))
    }

    /// Whether the interpreter loads what Lambda's does: the files and folders that are its own, or
    /// why not.
    async fn probe(
        &self,
        confinement: Confinement,
        home: &Path,
    ) -> Result<BTreeSet<PathBuf>, String> {
        let (target, shown) = (self.target, self.interpreter.display());
        let script = include_str!("imports/probe.py");
        let output = self
            .python(confinement, home, home, script, "", PROBE_TIMEOUT)
            .await
            .map_err(|error| format!("{shown} does not answer: {error}"))?;
        let answer: Probe = match serde_json::from_str(&output.stdout) {
            Ok(answer) if output.status == Some(0) => answer,
            _ => return Err(format!("{shown} does not answer: {}", output.explanation())),
        };
        let (python, machine) = (target.python, target.architecture.machine());
        let expected =
            format!(".cpython-{}{}-{machine}-linux-gnu.so", python.major(), python.minor());
        let first = answer.suffixes.first().map_or("nothing", String::as_str);
        if first != expected {
            return Err(format!("{shown} loads {first}, and {target} loads {expected}"));
        }
        let glibc: Option<Glibc> =
            answer.libc.as_ref().and_then(|libc| libc.strip_prefix("glibc ")?.parse().ok());
        match glibc {
            Some(glibc) if glibc >= self.glibc => Ok(answer.own),
            Some(glibc) => Err(format!(
                "this machine has glibc {glibc}, which is older than {target}'s {}",
                self.glibc
            )),
            None => Err(format!("{shown} does not know the version of its C library")),
        }
    }

    /// The folder of a layer: where it is unpacked to, below the working folder, if it is a zip.
    async fn unpacked(
        &self,
        confinement: Confinement,
        layer: &Path,
        work: &TempDir,
        name: &str,
    ) -> Result<PathBuf, ImportCheckError> {
        // As the kernel names it, behind links: so mapped files are named.
        let real = |path: PathBuf| path.canonicalize().map_err(|source| self.scratch_error(source));
        if layer.is_dir() {
            return real(layer.to_owned());
        }
        let folder = real(work.path().to_owned())?.join(name);
        let job = json!({ "zip": layer, "folder": folder, "most": UNPACKED_LIMIT }).to_string();
        let script = include_str!("imports/unpack.py");
        let unpacked = self
            .python(confinement, work.path(), work.path(), script, &job, UNPACK_TIMEOUT)
            .await
            .map_err(|source| self.start_error(source))?;
        if unpacked.status == Some(0) {
            return Ok(folder);
        }
        Err(ImportCheckError::Unpack { layer: layer.to_owned(), message: unpacked.explanation() })
    }

    async fn import(
        &self,
        confinement: Confinement,
        Places { layer, behind }: Places<'_>,
        home: &Path,
        before: &[String],
        module: &str,
    ) -> Result<Ended, ImportCheckError> {
        std::fs::create_dir(home).map_err(|source| self.scratch_error(source))?;
        // Twice the time on the clock, for those that use several processors.
        let seconds = self.deadline.as_secs().saturating_mul(2).saturating_add(1);
        let job = json!({
            "before": before,
            "module": module,
            "layer": layer,
            "behind": behind,
            "seconds": seconds,
        });
        let script = include_str!("imports/import_module.py");
        let ended =
            self.python(confinement, home, layer, script, &job.to_string(), self.deadline).await;
        let output = match ended {
            Ok(output) => output,
            Err(CommandError::Timeout(_)) => return Ok(Ended::early(ModuleOutcome::TimedOut)),
            Err(error @ CommandError::Start(_)) => return Err(self.start_error(error)),
            Err(error) => {
                return Ok(Ended::early(ModuleOutcome::failed(&error.to_string(), None)));
            }
        };
        // What counts is the answer, not the status: a module may end the process as it likes.
        Ok(match serde_json::from_str::<Answer>(&output.stdout) {
            Ok(answer) if answer.module == module => {
                let outcome = match answer.failure {
                    None => ModuleOutcome::Passed,
                    Some(message) => {
                        ModuleOutcome::failed(&message, answer.missing.map(Missing::shown))
                    }
                };
                Ended { outcome, mapped: answer.mapped }
            }
            _ => Ended::early(ModuleOutcome::failed(
                &format!("the interpreter ended before the import had: {}", output.explanation()),
                None,
            )),
        })
    }

    /// Runs a script without the `site` module, user folders and writing of bytecode. `-I` is not
    /// used since it would have `PYTHONHASHSEED` ignored; the environment is empty of the rest.
    async fn python(
        &self,
        confinement: Confinement,
        home: &Path,
        layer: &Path,
        script: &str,
        input: &str,
        time: Duration,
    ) -> Result<Output, CommandError> {
        let interpreter = self.interpreter.display().to_string();
        let program = [interpreter.as_str(), "-s", "-S", "-B", "-c", script];
        confinement.run(home, layer, &program, input, time).await
    }

    fn scratch_error(&self, source: io::Error) -> ImportCheckError {
        ImportCheckError::Scratch { folder: self.scratch.clone(), source }
    }

    fn start_error(&self, source: CommandError) -> ImportCheckError {
        ImportCheckError::Start { interpreter: self.interpreter.clone(), source }
    }
}

/// The folders that are on the path of modules.
#[derive(Clone, Copy, Debug)]
struct Places<'a> {
    layer: &'a Path,
    behind: &'a [PathBuf],
}

/// A process that was to import a module and has ended.
#[derive(Debug)]
struct Ended {
    outcome: ModuleOutcome,
    /// The files whose code it had loaded, if it said so.
    mapped: Option<Vec<String>>,
}

impl Ended {
    /// One that gave no answer.
    fn early(outcome: ModuleOutcome) -> Self {
        Self { outcome, mapped: None }
    }
}

/// What an interpreter says of itself.
#[derive(Deserialize)]
struct Probe {
    suffixes: Vec<String>,
    libc: Option<String>,
    own: BTreeSet<PathBuf>,
}

/// What is said of an import that came to its end.
#[derive(Deserialize)]
struct Answer {
    module: String,
    failure: Option<String>,
    missing: Option<Missing>,
    mapped: Option<Vec<String>>,
}

impl Missing {
    /// The same in characters that do not steer a terminal: it is a foreign process that says it.
    fn shown(self) -> Self {
        match self {
            Self::Module(name) => Self::Module(report::on_one_line(&name)),
            Self::Library(name) => Self::Library(report::on_one_line(&name)),
        }
    }
}

/// Why a layer could not be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportCheckError {
    /// The folder for temporary files cannot be used.
    #[error("could not work in {}, where layers are unpacked to be tried", folder.display())]
    Scratch {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The layer cannot be unpacked.
    #[error("could not unpack {}: {message}", layer.display())]
    Unpack {
        /// The layer.
        layer: PathBuf,
        /// Why not.
        message: String,
    },
    /// The interpreter cannot be run.
    #[error("could not run {}", interpreter.display())]
    Start {
        /// The interpreter.
        interpreter: PathBuf,
        /// Why not.
        source: CommandError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without namespaces, as where they are not to be had.
    const REFUSED: Confinement = Confinement { network: Network::Refused };

    async fn outcome(source: &str, deadline: Duration) -> ModuleOutcome {
        let work = tempfile::tempdir().expect("a folder");
        let folder = work.path().join("layer/python");
        std::fs::create_dir_all(&folder).expect("a layer");
        std::fs::write(folder.join("m.py"), source).expect("a module");
        let runtimes = klayers_core::Runtimes::default();
        let target: Target = "p3.12".parse().expect("a target");
        let runtime = runtimes.get(target.python).expect("known");
        let python = std::process::Command::new("python3")
            .args(["-I", "-c", "import sys; print(sys.executable)"])
            .output()
            .expect("python3");
        let python = String::from_utf8(python.stdout).expect("a path");
        let check = ImportCheck::new(Path::new(python.trim()), work.path(), target, runtime);
        let (layer, home) = (work.path().join("layer"), work.path().join("home"));
        let check = check.with_deadline(deadline);
        let places = Places { layer: &layer, behind: &[] };
        check.import(REFUSED, places, &home, &[], "m").await.expect("an outcome").outcome
    }

    #[tokio::test]
    async fn modules_are_kept_from_the_network_without_namespaces_too() {
        let source = "import socket; socket.create_connection(('127.0.0.1', 9))";
        let outcome = outcome(source, DEADLINE).await;
        let ModuleOutcome::Failed { message, .. } = outcome else { panic!("{outcome:?}") };
        assert!(message.contains("may not use the network"), "{message}");
    }

    #[tokio::test]
    async fn what_a_module_starts_ends_with_it_without_namespaces_too() {
        let source = "import subprocess; subprocess.Popen(['/bin/sleep', '600'])";
        // Were it to live on, it would hold the pipes that are read to their end.
        assert_eq!(outcome(source, DEADLINE).await, ModuleOutcome::Passed);
        let source = format!("{source}\nwhile True: pass");
        assert_eq!(outcome(&source, Duration::from_secs(2)).await, ModuleOutcome::TimedOut);
    }
}
