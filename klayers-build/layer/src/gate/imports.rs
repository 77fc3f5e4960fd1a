use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use futures::StreamExt as _;
use klayers_core::{BaseImage, Glibc, Runtime, Target};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use super::loaded::MachineLibrary;
use super::{ImportReport, LoadedFiles, Missing, ModuleOutcome, Network, UNPACKED_LIMIT};
use crate::command::{Bounds, CommandError, Output};
use crate::confine::{Confinement, Gap, Toolchain, View};

/// How long importing one module may take, unless it is said.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long an interpreter may take to say what it is.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long unpacking a layer may take.
const UNPACK_TIMEOUT: Duration = Duration::from_mins(5);
/// How much a process may write to its outputs, in MiB.
const OUTPUT_MIB: u64 = 16;
/// Where a function finds the content of its layers.
const LAYERS: &str = "/opt";
/// Where a function finds what the runtime has; `python` is below it.
const RUNTIME: &str = "/var/runtime";
/// Where processes see empty files in place of libraries that a function does not have.
const HIDDEN: &str = "/var/hidden";
/// The folder that a function starts in.
const TASK: &str = "/var/task";

/// Imports each module of a layer in a fresh process of an interpreter.
///
/// The process sees what a function sees: the layer read-only at `/opt`, with its `python` folder
/// before the standard library on the path, a home that does not exist, and nothing that can be
/// written but `/tmp`. It has no network, and bounds on time, memory and the size of files. What it
/// prints to standard output is dropped.
///
/// How far that holds on this machine, its [`Confinement`] says.
#[derive(Clone, Debug)]
pub struct ImportCheck {
    /// A program with its first arguments.
    interpreter: Vec<String>,
    confinement: Option<Confinement>,
    scratch: PathBuf,
    target: Target,
    glibc: Glibc,
    image: BaseImage,
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
            interpreter: vec![interpreter.display().to_string()],
            confinement: None,
            scratch: scratch.to_owned(),
            target,
            glibc: runtime.glibc,
            image: runtime.base_image(target.architecture),
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

    /// Confines the processes in this way, in the place of the one that is
    /// [found](Confinement::find).
    #[must_use]
    pub fn with_confinement(self, confinement: Confinement) -> Self {
        Self { confinement: Some(confinement), ..self }
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
        let (room, own) = match self.room(work.path()).await {
            Ok(ready) => ready,
            Err(reason) => {
                let report = ImportReport::NotRun { reason };
                return Ok(Imported { report, loaded: None });
            }
        };
        let folder = room.unpacked(layer, &work, "layer").await?;
        let behind = match &self.behind {
            Some(packages) => Some(room.unpacked(&absolute(packages)?, &work, "runtime").await?),
            None => None,
        };
        let room = room.with_layer(&folder, behind.as_deref());
        let at_once = available_parallelism().map_or(1, NonZeroUsize::get);
        let outcomes: Vec<(String, Result<Ended, _>)> = futures::stream::iter(modules)
            .map(async |module| (module.clone(), room.import(&[], module).await))
            .buffer_unordered(at_once)
            .collect()
            .await;
        let mut ignored = own;
        ignored.extend(room.behind.iter().cloned());
        let mut modules = BTreeMap::new();
        let mut mapped = Some(MappedFiles::new());
        for (module, ended) in outcomes {
            let ended = ended?;
            // A process that ended early says nothing. All others must, or nothing is known.
            match (&mut mapped, ended.mapped) {
                (Some(mapped), Some(files)) => {
                    mapped.insert(module.clone(), files);
                }
                (Some(_), None) if !ended.outcome.has_failed() => mapped = None,
                _ => {}
            }
            modules.insert(module, ended.outcome);
        }
        // Some can only be imported by another, which sets them up.
        let passed = |outcome: &ModuleOutcome| *outcome == ModuleOutcome::Passed;
        let others: Vec<String> =
            modules.iter().filter(|(_, outcome)| passed(outcome)).map(|(m, _)| m.clone()).collect();
        for (module, outcome) in &mut modules {
            if matches!(outcome, ModuleOutcome::Failed { .. }) && !others.is_empty() {
                let again = room.import(&others, module).await?;
                if passed(&again.outcome) {
                    *outcome = ModuleOutcome::PassedAfterOthers;
                    if let (Some(mapped), Some(files)) = (&mut mapped, again.mapped) {
                        mapped.entry(module.clone()).or_default().extend(files);
                    }
                }
            }
        }
        let loaded = match mapped {
            Some(mut mapped) => {
                room.try_without_libraries(&mut mapped, &modules, &others, &ignored).await?;
                Some(room.loaded(&mapped, &ignored))
            }
            None => None,
        };
        let (tolerated, undeclared) = (BTreeMap::new(), BTreeMap::new());
        let gaps = room.confinement.gaps();
        let network = if gaps.contains(&Gap::Network) { Network::Refused } else { Network::Absent };
        let report = ImportReport::Run { modules, tolerated, undeclared, network, gaps };
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
        Ok(self.room(work.path()).await.map(|_| ()))
    }

