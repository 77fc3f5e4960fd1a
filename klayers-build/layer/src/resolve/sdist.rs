//! Builds wheels from source distributions, for packages that the operator allowed by name.
//!
//! A build runs the package's code. So it is [confined](crate::confine): it gets only the
//! environment variables set here, sees only the system, the interpreter, uv and its own folder,
//! has no network, and leaves no process behind. Build dependencies are fetched before, as wheels,
//! which run no code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::{Digest, PackageName, Pin};
use serde::Deserialize;
use tempfile::TempDir;

use super::{PROBE, Resolver, succeeded, written};
use crate::command::{Bounds, CommandError, Output, run, uv, uv_killed_with_parent};
use crate::confine::{Confinement, Toolchain, View};
use crate::secrets::TomlError;
use klayers_wheel::WheelFilename;
use klayers_wheel::durable;
use klayers_wheel::regular;

mod error;

pub use error::SdistError;

/// Deadline of one build, and of fetching its dependencies.
const TIMEOUT: Duration = Duration::from_mins(10);
/// Most output of a build, in MiB.
const OUTPUT_MIB: u64 = 64;
/// `PATH` of a build, for compilers and other tools.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Prints the path of the uv that runs this: the `uv` on `PATH` may be a script that starts it.
const WHERE_UV_IS: &str = "import os; print(os.environ['UV'])";
/// Build dependencies of a project whose `pyproject.toml` names none ([PEP 518][spec]).
///
/// [spec]: https://peps.python.org/pep-0518/#build-system-table
const DEFAULT_REQUIRES: [&str; 2] = ["setuptools>=40.8.0", "wheel"];
/// Unpacks a source distribution into a folder, refusing paths outside it, and prints the name of
/// the one folder inside.
const UNPACK: &str = "\
import os, sys, tarfile, zipfile
archive, folder = sys.argv[1:]
if zipfile.is_zipfile(archive):
    zipfile.ZipFile(archive).extractall(folder)
else:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter='data')
inside = os.listdir(folder)
if len(inside) != 1:
    sys.exit('it holds %d files and folders instead of one folder' % len(inside))
print(inside[0])";

/// A source distribution in a local file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sdist {
    /// The package and version in the lock.
    pub pin: Pin,
    /// The file.
    pub path: PathBuf,
    /// The SHA-256 in the lock.
    pub sha256: Digest,
}

/// A wheel built from a source distribution. The file is deleted when this value is dropped.
#[derive(Debug)]
pub struct BuiltWheel {
    /// Its file name.
    pub filename: WheelFilename,
    /// The SHA-256 of the wheel. Another build may produce other bytes.
    pub sha256: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// The SHA-256 of the source distribution.
    pub built_from: Digest,
    /// Whether the build had no network.
    pub offline: bool,
    folder: TempDir,
}

impl BuiltWheel {
    /// The path of the wheel.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("out").join(self.filename.to_string())
    }
}

fn is_wheel(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "whl")
}

#[derive(Default, Deserialize)]
struct PyProject {
    #[serde(rename = "build-system")]
    build_system: Option<BuildSystem>,
}

#[derive(Deserialize)]
struct BuildSystem {
    requires: Vec<String>,
}

impl Resolver {
    /// Builds a wheel from a source distribution whose package is among the `allowed`.
    ///
    /// `python` runs the build; it may have any version. `judge` inspects the wheel and returns the
    /// reason if it cannot be used.
    ///
    /// # Errors
    ///
    /// Before any code of the package runs: if the package is not allowed, or if the bytes are not
    /// the locked ones. Later: if the build fails, or makes a wheel that cannot be used.
    pub async fn build_sdist(
        &self,
        sdist: &Sdist,
        python: &Path,
        allowed: &BTreeSet<PackageName>,
        judge: impl FnOnce(&Path, &WheelFilename) -> Result<(), String>,
    ) -> Result<BuiltWheel, SdistError> {
        if !allowed.contains(&sdist.pin.name) {
            return Err(SdistError::NotAllowed(sdist.pin.name.clone()));
        }
        let io = |source| SdistError::Io { pin: sdist.pin.clone().into(), source };
        let found = durable::digest(&sdist.path).map_err(io)?;
        if found != sdist.sha256 {
            let (pin, wanted) = (sdist.pin.clone().into(), sdist.sha256);
            return Err(SdistError::WrongDigest { pin, found, wanted });
        }
        let room = BuildRoom::new(self, sdist, python).await?;
        let source = room.unpack(sdist).await?;
        room.prepare(&source).await?;
        room.build(&source).await?;
        let filename = room.built()?;
        let BuildRoom { folder, confinement, .. } = room;
        let path = folder.path().join("out").join(filename.to_string());
        judge(&path, &filename).map_err(|reason| SdistError::Unusable {
            pin: sdist.pin.clone().into(),
            wheel: Box::new(filename.clone()),
            reason,
        })?;
        Ok(BuiltWheel {
            sha256: durable::digest(&path).map_err(io)?,
            size: path.metadata().map_err(io)?.len(),
            built_from: sdist.sha256,
            filename,
            offline: confinement.is_offline(),
            folder,
        })
    }
}

