use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use futures::StreamExt as _;
use klayers_core::{BaseImage, Glibc, Runtime, Target};

use super::{ImportReport, LoadedFiles, ModuleOutcome, Network};
use crate::command::CommandError;
use crate::confine::{Confinement, Gap, Toolchain, View};

mod environment;

use environment::{Environment, FinishedImport, MappedFiles};

/// Default time limit for importing one module.
const DEADLINE: Duration = Duration::from_mins(1);

/// Imports each module of a layer in a fresh process of an interpreter.
///
/// The process sees what a function sees: the layer read-only at `/opt`, with its `python` folder
/// before the standard library on the path, a home that does not exist, and only `/tmp` writable.
/// It has no network, and limits on time, memory and file size. Its standard output is dropped.
///
/// The [`Confinement`] says how much of this holds on this machine.
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
    runtime_packages: Option<PathBuf>,
}

/// The result of importing a layer's modules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Imported {
    /// The outcome of each import.
    pub report: ImportReport,
    /// The files that the processes had loaded. None if nothing was imported, or if the system does
    /// not report what a process has loaded.
    pub loaded: Option<LoadedFiles>,
}

impl ImportCheck {
    /// Creates a check for one target. Layers are unpacked below `scratch` and removed again.
    pub fn new(interpreter: &Path, scratch: &Path, target: Target, runtime: &Runtime) -> Self {
        Self {
            interpreter: vec![interpreter.display().to_string()],
            confinement: None,
            scratch: scratch.to_owned(),
            target,
            glibc: runtime.glibc,
            image: runtime.base_image(target.architecture),
            deadline: DEADLINE,
            runtime_packages: None,
        }
    }

    /// Puts the `python` folder of another layer, a zip or a folder, last on the module path. It
    /// holds the packages that the runtime has and that were therefore left out of the layer.
    #[must_use]
    pub fn with_runtime_packages(self, packages: &Path) -> Self {
        Self { runtime_packages: Some(packages.to_owned()), ..self }
    }

    /// Sets the time limit for importing one module. The default is one minute.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets the confinement of the processes. The default is the strongest that is
    /// [found](Confinement::find).
    #[must_use]
    pub fn with_confinement(self, confinement: Confinement) -> Self {
        Self { confinement: Some(confinement), ..self }
    }

    /// Imports the modules of a layer, several at a time. The layer is a zip or an unpacked folder.
    ///
    /// If the interpreter cannot load the target's extension modules (another version of Python,
    /// another processor, another C library) or does not answer, nothing is imported and the report
    /// says why.
    ///
    /// # Errors
    ///
    /// If the layer cannot be unpacked, or a process cannot be started.
    pub async fn run(
        &self,
        layer: &Path,
        modules: &[String],
    ) -> Result<Imported, ImportCheckError> {
        // The processes have another working folder.
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(|source| self.scratch_error(source));
        let (layer, scratch) = (&absolute(layer)?, absolute(&self.scratch)?);
        let work = tempfile::Builder::new().prefix("import-check-").tempdir_in(scratch);
        let work = work.map_err(|source| self.scratch_error(source))?;
        let (environment, own_files) = match self.environment(work.path()).await {
            Ok(ready) => ready,
            Err(reason) => {
                let report = ImportReport::NotRun { reason };
                return Ok(Imported { report, loaded: None });
            }
        };
        let folder = environment.unpacked(layer, &work, "layer").await?;
        let runtime_packages = match &self.runtime_packages {
            Some(packages) => {
                Some(environment.unpacked(&absolute(packages)?, &work, "runtime").await?)
            }
            None => None,
        };
        let environment = environment.with_layer(&folder, runtime_packages.as_deref());
        let at_once = available_parallelism().map_or(1, NonZeroUsize::get);
        let imports: Vec<(String, Result<FinishedImport, _>)> = futures::stream::iter(modules)
            .map(async |module| (module.clone(), environment.import(&[], module).await))
            .buffer_unordered(at_once)
            .collect()
            .await;
        let mut ignored = own_files;
        ignored.extend(environment.runtime_packages.iter().cloned());
        let mut modules = BTreeMap::new();
        let mut mapped = Some(MappedFiles::new());
        for (module, import) in imports {
            let import = import?;
            // A process that ended early cannot report its mapped files. If any other process does
            // not report them, nothing is known.
            match (&mut mapped, import.mapped) {
                (Some(mapped), Some(files)) => {
                    mapped.insert(module.clone(), files);
                }
                (Some(_), None) if !import.outcome.has_failed() => mapped = None,
                _ => {}
            }
            modules.insert(module, import.outcome);
        }
        // Some modules can only be imported after another one has set them up.
        let passed = |outcome: &ModuleOutcome| *outcome == ModuleOutcome::Passed;
        let others: Vec<String> =
            modules.iter().filter(|(_, outcome)| passed(outcome)).map(|(m, _)| m.clone()).collect();
        for (module, outcome) in &mut modules {
            if matches!(outcome, ModuleOutcome::Failed { .. }) && !others.is_empty() {
                let again = environment.import(&others, module).await?;
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
                environment.try_without_libraries(&mut mapped, &modules, &others, &ignored).await?;
                Some(environment.loaded(&mapped, &ignored))
            }
            None => None,
        };
        let (tolerated, undeclared) = (BTreeMap::new(), BTreeMap::new());
        let gaps = environment.confinement.gaps();
        let network = if gaps.contains(&Gap::Network) { Network::Refused } else { Network::Absent };
        let report = ImportReport::Run { modules, tolerated, undeclared, network, gaps };
        Ok(Imported { report, loaded })
    }

