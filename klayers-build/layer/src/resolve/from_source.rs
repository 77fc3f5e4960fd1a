//! Builds packages from source distributions where no wheels exist and the operator allowed it.
//! Their wheels are built first; then resolution runs as usual.
//!
//! uv would run a package's code, unconfined, to learn its dependencies. So uv is told that such
//! packages have no dependencies, and chooses their versions without running anything. The wheels
//! are then built in confinement, and the real dependencies are read from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klayers_core::{Digest, PackageName, Pin, Requirement, Runtime, Target};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::{Requirements, ResolveError, Resolver, Sdist, SdistError, written};
use crate::fetch::Fetcher;
use crate::gate::{Finding, Severity, check_native};
use crate::interpreter::{Interpreter, Interpreters};
use crate::lock::{Lock, LockedSdist, LockedWheel, SdistSource, Tags};
use klayers_core::terminal::error_chain;
use klayers_wheel::sealed::{self, Sealed};
use klayers_wheel::{Acceptance, Wheel, WheelFilename};

/// Format tag of the cache note that records which wheel was built from an sdist.
const KIND: &str = "klayers built wheel 1";

/// The packages that may be built from source, and the tools for building them.
#[derive(Clone, Debug)]
pub struct SdistBuilds {
    pub(super) allowed: BTreeSet<PackageName>,
    fetcher: Fetcher,
    interpreters: Interpreters,
    /// Held while a wheel is built, so that several layers that need the same wheel share one
    /// build.
    building: Arc<Mutex<()>>,
}

impl SdistBuilds {
    /// Allows these packages. Fetched source distributions and built wheels go into the cache of
    /// the fetcher. A build uses the interpreter of the target's Python version if there is one;
    /// native code needs it.
    pub fn new(
        allowed: BTreeSet<PackageName>,
        fetcher: Fetcher,
        interpreters: Interpreters,
    ) -> Self {
        Self { allowed, fetcher, interpreters, building: Arc::default() }
    }
}

/// Content of the cache note: the wheel that was built from an sdist.
#[derive(Serialize, Deserialize)]
struct BuiltWheelNote {
    filename: String,
    sha256: Digest,
    size: u64,
}

/// The wheels built for one resolution, in a folder that uv reads.
pub(super) struct BuiltWheels {
    folder: TempDir,
    sources: BTreeMap<Digest, SdistSource>,
}

impl BuiltWheels {
    pub(super) fn new() -> Result<Self, ResolveError> {
        let folder = tempfile::tempdir().map_err(ResolveError::Temporary)?;
        Ok(Self { folder, sources: BTreeMap::new() })
    }

    fn add(&mut self, wheel: &CachedBuild, source: SdistSource) -> Result<(), ResolveError> {
        let listed = self.folder.path().join(wheel.filename.to_string());
        fs::copy(&wheel.path, listed).map_err(ResolveError::Temporary)?;
        self.sources.insert(wheel.sha256, source);
        Ok(())
    }

    /// The folder with the wheels.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Records in a lock which source each of these wheels was built from.
    pub(super) fn record_sources(&self, lock: Lock) -> Lock {
        lock.with_sources(&self.sources)
    }
}

/// A built wheel in the cache.
struct CachedBuild {
    filename: WheelFilename,
    sha256: Digest,
    path: PathBuf,
}

impl Resolver {
    /// Builds wheels of those allowed packages that have none, and resolves with them. Returns
    /// `unsolvable`, the error without these wheels, if they do not help.
    pub(super) async fn build_and_compile(
        &self,
        from_source: &SdistBuilds,
        requirements: &[Requirement],
        target: Target,
        runtime: &Runtime,
        mut unsolvable: ResolveError,
    ) -> Result<(Lock, BuiltWheels), ResolveError> {
        let mut built = BuiltWheels::new()?;
        let mut left = from_source.allowed.clone();
        // The dependencies of a package are known only after its build, and may have to be built as
        // well.
        loop {
            let choice =
                SdistChoice { resolver: self, requirements, target, runtime, built: &built };
            let sdists = choice.fewest_sdists(&left).await?;
            if sdists.is_empty() {
                return Err(unsolvable);
            }
            for LockedSdist { pin, source } in sdists {
                left.remove(&pin.name);
                let wheel = self.find_or_build(from_source, &pin, &source, target, runtime).await?;
                built.add(&wheel, source)?;
            }
            match self.compile(requirements, target, runtime, &[], Some(&built)).await {
                Ok(lock) => return Ok((built.record_sources(lock), built)),
                Err(error @ ResolveError::Unsolvable { .. }) => unsolvable = error,
                Err(error) => return Err(error),
            }
        }
    }

