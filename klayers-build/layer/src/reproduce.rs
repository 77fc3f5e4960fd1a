//! Reproduces a layer: builds it again from the lock in it, to verify that it contains exactly the
//! files of the index.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use klayers_core::{Digest, LayerName, PackageName, Runtime, Runtimes};
use url::Url;

use crate::LayerError;
use crate::builder::{Builder, BytecodeMode};
pub use crate::error::{ReproduceError, UnreproducibleError};
use crate::fetch::Fetcher;
use crate::gate::{AcceptedRecord, Finding};
use crate::interpreter::{Interpreters, PythonRelease};
use crate::lock::Lock;
use crate::recipe::Recipe;
use crate::resolve::{ResolveError, Resolver, SdistBuilds, Sources};
use klayers_wheel::durable;
use klayers_wheel::{Archive, EntryPath, RuleError};

mod compare;

use compare::{differences, differences_but_bytecode};

/// Builds layers again.
#[derive(Clone, Debug)]
pub struct Reproducer {
    /// Fetches the wheels.
    pub fetcher: Fetcher,
    /// The cache folder for bytecode.
    pub cache: PathBuf,
    /// The interpreters for bytecode.
    pub interpreters: Interpreters,
    /// The known runtimes.
    pub runtimes: Runtimes,
    /// The folder of wheels that a lock lists by file name only: a `file` URL that ends with a
    /// slash.
    pub wheels: Option<Url>,
    /// The packages whose wheels may be built from source again, which runs their code.
    pub allow_sdist: BTreeSet<PackageName>,
    /// The package sources for the requirements of such builds.
    pub sources: Sources,
}

/// The result of reproducing a layer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reproduction {
    /// The layer's name.
    pub layer: LayerName,
    /// SHA-256 of the given zip.
    pub digest: Digest,
    /// SHA-256 of the rebuilt zip.
    pub rebuilt: Digest,
    /// The differences between the two, sorted by path.
    pub differences: Vec<Difference>,
    /// The wheels of the layer with a faulty `RECORD`, which the layer's recipe accepts.
    pub accepted: Vec<AcceptedRecord>,
    /// The bytecode, if it was not rebuilt and therefore not compared.
    pub not_compared: Option<UncomparedBytecode>,
}

/// Bytecode that could not be rebuilt on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UncomparedBytecode {
    /// The number of files with bytecode.
    pub files: usize,
    /// The CPython release of the bytecode.
    pub release: PythonRelease,
    /// The release of the same Python version on this machine, if any.
    pub found: Option<PythonRelease>,
}

impl fmt::Display for UncomparedBytecode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, release, found } = self;
        write!(formatter, "{files} files of bytecode: they are for CPython {release}, but ")?;
        match found {
            Some(found) => write!(formatter, "this machine has {found}")?,
            None => formatter.write_str("this machine has no interpreter of that version")?,
        }
        formatter.write_str("; choose an interpreter of that release to compare them, too")
    }
}

impl Reproduction {
    /// Whether the two zips are identical.
    pub fn is_same(&self) -> bool {
        self.digest == self.rebuilt
    }
}

/// A difference between a layer and the rebuilt one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Difference {
    /// The layer has a file that the rebuilt one does not have.
    Added(EntryPath),
    /// A file is missing from the layer.
    Missing(EntryPath),
    /// A file has different content.
    Content(EntryPath),
    /// A file has the same content but a different compression or mode.
    Form(EntryPath),
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(path) => write!(formatter, "{path} is only in the layer"),
            Self::Missing(path) => write!(formatter, "{path} is missing from the layer"),
            Self::Content(path) => write!(formatter, "{path} has different content in the layer"),
            Self::Form(path) => {
                write!(formatter, "{path} has the same content but a different compression or mode")
            }
        }
    }
}

