//! Resolves requirements to a lock with the `uv` command.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use klayers_core::{Architecture, Glibc, PackageName, Requirement, Runtime, Target};
use klayers_wheel::regular;
use tempfile::NamedTempFile;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::command::{Bounds, CommandError, Output, run, shortened, uv, uv_killed_with_parent};
use crate::confine::Confinement;
use crate::index::IndexReader;
use crate::lock::{Lock, LockedWheel};
use crate::slim::Slimming;

mod alternatives;
mod error;
mod explanation;
mod from_source;
mod sdist;

pub use crate::sources::{SourceLocationError, Sources};
pub use error::{Requirements, ResolveError};
pub use explanation::Explanation;
pub use from_source::SdistBuilds;
pub use sdist::{BuiltWheel, Sdist, SdistError};

pub use explanation::Alternatives;
pub use explanation::OtherWheels;

use from_source::BuiltWheels;

/// The oldest `uv` whose `pylock.toml` this module can read.
const OLDEST_UV: [u64; 3] = [0, 7, 0];
/// Default deadline of one resolution.
const TIMEOUT: Duration = Duration::from_mins(5);
/// Most output that is read from one run of uv, in MiB.
const OUTPUT_MIB: u64 = 64;
/// Limits for asking a tool for its version.
const PROBE: Bounds = Bounds { time: Duration::from_secs(30), output_mib: 1 };
/// Minor versions of glibc 2 for which uv has a platform, newest first.
const UV_GLIBC_MINORS: [u16; 12] = [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17];

/// Resolves requirements for any target, on any machine.
#[derive(Clone, Debug)]
pub struct Resolver {
    uv: PathBuf,
    python: PathBuf,
    sources: Sources,
    index: IndexReader,
    /// Sources that list files without SHA-256. Filled by the first lookup.
    without_hashes: Arc<OnceCell<Vec<String>>>,
    slimming: Slimming,
    from_source: Option<SdistBuilds>,
    confinement: Option<Confinement>,
    timeout: Duration,
}

impl Resolver {
    /// Creates a resolver that uses the `uv` and the `python3` on `PATH`.
    ///
    /// uv needs an interpreter of any version to start with. The resolver names one: otherwise uv
    /// searches for all installed interpreters, and might download one.
    ///
    /// # Errors
    ///
    /// If one of the two is missing or does not answer, or if uv is too old.
    pub async fn find(sources: Sources) -> Result<Self, ResolveError> {
        Self::with_uv(Path::new("uv"), sources).await
    }