/// The folder and the tools of one build.
struct BuildRoom<'a> {
    resolver: &'a Resolver,
    python: &'a Path,
    pin: &'a Pin,
    uv: String,
    confinement: Confinement,
    view: View,
    folder: TempDir,
}

impl<'a> BuildRoom<'a> {
    async fn new(
        resolver: &'a Resolver,
        sdist: &'a Sdist,
        python: &'a Path,
    ) -> Result<Self, SdistError> {
        let pin = &sdist.pin;
        let io = |source| SdistError::Io { pin: pin.clone().into(), source };
        let folder = tempfile::tempdir().map_err(io)?;
        for name in ["home", "cache", "tmp", "source", "out"] {
            fs::create_dir(folder.path().join(name)).map_err(io)?;
        }
        let mut command = uv(&resolver.uv);
        command.args(["run", "--quiet", "--no-project", "--no-config", "--offline", "--python"]);
        command.arg(&resolver.python).args(["--", "python", "-I", "-c", WHERE_UV_IS]);
        let uv = succeeded("uv", run(&mut command, "", PROBE).await)?.trim().to_owned();
        let confinement = match &resolver.confinement {
            Some(confinement) => confinement.clone(),
            None => Confinement::find().await,
        };
        let real = folder.path().canonicalize().map_err(io)?;
        let path = |below: &str| real.join(below).display().to_string();
        let mut view = View::new(&real)
            .read(Path::new(&uv), Path::new(&uv))
            .write(&real)
            .with_shared_memory()
            .variable("PATH", SEARCH_PATH)
            .variable("HOME", path("home"))
            .variable("TMPDIR", path("tmp"))
            .variable("UV_CACHE_DIR", path("cache"));
        // These make builds reproducible where the build tools allow it. The date is 1980-01-01.
        for (name, value) in [
            ("SOURCE_DATE_EPOCH", "315532800"),
            ("PYTHONHASHSEED", "0"),
            ("UV_PYTHON_DOWNLOADS", "never"),
            ("UV_NO_PROGRESS", "1"),
            ("NO_COLOR", "1"),
        ] {
            view = view.variable(name, value);
        }
        for interpreter in [&*resolver.python, python] {
            let asked = Toolchain::of(&[interpreter.display().to_string()]).await;
            let run = |source| SdistError::Run { pin: pin.clone().into(), source };
            view = view.read_all(&asked.map_err(run)?.paths);
        }
        Ok(Self { resolver, python, pin, uv, confinement, view, folder })
    }

    fn path(&self, below: &str) -> String {
        self.folder.path().join(below).display().to_string()
    }

    /// Runs a program in this confinement, without network.
    async fn run(
        &self,
        view: &View,
        program: &str,
        arguments: &[&str],
    ) -> Result<String, SdistError> {
        let words = [&[program], arguments].concat();
        let program: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let bounds = Bounds { time: TIMEOUT, output_mib: OUTPUT_MIB };
        self.done(self.confinement.run(view, &program, "", bounds).await)
    }

    /// Returns the standard output of a program that succeeded.
    fn done(&self, outcome: Result<Output, CommandError>) -> Result<String, SdistError> {
        let output = outcome.map_err(|source| self.not_run(source))?;
        match output.status {
            Some(0) => Ok(output.stdout),
            _ => Err(SdistError::Failed {
                pin: self.pin.clone().into(),
                output: output.combined_output(),
                log: None,
            }),
        }
    }

