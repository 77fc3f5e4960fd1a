//! The processes that import modules, and what each of them sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::Glibc;
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use super::{ImportCheck, ImportCheckError, ModuleOutcome};
use crate::command::{Bounds, CommandError, Output};
use crate::confine::{Confinement, View};
use crate::gate::loaded::MachineLibrary;
use crate::gate::{LoadedFiles, Missing, UNPACKED_LIMIT};

/// Time limit for an interpreter to describe itself.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit for unpacking a layer.
const UNPACK_TIMEOUT: Duration = Duration::from_mins(5);
/// Limit on the output of a process, in MiB.
const OUTPUT_MIB: u64 = 16;
/// The folder where a function finds its layers.
const LAYERS: &str = "/opt";
/// The folder of the runtime's own packages. They are in its subfolder `python`.
const RUNTIME: &str = "/var/runtime";
/// The folder of empty files that stand in for libraries that a function does not have.
const HIDDEN: &str = "/var/hidden";
/// The working folder of a function.
const TASK: &str = "/var/task";

/// The files whose code each process had mapped after its import, by module.
pub(super) type MappedFiles = BTreeMap<String, Vec<String>>;

/// The environment in which the processes of one check run.
pub(super) struct Environment<'a> {
    pub(super) check: &'a ImportCheck,
    pub(super) confinement: Confinement,
    view: View,
    /// The folder on this machine for files that the check writes, with all links resolved.
    work: PathBuf,
    /// The layer's folder as the processes see it.
    layer: PathBuf,
    /// The folder of the runtime's packages as the processes see it.
    pub(super) runtime_packages: Option<PathBuf>,
}

impl<'a> Environment<'a> {
    /// Creates an environment without a layer.
    pub(super) fn new(
        check: &'a ImportCheck,
        confinement: Confinement,
        view: View,
        work: PathBuf,
    ) -> Self {
        let layer = PathBuf::from(LAYERS);
        Self { check, confinement, view, work, layer, runtime_packages: None }
    }

    /// Checks that the interpreter loads the same extension modules as Lambda's. Returns the
    /// interpreter's own files and folders, or the reason why it is not suitable.
    pub(super) async fn probe(&self) -> Result<BTreeSet<PathBuf>, String> {
        let (target, shown) = (self.check.target, self.check.program());
        let script = include_str!("probe.py");
        let output = self
            .python(&self.view, script, "", PROBE_TIMEOUT)
            .await
            .map_err(|error| format!("{shown} does not answer: {error}"))?;
        let answer: ProbeAnswer = match serde_json::from_str(&output.stdout) {
            Ok(answer) if output.status == Some(0) => answer,
            _ => return Err(format!("{shown} does not answer: {}", output.explanation())),
        };
        let (python, machine) = (target.python, target.architecture.machine());
        let expected =
            format!(".cpython-{}{}-{machine}-linux-gnu.so", python.major(), python.minor());
        let first = answer.suffixes.first().map_or("nothing", String::as_str);
        if first != expected {
            return Err(format!("{shown} loads {first}, but {target} loads {expected}"));
        }
        let glibc: Option<Glibc> =
            answer.libc.as_ref().and_then(|libc| libc.strip_prefix("glibc ")?.parse().ok());
        match glibc {
            Some(glibc) if glibc >= self.check.glibc => Ok(answer.own),
            Some(glibc) => Err(format!(
                "this machine has glibc {glibc}, which is older than {target}'s {}",
                self.check.glibc
            )),
            None => Err(format!("{shown} does not report the version of its C library")),
        }
    }

    /// Returns the folder of a layer. A zip is unpacked below the working folder first.
    pub(super) async fn unpacked(
        &self,
        layer: &Path,
        work: &TempDir,
        name: &str,
    ) -> Result<PathBuf, ImportCheckError> {
        let io = |source| self.check.scratch_error(source);
        // Links are resolved, since the kernel lists mapped files by their resolved paths.
        if layer.is_dir() {
            return layer.canonicalize().map_err(io);
        }
        let folder = work.path().canonicalize().map_err(io)?.join(name);
        std::fs::create_dir(&folder).map_err(io)?;
        let job = json!({ "zip": layer, "folder": folder, "limit": UNPACKED_LIMIT }).to_string();
        let view = self.view.clone().read(layer, layer).write(&folder);
        let unpacked = self
            .python(&view, include_str!("unpack.py"), &job, UNPACK_TIMEOUT)
            .await
            .map_err(|source| self.check.start_error(source))?;
        if unpacked.status == Some(0) {
            return Ok(folder);
        }
        Err(ImportCheckError::Unpack { layer: layer.to_owned(), message: unpacked.explanation() })
    }

    /// Adds a layer, and optionally the runtime's packages, where a function finds them.
    pub(super) fn with_layer(self, layer: &Path, runtime_packages: Option<&Path>) -> Self {
        let seen = self.confinement.seen(layer, Path::new(LAYERS));
        let mut view = self.view.read(layer, Path::new(LAYERS)).in_folder(Path::new(TASK));
        let libraries = seen.join("lib").display().to_string();
        view = view.variable("LD_LIBRARY_PATH", libraries);
        if let Some(packages) = runtime_packages {
            view = view.read(packages, Path::new(RUNTIME));
        }
        let runtime_packages =
            runtime_packages.map(|packages| self.confinement.seen(packages, Path::new(RUNTIME)));
        Self { view, layer: seen, runtime_packages, ..self }
    }

