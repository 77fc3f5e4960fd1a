//! Finds the interpreter of a Python version, for compiling and importing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::PythonVersion;

mod cache;
mod magic;
mod probe;
mod release;

pub use cache::Interpreters;
pub use magic::Magic;
pub use probe::ProbeError;
pub use release::{ParsePythonReleaseError, PythonRelease};

pub(crate) use cache::InterpreterCache;
pub(crate) use probe::cache_tag;

use crate::command::{self, Bounds};

/// Deadline for an interpreter's answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An unmodified release of CPython that has answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interpreter {
    path: PathBuf,
    version: PythonRelease,
    magic: Magic,
    machine: String,
}

/// Where interpreters are searched.
#[derive(Clone, Debug)]
pub struct SearchPath {
    search: OsString,
    timeout: Duration,
}

impl SearchPath {
    /// Searches the folders of a `PATH`.
    pub fn new(search: impl Into<OsString>) -> Self {
        Self { search: search.into(), timeout: TIMEOUT }
    }

    /// Sets the deadline for an interpreter's answer. The default is 20 seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Returns the files with this name in these folders, in order.
    fn programs(&self, name: &str) -> Vec<PathBuf> {
        let folders = std::env::split_paths(&self.search);
        // Programs run in another folder, where a relative path would mean something else.
        let absolute = folders.filter(|folder| folder.is_absolute());
        let mut programs: Vec<PathBuf> = Vec::new();
        for program in absolute.map(|folder| folder.join(name)) {
            if program.is_file() && !programs.contains(&program) {
                programs.push(program);
            }
        }
        programs
    }
}

impl Interpreter {
    /// Finds CPython of a version: the explicit one, which then must match; or the first
    /// `python3.X` on the search path that answers as such; or else one that uv has installed. None
    /// if there is no such interpreter. Nothing is downloaded.
    ///
    /// # Errors
    ///
    /// If the explicit one does not answer or is of another version.
    pub async fn find(
        python: PythonVersion,
        explicit: Option<&Path>,
        search_path: &SearchPath,
    ) -> Result<Option<Self>, InterpreterError> {
        if let Some(path) = explicit {
            let wanted = |source| InterpreterError::Explicit { python, path: path.into(), source };
            let program = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            return search_path.probe(&program, python).await.map(Some).map_err(wanted);
        }
        for program in search_path.programs(&python.runtime()) {
            // A shim may not have this version, and the first program may be broken.
            if let Some(found) = search_path.tried(&program, python).await {
                return Ok(Some(found));
            }
        }
        for uv in search_path.programs("uv") {
            if let Some(program) = search_path.installed_by_uv(&uv, python).await
                && let Some(found) = search_path.tried(&program, python).await
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The path of the program, with links and wrappers resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The release.
    pub fn version(&self) -> &PythonRelease {
        &self.version
    }

    /// The magic number of its bytecode.
    pub fn magic(&self) -> Magic {
        self.magic
    }

    /// The machine that it runs on, as the kernel names it: `x86_64` or `aarch64`, for instance.
    pub fn machine(&self) -> &str {
        &self.machine
    }
}

impl SearchPath {
    async fn probe(
        &self,
        program: &Path,
        python: PythonVersion,
    ) -> Result<Interpreter, ProbeError> {
        probe::probe(program, python, &self.search, self.timeout).await
    }

    async fn tried(&self, program: &Path, python: PythonVersion) -> Option<Interpreter> {
        let probed = self.probe(program, python).await;
        probed
            .inspect_err(|reason| {
                tracing::debug!(program = %program.display(), %reason, "not Python {python}");
            })
            .ok()
    }

    /// Returns the interpreter of a version that uv has installed.
    async fn installed_by_uv(&self, uv: &Path, python: PythonVersion) -> Option<PathBuf> {
        let version = python.to_string();
        let mut command = command::uv(uv);
        command.args(["python", "find", "--managed-python", "--system", "--no-project"]);
        command.args(["--no-config", "--no-python-downloads", "--offline", &version]);
        let bounds = Bounds { time: self.timeout, output_mib: 1 };
        let output = command::run(&mut command, "", bounds).await.ok()?;
        let path = Path::new(output.stdout.trim_end_matches('\n'));
        (output.status == Some(0) && path.is_absolute()).then(|| path.to_owned())
    }
}

/// Why the requested interpreter cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterpreterError {
    /// The explicit interpreter does not match.
    #[error("could not use {} as Python {python}", path.display())]
    Explicit {
        /// The requested version.
        python: PythonVersion,
        /// The path of the interpreter.
        path: PathBuf,
        /// The cause.
        source: ProbeError,
    },
}