    fn not_run(&self, source: CommandError) -> SdistError {
        SdistError::Run { pin: self.pin.clone().into(), source }
    }

    fn io(&self, source: std::io::Error) -> SdistError {
        SdistError::Io { pin: self.pin.clone().into(), source }
    }

    /// Unpacks the source distribution, and returns the path of the folder inside.
    async fn unpack(&self, sdist: &Sdist) -> Result<String, SdistError> {
        let archive = std::path::absolute(&sdist.path).map_err(|error| self.io(error))?;
        let archive = archive.display().to_string();
        let python = self.resolver.python.display().to_string();
        let folder = self.path("source");
        let view = self.view.clone().read(Path::new(&archive), Path::new(&archive));
        let inside = self.run(&view, &python, &["-I", "-c", UNPACK, &archive, &folder]).await?;
        Ok(format!("{folder}/{}", inside.trim_end_matches('\n')))
    }

    /// Creates a virtual environment with the build dependencies, from wheels only. Installing
    /// wheels runs none of their code, so uv runs unconfined here, with the proxies, certificates
    /// and logins of this process.
    async fn prepare(&self, source: &str) -> Result<(), SdistError> {
        let python = self.python.display().to_string();
        let environment = self.path("environment");
        let arguments = ["venv", "--quiet", "--no-config", "--python", &python, &environment];
        self.run(&self.view, &self.uv, &arguments).await?;
        let requires = written(&self.requires(source)?)?;
        let mut command = uv_killed_with_parent(&self.resolver.uv).await;
        command
            .args(["pip", "install", "--quiet", "--only-binary", ":all:"])
            .args(["--python", &environment, "--requirements"])
            .arg(requires.path())
            // With a shared cache, a build could change, through links, files that other
            // installations use.
            .env("UV_CACHE_DIR", self.path("cache"));
        self.resolver.sources.configure_uv(&mut command, None);
        let bounds = Bounds { time: TIMEOUT, output_mib: OUTPUT_MIB };
        self.done(run(&mut command, "", bounds).await).map(drop)
    }

    /// Returns the build dependencies that `pyproject.toml` names.
    fn requires(&self, source: &str) -> Result<Vec<String>, SdistError> {
        let text = match regular::read_to_string(&Path::new(source).join("pyproject.toml")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(self.io(error)),
        };
        let project: PyProject = toml::from_str(&text).map_err(|error| SdistError::PyProject {
            pin: self.pin.clone().into(),
            source: TomlError::new(&error, &text),
        })?;
        let default = || DEFAULT_REQUIRES.map(str::to_owned).to_vec();
        Ok(project.build_system.map_or_else(default, |system| system.requires))
    }

    /// Builds the wheel.
    async fn build(&self, source: &str) -> Result<(), SdistError> {
        let (environment, out) = (self.path("environment"), self.path("out"));
        let mut arguments = vec!["build", "--wheel", "--no-config", "--offline"];
        arguments.extend(["--no-build-isolation", "--python", &environment]);
        arguments.extend(["--out-dir", &out, source]);
        self.run(&self.view, &self.uv, &arguments).await.map(drop)
    }

    /// Returns the name of the one wheel that was built.
    fn built(&self) -> Result<WheelFilename, SdistError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path("out")).map_err(|error| self.io(error))? {
            let name = entry.map_err(|error| self.io(error))?.file_name();
            names.extend(name.into_string().ok().filter(|name| is_wheel(name)));
        }
        let [name] = names.as_slice() else {
            return Err(SdistError::Wheels { pin: self.pin.clone().into(), found: names.len() });
        };
        let filename: WheelFilename = name
            .parse()
            .map_err(|source| SdistError::Filename { pin: self.pin.clone().into(), source })?;
        if *filename.name() != self.pin.name || *filename.version() != self.pin.version {
            return Err(SdistError::OtherPackage {
                pin: self.pin.clone().into(),
                wheel: Box::new(filename),
            });
        }
        Ok(filename)
    }
}

#[cfg(test)]
mod tests;