    /// Rebuilds the wheels of a lock that were built from source and are no longer in the cache. A
    /// fetch of the lock then finds them there.
    ///
    /// # Errors
    ///
    /// If a package is not allowed or cannot be built, or if the rebuilt wheel has other bytes.
    pub async fn rebuild(&self, lock: &Lock, runtime: &Runtime) -> Result<(), SdistError> {
        for wheel in lock.wheels() {
            let LockedWheel { pin, filename, sha256, built_from: Some(source), .. } = wheel else {
                continue;
            };
            let not_allowed = || SdistError::NotAllowed(pin.name.clone());
            let from_source = self.from_source.as_ref().ok_or_else(not_allowed)?;
            if from_source.fetcher.cached_build(*sha256, wheel.size).await?.is_some() {
                continue;
            }
            let again = self.build(from_source, pin, source, lock.target(), runtime).await?;
            if again.sha256 != *sha256 {
                let (pin, found, wanted) = (pin.clone().into(), again.sha256, *sha256);
                let wheel = filename.clone().into();
                return Err(SdistError::OtherBytes { wheel, pin, found, wanted });
            }
        }
        Ok(())
    }

    /// Returns the wheel of a source distribution, from the cache if an earlier build left it
    /// there.
    async fn find_or_build(
        &self,
        from_source: &SdistBuilds,
        pin: &Pin,
        source: &SdistSource,
        target: Target,
        runtime: &Runtime,
    ) -> Result<CachedBuild, SdistError> {
        let _alone = from_source.building.lock().await;
        let note_path = from_source.note_path(source, target);
        // An unreadable note counts as no note.
        let note = sealed::read::<BuiltWheelNote>(&note_path, KIND).unwrap_or(Sealed::Absent);
        let note = note.value(&note_path, from_source.fetcher.cache_log());
        if let Some(note) = note
            && let Ok(filename) = note.filename.parse::<WheelFilename>()
            && let Some(path) =
                from_source.fetcher.cached_build(note.sha256, Some(note.size)).await?
        {
            return Ok(CachedBuild { filename, sha256: note.sha256, path });
        }
        self.build(from_source, pin, source, target, runtime).await
    }

    async fn build(
        &self,
        from_source: &SdistBuilds,
        pin: &Pin,
        source: &SdistSource,
        target: Target,
        runtime: &Runtime,
    ) -> Result<CachedBuild, SdistError> {
        let SdistBuilds { allowed, fetcher, interpreters, .. } = from_source;
        if !allowed.contains(&pin.name) {
            return Err(SdistError::NotAllowed(pin.name.clone()));
        }
        let path = fetcher.fetch_sdist(&pin.name, source).await?;
        let sdist = Sdist { pin: pin.clone(), path, sha256: source.sha256 };
        let found = interpreters.find(target.python).await?;
        let python = found.as_ref().map_or(self.python.as_path(), Interpreter::path);
        let judge = |path: &Path, filename: &WheelFilename| judge(path, filename, target, runtime);
        let built = self.build_sdist(&sdist, python, allowed, judge).await;
        let built = built.map_err(|error| from_source.with_log(error, target))?;
        let path = fetcher.store_build(&built.path(), built.sha256).await?;
        let note = BuiltWheelNote {
            filename: built.filename.to_string(),
            sha256: built.sha256,
            size: built.size,
        };
        // If the note cannot be written, the next run builds the wheel again.
        let _ = sealed::write(&from_source.note_path(source, target), KIND, &note);
        Ok(CachedBuild { filename: built.filename.clone(), sha256: built.sha256, path })
    }
}

impl SdistBuilds {
    /// Stores the output of a failed build in a log file, and names that file in the error.
    fn with_log(&self, error: SdistError, target: Target) -> SdistError {
        let SdistError::Failed { pin, output, .. } = error else { return error };
        let folder = self.fetcher.cache_folder().join("logs");
        let log = folder.join(format!("{}-{}-{target}.log", pin.name.normalized(), pin.version));
        let saved = fs::create_dir_all(&folder).and_then(|()| fs::write(&log, &output));
        // A log that cannot be written must not hide why the build failed.
        SdistError::Failed { pin, output, log: saved.is_ok().then_some(log) }
    }

    /// The path of the note that records which wheel was built from a source distribution for a
    /// target.
    fn note_path(&self, source: &SdistSource, target: Target) -> PathBuf {
        self.fetcher.built().join(format!("{}-{target}.wheel", source.sha256))
    }
}