    /// What the processes run in, and the files and folders that are the interpreter's own; or why
    /// it cannot import layers of the target.
    async fn room(&self, work: &Path) -> Result<(Room<'_>, BTreeSet<PathBuf>), String> {
        let confinement = match &self.confinement {
            Some(confinement) => confinement.clone(),
            None => Confinement::find().await,
        };
        let toolchain = Toolchain::of(&self.interpreter).await;
        let toolchain =
            toolchain.map_err(|error| format!("{} does not answer: {error}", self.program()))?;
        let view = View::new(work).read_all(&toolchain.paths).variable("PYTHONHASHSEED", "0");
        let (layer, behind) = (PathBuf::from(LAYERS), None);
        let work = work
            .canonicalize()
            .map_err(|error| format!("the folder {} cannot be used: {error}", work.display()))?;
        let room = Room { check: self, confinement, view, work, layer, behind };
        let own = room.probe().await?;
        Ok((room, own))
    }

    fn program(&self) -> &str {
        self.interpreter.first().map_or("", String::as_str)
    }

    fn scratch_error(&self, source: io::Error) -> ImportCheckError {
        ImportCheckError::Scratch { folder: self.scratch.clone(), source }
    }

    fn start_error(&self, source: CommandError) -> ImportCheckError {
        ImportCheckError::Start { interpreter: self.program().into(), source }
    }
}

/// The files whose code a process had loaded when it had imported a module, by that module.
type MappedFiles = BTreeMap<String, Vec<String>>;

/// What the processes of one check run in.
struct Room<'a> {
    check: &'a ImportCheck,
    confinement: Confinement,
    view: View,
    /// The folder of this machine for what the check writes, as the kernel names it.
    work: PathBuf,
    /// Where the processes see the layer.
    layer: PathBuf,
    /// Where they see what the runtime has.
    behind: Option<PathBuf>,
}