    /// Sorts mapped files by owner. `ignored` files belong to the interpreter or the runtime.
    pub(super) fn loaded(&self, mapped: &MappedFiles, ignored: &BTreeSet<PathBuf>) -> LoadedFiles {
        let mut loaded = LoadedFiles::default();
        for (module, files) in mapped {
            loaded.add(module, files, &self.layer, ignored);
        }
        loaded
    }

    /// Imports modules again that loaded libraries of this machine which a function does not have,
    /// with these libraries hidden. If the import still passes, the module counts with the files
    /// that it loaded this time, since it would load the same in a function. So the verdict on a
    /// layer does not depend on what is installed on this machine.
    pub(super) async fn try_without_libraries(
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
            let import = hiding.import(before, module).await?;
            if let (ModuleOutcome::Passed, Some(files)) = (import.outcome, import.mapped) {
                mapped.insert(module.clone(), files);
            }
        }
        Ok(())
    }

    /// Returns the same environment with an empty file in place of each of these libraries. The
    /// loader finds the empty file by the library's name and cannot load it.
    fn hiding(&self, libraries: &[MachineLibrary]) -> Result<Self, ImportCheckError> {
        let io = |source| self.check.scratch_error(source);
        let folder = self.work.join("hidden");
        std::fs::create_dir(&folder).map_err(io)?;
        for library in libraries {
            for name in [&library.name, &library.file] {
                // The name comes from the library itself and cannot be trusted to be a file name.
                if Path::new(name).file_name() == Some(name.as_ref()) {
                    std::fs::write(folder.join(name), "").map_err(io)?;
                }
            }
        }
        let seen = self.confinement.seen(&folder, Path::new(HIDDEN));
        let path = format!("{}:{}", seen.display(), self.layer.join("lib").display());
        let view = self.view.clone().read(&folder, Path::new(HIDDEN));
        Ok(Environment {
            check: self.check,
            confinement: self.confinement.clone(),
            view: view.variable("LD_LIBRARY_PATH", path),
            work: self.work.clone(),
            layer: self.layer.clone(),
            runtime_packages: self.runtime_packages.clone(),
        })
    }

    /// Imports a module in a new process, after the modules `before`.
    pub(super) async fn import(
        &self,
        before: &[String],
        module: &str,
    ) -> Result<FinishedImport, ImportCheckError> {
        let deadline = self.check.deadline;
        // Twice the wall-clock time, for modules that use several processors.
        let seconds = deadline.as_secs().saturating_mul(2).saturating_add(1);
        let job = json!({
            "before": before,
            "module": module,
            "layer": self.layer,
            "runtime_packages": self.runtime_packages.as_slice(),
            "seconds": seconds,
        });
        let script = include_str!("import_module.py");
        let ended = self.python(&self.view, script, &job.to_string(), deadline).await;
        let output = match ended {
            Ok(output) => output,
            Err(CommandError::Timeout(_)) => {
                return Ok(FinishedImport::without_answer(ModuleOutcome::TimedOut));
            }
            Err(error @ CommandError::Start(_)) => return Err(self.check.start_error(error)),
            Err(error) => {
                let outcome = ModuleOutcome::failed(&error.to_string(), None);
                return Ok(FinishedImport::without_answer(outcome));
            }
        };
        // The answer counts, not the exit status: a module may end the process with any status.
        Ok(match serde_json::from_str::<ImportAnswer>(&output.stdout) {
            Ok(answer) if answer.module == module => {
                let outcome = match answer.failure {
                    None => ModuleOutcome::Passed,
                    Some(message) => {
                        ModuleOutcome::failed(&message, answer.missing.map(Missing::printable))
                    }
                };
                FinishedImport { outcome, mapped: answer.mapped }
            }
            _ => FinishedImport::without_answer(ModuleOutcome::failed(
                &format!(
                    "the interpreter ended before the import finished: {}",
                    output.explanation()
                ),
                None,
            )),
        })
    }

    /// Runs a script without the `site` module, user folders, or writing bytecode. `-I` is not
    /// used because Python would then ignore `PYTHONHASHSEED`. The environment has no other
    /// variables of Python.
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

/// The result of a process that imported a module.
#[derive(Debug)]
pub(super) struct FinishedImport {
    pub(super) outcome: ModuleOutcome,
    /// The files whose code the process had mapped, if the process reported them.
    pub(super) mapped: Option<Vec<String>>,
}

impl FinishedImport {
    fn without_answer(outcome: ModuleOutcome) -> Self {
        Self { outcome, mapped: None }
    }
}

/// An interpreter's description of itself, the output of `probe.py`.
#[derive(Deserialize)]
struct ProbeAnswer {
    suffixes: Vec<String>,
    libc: Option<String>,
    own: BTreeSet<PathBuf>,
}

/// The result of a completed import, the output of `import_module.py`.
#[derive(Deserialize)]
struct ImportAnswer {
    module: String,
    failure: Option<String>,
    missing: Option<Missing>,
    mapped: Option<Vec<String>>,
}