/// Checks that a built wheel can be used: it fits the target, it is valid, and its native code can
/// be loaded.
fn judge(
    path: &Path,
    filename: &WheelFilename,
    target: Target,
    runtime: &Runtime,
) -> Result<(), String> {
    if Tags::new(target, runtime.glibc).priority(filename).is_none() {
        return Err(format!(
            "it does not fit {target}; native code fits only the machine and the Python version \
             that it was built on"
        ));
    }
    // Whether faults of its RECORD are accepted is decided later, when a layer is made of it.
    let accepted = std::iter::once((filename.name().clone(), Acceptance::Record)).collect();
    let wheel = Wheel::verify_accepting(path, filename, &accepted);
    let wheel = wheel.map_err(|error| error_chain(&error))?;
    let (name, inventory) = (filename.to_string(), wheel.inventory());
    let libraries: Vec<_> =
        inventory.libraries.iter().map(|library| (name.as_str(), library)).collect();
    let files = inventory.files.iter().map(|file| file.path.as_str());
    let findings = check_native(&libraries, files, target, runtime);
    let errors: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .map(Finding::to_string)
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// Chooses which source distributions to build. Runs none of their code.
pub(super) struct SdistChoice<'a> {
    pub(super) resolver: &'a Resolver,
    pub(super) requirements: &'a [Requirement],
    pub(super) target: Target,
    pub(super) runtime: &'a Runtime,
    pub(super) built: &'a BuiltWheels,
}

impl SdistChoice<'_> {
    /// Returns the source distributions of as few allowed packages as possible: a package that has
    /// wheels is not built. Empty if the requirements cannot be met with these packages either.
    pub(super) async fn fewest_sdists(
        &self,
        allowed: &BTreeSet<PackageName>,
    ) -> Result<Vec<LockedSdist>, ResolveError> {
        // A package that exists only as wheels makes the resolution fail, so each subset without
        // one package, and each package alone, is tried as well.
        let alone = allowed.iter().map(|name| BTreeSet::from([name.clone()]));
        let but_one = allowed.iter().map(|name| {
            let others = allowed.iter().filter(|other| *other != name);
            others.cloned().collect::<BTreeSet<PackageName>>()
        });
        let parts = alone.chain(but_one).filter(|part| part.len() < allowed.len());
        let mut sdists = Vec::new();
        for packages in iter::once(allowed.clone()).chain(parts) {
            if let Some(found) = self.sdists(&packages).await? {
                sdists = found;
                break;
            }
        }
        let chosen: Vec<PackageName> = sdists.iter().map(|sdist| sdist.pin.name.clone()).collect();
        for name in chosen {
            let others = sdists.iter().map(|sdist| sdist.pin.name.clone());
            let others: BTreeSet<PackageName> = others.filter(|other| *other != name).collect();
            if others.is_empty() {
                break;
            }
            if let Some(fewer) = self.sdists(&others).await? {
                sdists = fewer;
            }
        }
        Ok(sdists)
    }

    /// Returns the source distributions that uv chooses if these packages have no wheels and no
    /// dependencies. None if there is no solution.
    pub(super) async fn sdists(
        &self,
        packages: &BTreeSet<PackageName>,
    ) -> Result<Option<Vec<LockedSdist>>, ResolveError> {
        if packages.is_empty() {
            return Ok(None);
        }
        let mut metadata = String::new();
        let mut extra = Vec::new();
        for name in packages {
            let name = name.normalized();
            let _ = writeln!(
                metadata,
                "[[dependency-metadata]]\nname = \"{name}\"\nrequires-dist = []"
            );
            extra.extend(["--no-binary".to_owned(), name.to_owned()]);
        }
        // This replaces uv's own configuration files: uv has no other way to set it.
        let metadata = written(&[metadata])?;
        extra.extend(["--config-file".to_owned(), metadata.path().display().to_string()]);
        let Self { resolver, requirements, target, runtime, built } = *self;
        let asked = resolver.uv_lock(requirements, target, runtime, &extra, Some(built)).await;
        let text = match asked {
            Ok(text) => text,
            Err(ResolveError::Unsolvable { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let sdists = Lock::sdists(&text).map_err(|source| ResolveError::Lock {
            requirements: Requirements(requirements.to_vec()),
            target,
            source,
        })?;
        Ok(Some(sdists.into_iter().filter(|sdist| packages.contains(&sdist.pin.name)).collect()))
    }
}