    /// Like [`find`](Self::find), with another `uv` than the one on `PATH`.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub async fn with_uv(program: &Path, sources: Sources) -> Result<Self, ResolveError> {
        let asked = run(uv(program).arg("--version"), "", PROBE).await;
        let answer = succeeded("uv", asked)?;
        let version = answer.split_whitespace().nth(1).unwrap_or_default();
        let numbers: Vec<u64> = version.split('.').map_while(|part| part.parse().ok()).collect();
        if numbers.len() != 3 || numbers.as_slice() < OLDEST_UV.as_slice() {
            return Err(ResolveError::OldUv { found: shortened(answer.trim(), 100) });
        }
        check_folders(&sources.find_links)?;
        let ask = ["-I", "-c", "import sys; print(sys.executable)"];
        let asked = run(Command::new("python3").args(ask), "", PROBE).await;
        let python = PathBuf::from(succeeded("python3", asked)?.trim());
        Ok(Self {
            uv: program.to_owned(),
            python,
            index: IndexReader::new(&sources),
            without_hashes: Arc::default(),
            sources,
            slimming: Slimming::default(),
            from_source: None,
            confinement: None,
            timeout: TIMEOUT,
        })
    }

    /// Sets the deadline of one resolution. The default is five minutes.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Makes locks for layers that are slimmed in this way. The default is no slimming.
    #[must_use]
    pub fn with_slimming(self, slimming: Slimming) -> Self {
        Self { slimming, ..self }
    }

    /// Builds wheels of these packages where only a source distribution exists. By default such
    /// packages are refused.
    #[must_use]
    pub fn with_sdists(self, from_source: SdistBuilds) -> Self {
        Self { from_source: Some(from_source), ..self }
    }

    /// Confines builds in this way. The default is the confinement that [is
    /// found](Confinement::find).
    #[must_use]
    pub fn with_confinement(self, confinement: Confinement) -> Self {
        Self { confinement: Some(confinement), ..self }
    }

    /// Resolves requirements together, to the newest versions that have wheels for the target.
    ///
    /// The lock holds neither the packages that slimming leaves out nor their dependencies that no
    /// other package needs. The other packages keep the versions that they would have beside them.
    /// If one of the left-out packages is requested by name, all of them stay: whoever requests
    /// such a package wants it whole.
    ///
    /// If no wheels meet the requirements, the resolver first builds wheels of those packages that
    /// have none and are [allowed](Self::with_sdists).
    ///
    /// # Errors
    ///
    /// [`ResolveError::Unsolvable`] if no such versions exist, with uv's explanation;
    /// [`ResolveError::Sdist`] if a wheel cannot be built.
    pub async fn resolve(
        &self,
        requirements: &[Requirement],
        target: Target,
        runtime: &Runtime,
    ) -> Result<Lock, ResolveError> {
        let (lock, built) = self.whole(requirements, target, runtime).await?;
        let absent = self.slimming.leave_out.iter().filter(|name| lock.wheel(name).is_some());
        let absent: Vec<&PackageName> = absent.collect();
        let asked_for =
            |name: &&PackageName| requirements.iter().any(|asked| asked.name() == *name);
        if absent.is_empty() || absent.iter().any(asked_for) {
            return Ok(lock.with_slimming(self.slimming.clone()));
        }
        // uv does not follow a package whose requirements are all overridden by one with a marker
        // that never holds. The packages that are left keep the versions of the whole lock.
        let overrides: Vec<String> = absent
            .iter()
            .map(|name| format!("{} ; python_version < '0'", name.normalized()))
            .collect();
        let overrides = written(&overrides)?;
        let whole = lock;
        let pins: Vec<String> = whole.pins().iter().map(ToString::to_string).collect();
        let constraints = written(&pins)?;
        let [overrides, constraints] =
            [&overrides, &constraints].map(|file| file.path().display().to_string());
        let extra =
            ["--overrides", &overrides, "--constraints", &constraints].map(str::to_owned).to_vec();
        let lock = self.compile(requirements, target, runtime, &extra, built.as_ref()).await?;
        let lock = match built {
            Some(built) => built.record_sources(lock),
            None => lock,
        };
        let is_left_out = |wheel: &&LockedWheel| lock.wheel(&wheel.pin.name).is_none();
        let left_out = whole.wheels().iter().filter(is_left_out).cloned().collect();
        Ok(lock.with_slimming(self.slimming.clone()).with_left_out(left_out))
    }

    /// Returns the index and the pages that list files without SHA-256, as URLs that are safe to
    /// show. For files from such a place, uv records the SHA-256 of whatever bytes it receives.
    ///
    /// The first call with a lock that has a wheel from a server looks them up; later calls return
    /// the same list. The index is judged by its page for that wheel's package.
    pub async fn without_hashes(&self, lock: &Lock) -> &[String] {
        let of_server = |wheel: &&LockedWheel| wheel.url.scheme() != "file";
        let Some(wheel) = lock.wheels().iter().find(of_server) else { return &[] };
        self.without_hashes.get_or_init(|| self.index.without_hashes(&wheel.pin.name)).await
    }

    /// Resolves the whole set, before anything is left out. Also returns the wheels that were built
    /// for it.
    async fn whole(
        &self,
        requirements: &[Requirement],
        target: Target,
        runtime: &Runtime,
    ) -> Result<(Lock, Option<BuiltWheels>), ResolveError> {
        let unsolvable = match self.compile(requirements, target, runtime, &[], None).await {
            Ok(lock) => return Ok((lock, None)),
            Err(unsolvable @ ResolveError::Unsolvable { .. }) => unsolvable,
            Err(error) => return Err(error),
        };
        let built = match &self.from_source {
            Some(from_source) => {
                self.build_and_compile(from_source, requirements, target, runtime, unsolvable).await
            }
            None => Err(unsolvable),
        };
        match built {
            Ok((lock, built)) => Ok((lock, Some(built))),
            Err(ResolveError::Unsolvable { requirements, target, mut explanation }) => {
                let asked = &requirements.0;
                explanation.alternatives =
                    self.alternatives(asked, target, runtime, &explanation).await;
                Err(ResolveError::Unsolvable { requirements, target, explanation })
            }
            Err(error) => Err(error),
        }
    }

    /// Has uv resolve with extra arguments, and reads its lock.
    async fn compile(
        &self,
        requirements: &[Requirement],
        target: Target,
        runtime: &Runtime,
        extra: &[String],
        built: Option<&BuiltWheels>,
    ) -> Result<Lock, ResolveError> {
        let text = self.uv_lock(requirements, target, runtime, extra, built).await?;
        Lock::parse(&text, None, target, runtime).map_err(|source| ResolveError::Lock {
            requirements: Requirements(requirements.to_vec()),
            target,
            source,
        })
    }

    /// Has uv resolve, and returns the text of its lock.
    async fn uv_lock(
        &self,
        requirements: &[Requirement],
        target: Target,
        runtime: &Runtime,
        extra: &[String],
        built: Option<&BuiltWheels>,
    ) -> Result<String, ResolveError> {
        let lines: Vec<String> = requirements.iter().map(ToString::to_string).collect();
        let input = lines.join("\n");
        let mut command = uv_killed_with_parent(&self.uv).await;
        command.args(self.arguments(target, runtime.glibc)).args(extra);
        self.sources.configure_uv(&mut command, built.map(BuiltWheels::folder));
        let bounds = Bounds { time: self.timeout, output_mib: OUTPUT_MIB };
        let output = run(&mut command, &input, bounds)
            .await
            .map_err(|error| ResolveError::tool("uv", error))?;
        match output.status {
            Some(0) => Ok(output.stdout),
            Some(1) => Err(ResolveError::Unsolvable {
                requirements: Requirements(requirements.to_vec()),
                target,
                explanation: Box::new(Explanation::parse(&output.stderr)),
            }),
            _ => Err(ResolveError::Failed { tool: "uv", message: output.explanation() }),
        }
    }

    fn arguments(&self, target: Target, glibc: Glibc) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "pip",
            "compile",
            "-",
            "--format",
            "pylock.toml",
            "--only-binary",
            ":all:",
            "--no-header",
            "--no-annotate",
            "--quiet",
            "--no-python-downloads",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--python", self.python.display().to_string());
        option("--python-version", target.python.to_string());
        option("--python-platform", platform(target.architecture, glibc));
        arguments
    }
}