    /// Checks whether the interpreter can import layers of the target. The inner error is the
    /// reason why not.
    ///
    /// # Errors
    ///
    /// If the folder for temporary files cannot be used.
    pub async fn can_run(&self) -> Result<Result<(), String>, ImportCheckError> {
        let work = tempfile::Builder::new().prefix("import-check-").tempdir_in(&self.scratch);
        let work = work.map_err(|source| self.scratch_error(source))?;
        Ok(self.environment(work.path()).await.map(|_| ()))
    }

    /// Creates the environment of the processes. Also returns the interpreter's own files and
    /// folders. The error is the reason why it cannot import layers of the target.
    async fn environment(
        &self,
        work: &Path,
    ) -> Result<(Environment<'_>, BTreeSet<PathBuf>), String> {
        let confinement = match &self.confinement {
            Some(confinement) => confinement.clone(),
            None => Confinement::find().await,
        };
        let toolchain = Toolchain::of(&self.interpreter).await;
        let toolchain =
            toolchain.map_err(|error| format!("{} does not answer: {error}", self.program()))?;
        let view = View::new(work).read_all(&toolchain.paths).variable("PYTHONHASHSEED", "0");
        let work = work
            .canonicalize()
            .map_err(|error| format!("the folder {} cannot be used: {error}", work.display()))?;
        let environment = Environment::new(self, confinement, view, work);
        let own_files = environment.probe().await?;
        Ok((environment, own_files))
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

/// Why the modules of a layer could not be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportCheckError {
    /// The folder for temporary files cannot be used.
    #[error("could not use the folder {}, where layers are unpacked for imports", folder.display())]
    Scratch {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The layer cannot be unpacked.
    #[error("could not unpack {}: {message}", layer.display())]
    Unpack {
        /// The layer.
        layer: PathBuf,
        /// The reason, from the unpacking process.
        message: String,
    },
    /// The interpreter cannot be run.
    #[error("could not run {}", interpreter.display())]
    Start {
        /// The interpreter.
        interpreter: PathBuf,
        /// The cause.
        source: CommandError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Imports a module without namespaces and Landlock.
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
    async fn network_is_refused_without_namespaces() {
        let source = "import socket; socket.create_connection(('127.0.0.1', 9))";
        let outcome = outcome(source, DEADLINE).await;
        let ModuleOutcome::Failed { message, .. } = outcome else { panic!("{outcome:?}") };
        assert!(message.contains("may not use the network"), "{message}");
    }

    #[tokio::test]
    async fn child_processes_of_an_import_are_killed_without_namespaces() {
        let source = "import subprocess; subprocess.Popen(['/bin/sleep', '600'])";
        // If the child survived, it would keep the pipes open that are read to their end.
        assert_eq!(outcome(source, DEADLINE).await, ModuleOutcome::Passed);
        let source = format!("{source}\nwhile True: pass");
        assert_eq!(outcome(&source, Duration::from_secs(2)).await, ModuleOutcome::TimedOut);
    }
}
