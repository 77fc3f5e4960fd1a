//! Reproducing: making a layer again from the lock in it, to see that it holds exactly what the
//! index holds.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use klayers_core::{Digest, LayerName, PackageName, Runtime, Runtimes};
use url::Url;

use crate::LayerError;
use crate::builder::{Builder, BytecodeMode};
pub use crate::error::{LayerFault, ReproduceError};
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

/// What layers are made again with.
#[derive(Clone, Debug)]
pub struct Reproducer {
    /// Fetches the wheels.
    pub fetcher: Fetcher,
    /// Where bytecode is kept.
    pub cache: PathBuf,
    /// What makes bytecode.
    pub interpreters: Interpreters,
    /// The runtimes that layers are for.
    pub runtimes: Runtimes,
    /// Where the wheels are of which a lock says no more than their file names: a URL of scheme
    /// `file` that ends with a slash.
    pub wheels: Option<Url>,
    /// The packages whose wheels may be built again from their sources, which runs their code.
    pub allow_sdist: BTreeSet<PackageName>,
    /// Where such builds find what they require.
    pub sources: Sources,
}

/// What came of making a layer again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reproduction {
    /// The layer's name.
    pub layer: LayerName,
    /// The SHA-256 of the zip that was given.
    pub digest: Digest,
    /// The SHA-256 of the zip that was made again.
    pub made: Digest,
    /// Where the two differ, sorted by path.
    pub differences: Vec<Difference>,
    /// The wheels of the layer whose `RECORD` does not describe them. The layer's recipe says that
    /// this was accepted.
    pub accepted: Vec<AcceptedRecord>,
    /// The bytecode, if it was not made again and nothing is said of it.
    pub not_compared: Option<NotCompared>,
}

/// Bytecode that could not be made again here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotCompared {
    /// In how many files of the layer it is.
    pub files: usize,
    /// The release of CPython that it is of.
    pub release: PythonRelease,
    /// The one of its version that is here.
    pub found: Option<PythonRelease>,
}

impl fmt::Display for NotCompared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, release, found } = self;
        write!(formatter, "{files} files of bytecode: they are of CPython {release}, and ")?;
        match found {
            Some(found) => write!(formatter, "{found} is here")?,
            None => formatter.write_str("there is none of its version here")?,
        }
        formatter.write_str("; name an interpreter of that release to compare them, too")
    }
}

impl Reproduction {
    /// Whether the two are the same to the last byte.
    pub fn is_same(&self) -> bool {
        self.digest == self.made
    }
}

/// A difference between a layer and the one that was made again.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Difference {
    /// A file is in the layer that should not be there.
    Added(EntryPath),
    /// A file is missing from the layer.
    Missing(EntryPath),
    /// A file has other content.
    Content(EntryPath),
    /// A file has the same content, but is compressed in another way or has another mode.
    Form(EntryPath),
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(path) => write!(formatter, "{path} is in the layer alone"),
            Self::Missing(path) => write!(formatter, "{path} is not in the layer"),
            Self::Content(path) => write!(formatter, "{path} has other content in the layer"),
            Self::Form(path) => {
                write!(formatter, "{path} is stored in another form, with the same content")
            }
        }
    }
}

impl Reproducer {
    /// Takes the lock out of a layer, fetches its wheels, and builds the layer again in a temporary
    /// file of `scratch`. Where the release of CPython is not there that its bytecode is of, all but
    /// the bytecode is compared.
    ///
    /// # Errors
    ///
    /// If the zip is no layer that says how it was made, or if it cannot be made again here: a
    /// wheel is gone, or one that was built from source may not be built again or becomes another
    /// one.
    pub async fn reproduce(&self, zip: &Path, scratch: &Path) -> Result<Reproduction, LayerError> {
        let fault = |fault: LayerFault| ReproduceError::new(zip, fault);
        let read = |source| RuleError::Io { path: zip.to_owned(), source };
        let archive = Archive::open(zip).map_err(|rule| fault(rule.into()))?;
        let (layer, text) = own_lock(&archive).map_err(fault)?;
        let recipe = Recipe::parse(&text).map_err(|error| fault(error.into()))?;
        if recipe.layer != layer {
            return Err(fault(LayerFault::OtherLayer(recipe.layer)).into());
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
        let (accepted, made) = (accepted.collect(), built.zip);
        let digest = durable::digest(zip).map_err(|source| fault(read(source).into()))?;
        let differences = if digest == made.digest {
            Vec::new()
        } else {
            let again = Archive::open(&made.file).map_err(|rule| fault(rule.into()))?;
            match &mut not_compared {
                None => differences(&archive, &again).map_err(|rule| fault(rule.into()))?,
                Some(NotCompared { files, release, .. }) => {
                    let compared = differences_but_bytecode(&archive, &again, &recipe, release);
                    let (differences, passed_over) = compared.map_err(|rule| fault(rule.into()))?;
                    *files = passed_over;
                    differences
                }
            }
        };
        Ok(Reproduction { layer, digest, made: made.digest, differences, accepted, not_compared })
    }

    /// A builder that makes the same bytecode as that of the layer, or none where that cannot be.
    async fn builder(&self, recipe: &Recipe) -> Result<(Builder, Option<NotCompared>), LayerError> {
        // The size was judged when the layer was built.
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
                let not_compared = NotCompared { files: 0, release: release.clone(), found };
                Ok((builder, Some(not_compared)))
            }
        }
    }

    /// Builds those wheels again that were built from source and are not in the cache.
    async fn rebuild(&self, lock: &Lock, runtime: &Runtime) -> Result<(), NoBuilder> {
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
            return Err(NoBuilder::Fault(LayerFault::FromSource(gone)));
        }
        let (fetcher, interpreters) = (self.fetcher.clone(), self.interpreters.clone());
        let from_source = SdistBuilds::new(self.allow_sdist.clone(), fetcher, interpreters);
        let resolver = Resolver::find(self.sources.clone()).await?.with_sdists(from_source);
        resolver.rebuild(lock, runtime).await.map_err(ResolveError::from)?;
        Ok(())
    }
}

/// Why there is nothing to make a layer again with, or of.
enum NoBuilder {
    Error(LayerError),
    Fault(LayerFault),
}

impl<E: Into<LayerError>> From<E> for NoBuilder {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl NoBuilder {
    fn or(self, fault: impl FnOnce(LayerFault) -> ReproduceError) -> LayerError {
        match self {
            Self::Error(error) => error,
            Self::Fault(found) => fault(found).into(),
        }
    }
}

/// The lock in a layer, and the name of the folder that it is in.
fn own_lock(archive: &Archive) -> Result<(LayerName, String), LayerFault> {
    let mut locks = archive.entries().iter().filter_map(|entry| {
        let rest = entry.path.as_str().strip_prefix("klayers/")?;
        Some((entry, rest.strip_suffix("/pylock.toml")?))
    });
    let (Some((entry, name)), None) = (locks.next(), locks.next()) else {
        return Err(LayerFault::NoLock);
    };
    let name = name.parse().map_err(|_| LayerFault::NoLock)?;
    let text = String::from_utf8(archive.read(entry)?).map_err(|_| LayerFault::NoLock)?;
    Ok((name, text))
}