impl Reproducer {
    /// Reads the lock in a layer, fetches its wheels, and builds the layer again in a temporary
    /// file in `scratch`. If the CPython release of its bytecode is not on this machine, everything
    /// except the bytecode is compared.
    ///
    /// # Errors
    ///
    /// If the zip is not a layer with a recipe, or if it cannot be rebuilt on this machine: a wheel
    /// is no longer available, or a wheel that was built from source may not be built again or has
    /// a different result.
    pub async fn reproduce(&self, zip: &Path, scratch: &Path) -> Result<Reproduction, LayerError> {
        let fault = |fault: UnreproducibleError| ReproduceError::new(zip, fault);
        let read = |source| RuleError::Io { path: zip.to_owned(), source };
        let archive = Archive::open(zip).map_err(|rule| fault(rule.into()))?;
        let (layer, text) = own_lock(&archive).map_err(fault)?;
        let recipe = Recipe::parse(&text).map_err(|error| fault(error.into()))?;
        if recipe.layer != layer {
            return Err(fault(UnreproducibleError::OtherLayer(recipe.layer)).into());
        }
        let runtime = self.runtimes.require(recipe.target)?;
        let lock = Lock::parse(&text, self.wheels.as_ref(), recipe.target, runtime)
            .map_err(|error| fault(error.into()))?;
        let (builder, mut not_compared) = self.builder(&recipe).await?;
        self.rebuild(&lock, runtime).await.map_err(|error| error.or(fault))?;
        let built = builder.build(&recipe.layer, &lock, scratch).await?;
        let accepted = built.findings.into_iter().filter_map(|finding| match finding {
            Finding::AcceptedRecord(accepted) => Some(accepted),
            _ => None,
        });
        let (accepted, rebuilt) = (accepted.collect(), built.zip);
        let digest = durable::digest(zip).map_err(|source| fault(read(source).into()))?;
        let differences = if digest == rebuilt.digest {
            Vec::new()
        } else {
            let again = Archive::open(&rebuilt.file).map_err(|rule| fault(rule.into()))?;
            match &mut not_compared {
                None => differences(&archive, &again).map_err(|rule| fault(rule.into()))?,
                Some(UncomparedBytecode { files, release, .. }) => {
                    let compared = differences_but_bytecode(&archive, &again, &recipe, release);
                    let (differences, passed_over) = compared.map_err(|rule| fault(rule.into()))?;
                    *files = passed_over;
                    differences
                }
            }
        };
        Ok(Reproduction {
            layer,
            digest,
            rebuilt: rebuilt.digest,
            differences,
            accepted,
            not_compared,
        })
    }

    /// Creates a builder with the CPython release of the layer's bytecode. Without that release,
    /// the builder creates no bytecode.
    async fn builder(
        &self,
        recipe: &Recipe,
    ) -> Result<(Builder, Option<UncomparedBytecode>), LayerError> {
        // The size was checked when the layer was built.
        let builder = Builder::new(self.fetcher.clone())
            .with_runtimes(self.runtimes.clone())
            .with_accepted(recipe.accept.clone())
            .keeping_too_large();
        let Some(release) = &recipe.bytecode else { return Ok((builder, None)) };
        match self.interpreters.find(release.python()).await? {
            Some(found) if found.version() == release => {
                let builder = builder.with_interpreters(self.interpreters.clone());
                Ok((builder.with_bytecode(BytecodeMode::On, &self.cache), None))
            }
            other => {
                let found = other.map(|other| other.version().clone());
                let not_compared = UncomparedBytecode { files: 0, release: release.clone(), found };
                Ok((builder, Some(not_compared)))
            }
        }
    }

    /// Builds the wheels again that were built from source and are not in the cache.
    async fn rebuild(&self, lock: &Lock, runtime: &Runtime) -> Result<(), RebuildError> {
        let mut gone = Vec::new();
        for wheel in lock.wheels().iter().filter(|wheel| wheel.built_from.is_some()) {
            if self.fetcher.cached_build(wheel.sha256, wheel.size).await?.is_none() {
                gone.push(wheel.pin.name.clone());
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        gone.retain(|name| !self.allow_sdist.contains(name));
        if !gone.is_empty() {
            return Err(RebuildError::Fault(UnreproducibleError::FromSource(gone)));
        }
        let (fetcher, interpreters) = (self.fetcher.clone(), self.interpreters.clone());
        let from_source = SdistBuilds::new(self.allow_sdist.clone(), fetcher, interpreters);
        let resolver = Resolver::find(self.sources.clone()).await?.with_sdists(from_source);
        resolver.rebuild(lock, runtime).await.map_err(ResolveError::from)?;
        Ok(())
    }
}

/// Why the wheels of a layer could not be rebuilt.
enum RebuildError {
    Stage(LayerError),
    Fault(UnreproducibleError),
}

impl<E: Into<LayerError>> From<E> for RebuildError {
    fn from(error: E) -> Self {
        Self::Stage(error.into())
    }
}

impl RebuildError {
    fn or(self, fault: impl FnOnce(UnreproducibleError) -> ReproduceError) -> LayerError {
        match self {
            Self::Stage(error) => error,
            Self::Fault(found) => fault(found).into(),
        }
    }
}

/// Returns the lock in a layer, and the layer name from the lock's path.
fn own_lock(archive: &Archive) -> Result<(LayerName, String), UnreproducibleError> {
    let mut locks = archive.entries().iter().filter_map(|entry| {
        let rest = entry.path.as_str().strip_prefix("klayers/")?;
        Some((entry, rest.strip_suffix("/pylock.toml")?))
    });
    let (Some((entry, name)), None) = (locks.next(), locks.next()) else {
        return Err(UnreproducibleError::NoLock);
    };
    let name = name.parse().map_err(|_| UnreproducibleError::NoLock)?;
    let text = String::from_utf8(archive.read(entry)?).map_err(|_| UnreproducibleError::NoLock)?;
    Ok((name, text))
}