/// Returns the standard output of a tool that succeeded.
fn succeeded(
    tool: &'static str,
    asked: Result<Output, CommandError>,
) -> Result<String, ResolveError> {
    let output = asked.map_err(|error| ResolveError::tool(tool, error))?;
    match output.status {
        Some(0) => Ok(output.stdout),
        _ => Err(ResolveError::Failed { tool, message: output.explanation() }),
    }
}

/// Creates a temporary file with these lines.
fn written(lines: &[String]) -> Result<NamedTempFile, ResolveError> {
    let write = || {
        let mut file = NamedTempFile::new()?;
        file.write_all(lines.join("\n").as_bytes())?;
        file.flush()?;
        Ok(file)
    };
    write().map_err(ResolveError::Temporary)
}

/// Returns the platform to request from uv: the newest glibc that uv knows and the runtime has.
fn platform(architecture: Architecture, glibc: Glibc) -> String {
    let minor = UV_GLIBC_MINORS.into_iter().find(|minor| *minor <= glibc.minor).unwrap_or(17);
    format!("{}-manylinux_2_{minor}", architecture.machine())
}

/// Refuses folders in which a wheel or source distribution is a pipe or a device: uv would wait for
/// it, or read without end. uv itself reports other problems of the folders.
fn check_folders(find_links: &[String]) -> Result<(), ResolveError> {
    let is_meant = |name: &OsStr| {
        let ends = [b".whl".as_slice(), b".tar.gz", b".zip"];
        ends.iter().any(|end| name.as_encoded_bytes().ends_with(end))
    };
    for entry in find_links.iter().filter_map(|links| fs::read_dir(links).ok()).flatten().flatten()
    {
        let Ok(found) = entry.file_type() else { continue };
        if found.is_file() || !is_meant(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        let behind_link = path.metadata().map(|metadata| metadata.file_type());
        regular::check_type(behind_link.ok())
            .map_err(|source| ResolveError::NotAFile { path, source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_is_the_newest_glibc_that_uv_and_runtime_share() {
        for (glibc, platform_name) in [
            ("2.26", "x86_64-manylinux_2_17"),
            ("2.34", "x86_64-manylinux_2_34"),
            ("2.30", "x86_64-manylinux_2_28"),
            ("2.99", "x86_64-manylinux_2_40"),
        ] {
            let glibc = glibc.parse().expect("a version");
            assert_eq!(platform(Architecture::X86_64, glibc), platform_name);
        }
        let glibc = "2.34".parse().expect("a version");
        assert_eq!(platform(Architecture::Arm64, glibc), "aarch64-manylinux_2_34");
    }
}