impl Room<'_> {
    /// Whether the interpreter loads what Lambda's does: the files and folders that are its own, or
    /// why not.
    async fn probe(&self) -> Result<BTreeSet<PathBuf>, String> {
        let (target, shown) = (self.check.target, self.check.program());
        let script = include_str!("imports/probe.py");
        let output = self
            .python(&self.view, script, "", PROBE_TIMEOUT)
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
            Some(glibc) if glibc >= self.check.glibc => Ok(answer.own),
            Some(glibc) => Err(format!(
                "this machine has glibc {glibc}, which is older than {target}'s {}",
                self.check.glibc
            )),
            None => Err(format!("{shown} does not know the version of its C library")),
        }
    }

    /// The folder of a layer: where it is unpacked to, below the working folder, if it is a zip.
    async fn unpacked(
        &self,
        layer: &Path,
        work: &TempDir,
        name: &str,
    ) -> Result<PathBuf, ImportCheckError> {
        let io = |source| self.check.scratch_error(source);
        // As the kernel names it, behind links: so mapped files are named.
        if layer.is_dir() {
            return layer.canonicalize().map_err(io);
        }
        let folder = work.path().canonicalize().map_err(io)?.join(name);
        std::fs::create_dir(&folder).map_err(io)?;
        let job = json!({ "zip": layer, "folder": folder, "most": UNPACKED_LIMIT }).to_string();
        let view = self.view.clone().read(layer, layer).write(&folder);
        let unpacked = self
            .python(&view, include_str!("imports/unpack.py"), &job, UNPACK_TIMEOUT)
            .await
            .map_err(|source| self.check.start_error(source))?;
        if unpacked.status == Some(0) {
            return Ok(folder);
        }
        Err(ImportCheckError::Unpack { layer: layer.to_owned(), message: unpacked.explanation() })
    }

    /// The same with a layer, and what the runtime has, where a function has them.
    fn with_layer(self, layer: &Path, behind: Option<&Path>) -> Self {
        let seen = self.confinement.seen(layer, Path::new(LAYERS));
        let mut view = self.view.read(layer, Path::new(LAYERS)).in_folder(Path::new(TASK));
        let libraries = seen.join("lib").display().to_string();
        view = view.variable("LD_LIBRARY_PATH", libraries);
        if let Some(packages) = behind {
            view = view.read(packages, Path::new(RUNTIME));
        }
        let behind = behind.map(|packages| self.confinement.seen(packages, Path::new(RUNTIME)));
        Self { view, layer: seen, behind, ..self }
    }

    fn loaded(&self, mapped: &MappedFiles, ignored: &BTreeSet<PathBuf>) -> LoadedFiles {
        let mut loaded = LoadedFiles::default();
        for (module, files) in mapped {
            loaded.add(module, files, &self.layer, ignored);
        }
        loaded
    }

    /// Imports the modules that loaded libraries of this machine which a function does not have once
    /// more, with these libraries hidden. A module that can do without them counts with what it
    /// loaded then: it would load nothing else in a function. So the verdict on a layer does not
    /// depend on what happens to be installed on this machine.
    async fn try_without_libraries(
        &self,
        mapped: &mut MappedFiles,
        modules: &BTreeMap<String, ModuleOutcome>,
        others: &[String],
        ignored: &BTreeSet<PathBuf>,
    ) -> Result<(), ImportCheckError> {
        let foreign = self.loaded(mapped, ignored).foreign(&self.check.image);
        if foreign.is_empty() {
            return Ok(());
        }
        let hiding = self.hiding(&foreign)?;
        let again: BTreeSet<&String> =
            foreign.iter().flat_map(|library| &library.modules).collect();
        for module in again {
            let before = match modules.get(module) {
                Some(ModuleOutcome::Passed) => &[],
                Some(ModuleOutcome::PassedAfterOthers) => others,
                _ => continue,
            };
            let ended = hiding.import(before, module).await?;
            if let (ModuleOutcome::Passed, Some(files)) = (ended.outcome, ended.mapped) {
                mapped.insert(module.clone(), files);
            }
        }
        Ok(())
    }

    /// The same room, in which the loader finds these libraries by their names, and finds them empty.
    fn hiding(&self, libraries: &[MachineLibrary]) -> Result<Self, ImportCheckError> {
        let io = |source| self.check.scratch_error(source);
        let folder = self.work.join("hidden");
        std::fs::create_dir(&folder).map_err(io)?;
        for library in libraries {
            for name in [&library.name, &library.file] {
                // A library says itself how it is called, and may say anything.
                if Path::new(name).file_name() == Some(name.as_ref()) {
                    std::fs::write(folder.join(name), "").map_err(io)?;
                }
            }
        }
        let seen = self.confinement.seen(&folder, Path::new(HIDDEN));
        let path = format!("{}:{}", seen.display(), self.layer.join("lib").display());
        let view = self.view.clone().read(&folder, Path::new(HIDDEN));
        Ok(Room {
            check: self.check,
            confinement: self.confinement.clone(),
            view: view.variable("LD_LIBRARY_PATH", path),
            work: self.work.clone(),
            layer: self.layer.clone(),
            behind: self.behind.clone(),
        })
    }

    async fn import(&self, before: &[String], module: &str) -> Result<Ended, ImportCheckError> {
        let deadline = self.check.deadline;
        // Twice the time on the clock, for those that use several processors.
        let seconds = deadline.as_secs().saturating_mul(2).saturating_add(1);
        let job = json!({
            "before": before,
            "module": module,
            "layer": self.layer,
            "behind": self.behind.as_slice(),
            "seconds": seconds,
        });
        let script = include_str!("imports/import_module.py");
        let ended = self.python(&self.view, script, &job.to_string(), deadline).await;
        let output = match ended {
            Ok(output) => output,
            Err(CommandError::Timeout(_)) => return Ok(Ended::early(ModuleOutcome::TimedOut)),
            Err(error @ CommandError::Start(_)) => return Err(self.check.start_error(error)),
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
        view: &View,
        script: &str,
        input: &str,
        time: Duration,
    ) -> Result<Output, CommandError> {
        let mut program = self.check.interpreter.clone();
        program.extend(["-s", "-S", "-B", "-c", script].map(str::to_owned));
        let bounds = Bounds { time, output_mib: OUTPUT_MIB };
        self.confinement.run(view, &program, input, bounds).await
    }
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

    /// What comes of a module where neither namespaces nor Landlock are to be had.
    async fn outcome(source: &str, deadline: Duration) -> ModuleOutcome {
        let work = tempfile::tempdir().expect("a folder");
        let folder = work.path().join("layer/python");
        std::fs::create_dir_all(&folder).expect("a layer");
        std::fs::write(folder.join("m.py"), source).expect("a module");
        let ask = "import sys; print(sys.executable, *sys.version_info[:2])";
        let python = std::process::Command::new("python3").args(["-I", "-c", ask]).output();
        let answer = String::from_utf8(python.expect("python3").stdout).expect("text");
        let [python, major, minor] = answer.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("python3 answers {answer:?}");
        };
        let target = format!("p{major}.{minor}").parse().expect("a target");
        let mut runtime =
            klayers_core::Runtimes::default().iter().next().expect("runtimes").clone();
        runtime.glibc = "2.17".parse().expect("a version");
        let nothing = crate::confine::Options {
            trampoline: None,
            namespaces: false,
            landlock: false,
            system_calls: false,
        };
        let check = ImportCheck::new(Path::new(python), work.path(), target, &runtime)
            .with_confinement(Confinement::with(&nothing).await)
            .with_deadline(deadline);
        let imported = check.run(&work.path().join("layer"), &["m".to_owned()]).await;
        match imported.expect("a report").report {
            ImportReport::Run { modules, .. } => modules["m"].clone(),
            ImportReport::NotRun { reason } => panic!("not run: {reason}"),
        }
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
