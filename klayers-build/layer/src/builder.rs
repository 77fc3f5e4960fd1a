//! Builds a layer from its lock, through all stages up to its zip.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use futures::future::try_join;
use klayers_core::{Digest, LayerName, ParseError, PythonVersion, Runtimes};
use serde::Deserialize;

use crate::LayerError;
use crate::assemble::{Bytecode, Layer, LayerZip, Stripped};
use crate::bytecode::{BytecodeCache, Source};
use crate::fetch::Fetcher;
use crate::gate::{Distribution, Finding, GateRules, UNPACKED_LIMIT, WithoutBytecode, judge_lock};
use crate::interpreter::{Interpreter, InterpreterCache, Interpreters};
use crate::lock::Lock;
use crate::recipe::Recipe;
use crate::strip::StripCache;
use crate::verify::verify;
use klayers_wheel::cached::{ChangedFileError, Inspection};
use klayers_wheel::{Acceptances, Wheel, WheelFile};

mod checking;
mod healing;

use healing::CacheRecovery;

/// Upper bound on the size of all generated files of a layer, in bytes: RECORDs, launchers, the
/// lock and the SBOM.
const MAX_GENERATED: u64 = 16 << 20;

/// Builds layers.
///
/// ```
/// use klayers_layer::builder::Builder;
/// use klayers_layer::fetch::Fetcher;
/// use klayers_layer::resolve::{Resolver, Sources};
/// use klayers_core::{LayerName, Runtimes, Target};
///
/// # mod wheel { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/it/support/wheel.rs")); }
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// # wheel::WheelFile::new("greeting", "1.0").file("greeting.py", "").write(folder);
/// # let find_links = vec![folder.display().to_string()];
/// # let sources = Sources { find_links, no_index: true, ..Sources::default() };
/// let target: Target = "p3.13-arm64".parse()?;
/// let runtimes = Runtimes::default();
/// let runtime = runtimes.get(target.python).expect("3.13 is a runtime of Lambda");
/// let resolver = Resolver::find(sources).await?;
/// let lock = resolver.resolve(&["greeting".parse()?], target, runtime).await?;
///
/// let builder = Builder::new(Fetcher::new(&folder.join("cache"), None)?);
/// let name = LayerName::new("Klayers", target, "greeting")?;
/// let layer = builder.build(&name, &lock, folder).await?;
/// let zip = layer.zip.keep(folder)?;
/// assert!(zip.ends_with("Klayers-p313-arm64-greeting.zip"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    fetcher: Fetcher,
    runtimes: Runtimes,
    rules: GateRules,
    accepted: Arc<Acceptances>,
    interpreters: Option<InterpreterCache>,
    compiling: Option<Compiling>,
    keep_too_large: bool,
}

/// Whether layers contain bytecode.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BytecodeMode {
    /// If there is an interpreter of the layer's Python version, and the layer does not exceed
    /// Lambda's size limit.
    #[default]
    Auto,
    /// Always. Without an interpreter, the build fails.
    On,
    /// Never.
    Off,
}

impl FromStr for BytecodeMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "auto" => Ok(Self::Auto),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(ParseError::new(text, "a bytecode mode", "auto, on or off expected")),
        }
    }
}

impl fmt::Display for BytecodeMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// The cache of bytecode, and whether bytecode is required.
#[derive(Clone, Debug)]
struct Compiling {
    required: bool,
    cache: Arc<BytecodeCache>,
}

impl Builder {
    /// Creates a builder of layers without bytecode, for the default runtimes.
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            runtimes: Runtimes::default(),
            rules: GateRules::default(),
            accepted: Arc::default(),
            interpreters: None,
            compiling: None,
            keep_too_large: false,
        }
    }

    /// Also builds layers that exceed Lambda's size limit. The findings contain their size.
    #[must_use]
    pub fn keeping_too_large(self) -> Self {
        Self { keep_too_large: true, ..self }
    }

    /// Sets the runtimes.
    #[must_use]
    pub fn with_runtimes(self, runtimes: Runtimes) -> Self {
        Self { runtimes, ..self }
    }

    /// Sets the exceptions from the gate's rules.
    #[must_use]
    pub fn with_rules(self, rules: GateRules) -> Self {
        Self { rules, ..self }
    }

    /// Accepts these faults of wheels.
    #[must_use]
    pub fn with_accepted(self, accepted: Acceptances) -> Self {
        Self { accepted: Arc::new(accepted), ..self }
    }

    /// Sets the interpreters for bytecode and imports.
    #[must_use]
    pub fn with_interpreters(self, interpreters: Interpreters) -> Self {
        Self { interpreters: Some(InterpreterCache::new(interpreters)), ..self }
    }

    /// Sets whether layers contain bytecode, and the cache folder for it.
    #[must_use]
    pub fn with_bytecode(self, mode: BytecodeMode, cache: &Path) -> Self {
        let compiling = (mode != BytecodeMode::Off).then(|| Compiling {
            required: mode == BytecodeMode::On,
            cache: Arc::new(BytecodeCache::open(cache)),
        });
        Self { compiling, ..self }
    }

    /// Fetches and verifies the wheels of a lock, assembles a layer from them in a temporary file
    /// in `folder`, and checks whether its target can load its files.
    ///
    /// A cached file that changed after it was verified is removed and created again, once. The
    /// fetcher's [`cache_log`](Fetcher::cache_log) records this.
    ///
    /// # Errors
    ///
    /// If a wheel cannot be fetched or breaks a rule, if it cannot be compiled although bytecode is
    /// required, if the layer cannot be assembled or exceeds Lambda's size limit, or if a cached
    /// file changes again. Other problems that the gate finds are no errors here; they are in the
    /// layer's findings.
    pub async fn build(
        &self,
        name: &LayerName,
        lock: &Lock,
        folder: &Path,
    ) -> Result<BuiltLayer, LayerError> {
        if !self.keep_too_large
            && let Some(too_large) = judge_lock(name, lock, UNPACKED_LIMIT)
        {
            return Err(Box::new(too_large).into());
        }
        let mut healing = CacheRecovery::new(self.fetcher.cache_log().clone());
        loop {
            match self.attempt(name, lock, folder, healing.inspection()).await {
                Ok(layer) => return Ok(layer),
                Err(error) => healing.drop_changed(error)?,
            }
        }
    }

    async fn attempt(
        &self,
        name: &LayerName,
        lock: &Lock,
        folder: &Path,
        inspection: &Inspection,
    ) -> Result<BuiltLayer, LayerError> {
        let python = lock.target().python;
        let (wheels, interpreter) =
            try_join(self.fetch_and_verify(lock, inspection), self.compiler(python)).await?;
        let wheels = Arc::new(wheels);
        let mut recipe = Recipe::new(name.clone(), lock.target());
        recipe.accept = wheels.iter().filter_map(Wheel::acceptance).collect();
        let stripped = Arc::new(self.strip(lock, &wheels, inspection).await?);
        self.judge_size(&recipe, lock, &wheels, &stripped).await?;
        let mut without_bytecode = None;
        let mut bytecode = Vec::new();
        match (&self.compiling, interpreter) {
            (None, _) => {}
            (Some(_), None) => without_bytecode = Some(WithoutBytecode::NoInterpreter(python)),
            (Some(compiling), Some(interpreter)) => {
                let release = interpreter.version().clone();
                match compiling.compile(lock, &wheels, interpreter, inspection).await {
                    Ok(compiled) => {
                        bytecode = compiled;
                        recipe.bytecode = Some(release);
                    }
                    Err(error)
                        if compiling.required || ChangedFileError::among(&error).is_some() =>
                    {
                        return Err(error);
                    }
                    Err(error) => without_bytecode = Some(WithoutBytecode::failed(&error)),
                }
            }
        }
        let required = self.compiling.as_ref().is_some_and(|compiling| compiling.required);
        let keep_too_large = self.keep_too_large;
        let runtime = self.runtimes.require(lock.target())?.clone();
        let (lock, folder, rules) = (lock.clone(), folder.to_owned(), self.rules.clone());
        let kept = Arc::clone(&wheels);
        blocking(move || {
            let mut layer = Layer::new(&recipe, &lock, &wheels, &bytecode, &stripped)?;
            let without;
            if recipe.bytecode.is_some() && layer.is_too_large() {
                if !required {
                    without_bytecode = Some(WithoutBytecode::TooLarge);
                    without = Recipe { bytecode: None, ..recipe.clone() };
                    layer = Layer::new(&without, &lock, &wheels, &[], &stripped)?;
                } else if !keep_too_large {
                    return Err(Box::new(layer.too_large()?).into());
                }
            }
            let mut findings = rules.kept(layer.findings(&runtime));
            findings.extend(without_bytecode.map(Finding::WithoutBytecode));
            let distributions = layer.distributions()?;
            let modules = distributions.iter().flat_map(|distribution| &distribution.modules);
            let modules: BTreeSet<String> = modules.map(|module| module.name.clone()).collect();
            let zip = layer.write(&folder)?;
            Ok(BuiltLayer {
                zip,
                findings,
                modules: modules.into_iter().collect(),
                distributions,
                lock: lock.clone(),
                wheels: kept,
            })
        })
        .await
    }

    /// Checks the size of a layer without bytecode, before bytecode is created.
    async fn judge_size(
        &self,
        recipe: &Recipe,
        lock: &Lock,
        wheels: &Arc<Vec<Wheel>>,
        stripped: &Arc<Vec<Option<Stripped>>>,
    ) -> Result<(), LayerError> {
        let files = wheels.iter().flat_map(|wheel| &wheel.inventory().files);
        let size: u64 = files.map(|file| file.content.size).sum();
        if self.keep_too_large || size.saturating_add(MAX_GENERATED) <= UNPACKED_LIMIT {
            return Ok(());
        }
        let (recipe, lock) = (recipe.clone(), lock.clone());
        let (wheels, stripped) = (Arc::clone(wheels), Arc::clone(stripped));
        blocking(move || {
            let layer = Layer::new(&recipe, &lock, &wheels, &[], &stripped)?;
            if layer.is_too_large() { Err(Box::new(layer.too_large()?).into()) } else { Ok(()) }
        })
        .await
    }

    /// Returns the interpreter for bytecode, if bytecode is wanted.
    async fn compiler(&self, python: PythonVersion) -> Result<Option<Interpreter>, LayerError> {
        let (Some(compiling), Some(interpreters)) = (&self.compiling, &self.interpreters) else {
            return Ok(None);
        };
        match interpreters.find(python).await? {
            None if compiling.required => Err(LayerError::NoInterpreter(python)),
            found => Ok(found),
        }
    }

    /// Returns the stripped libraries of each wheel, in order. Empty if stripping is off.
    async fn strip(
        &self,
        lock: &Lock,
        wheels: &Arc<Vec<Wheel>>,
        inspection: &Inspection,
    ) -> Result<Vec<Option<Stripped>>, LayerError> {
        if !lock.slimming().strip {
            return Ok(Vec::new());
        }
        let cache = StripCache::open(self.fetcher.cache_folder());
        let digests: Vec<Digest> = lock.wheels().iter().map(|wheel| wheel.sha256).collect();
        let (wheels, inspection) = (Arc::clone(wheels), inspection.clone());
        blocking(move || {
            let stripped = digests.into_iter().zip(wheels.iter()).map(|(digest, wheel)| {
                let pack = cache.strip(digest, wheel, &inspection)?;
                Ok(pack.map(Stripped::open).transpose()?)
            });
            stripped.collect()
        })
        .await
    }

    async fn fetch_and_verify(
        &self,
        lock: &Lock,
        inspection: &Inspection,
    ) -> Result<Vec<Wheel>, LayerError> {
        let wheels = self.fetcher.fetch(lock).await?;
        let (inspection, accepted) = (inspection.clone(), Arc::clone(&self.accepted));
        Ok(blocking(move || verify(&wheels, &inspection, &accepted)).await?)
    }
}

/// A layer that was built, with the findings about it.
#[derive(Debug)]
pub struct BuiltLayer {
    /// The zip of the layer.
    pub zip: LayerZip,
    /// The findings about its files.
    pub findings: Vec<Finding>,
    /// The modules whose import shows whether the layer works, sorted.
    pub modules: Vec<String>,
    /// The layer's distributions, without their dependencies.
    distributions: Vec<Distribution>,
    lock: Lock,
    wheels: Arc<Vec<Wheel>>,
}

impl Compiling {
    /// Returns the bytecode of each wheel, in order.
    async fn compile(
        &self,
        lock: &Lock,
        wheels: &Arc<Vec<Wheel>>,
        interpreter: Interpreter,
        inspection: &Inspection,
    ) -> Result<Vec<Bytecode>, LayerError> {
        let (cache, wheels) = (Arc::clone(&self.cache), Arc::clone(wheels));
        let inspection = inspection.clone();
        let digests: Vec<Digest> = lock.wheels().iter().map(|wheel| wheel.sha256).collect();
        blocking(move || {
            let compiled = digests.into_iter().zip(wheels.iter()).map(|(digest, wheel)| {
                let pack = match cache.get(digest, &interpreter, &inspection)? {
                    Some(pack) => pack,
                    None => cache.compile(digest, &interpreter, sources(wheel))?,
                };
                Ok(Bytecode::open(pack)?)
            });
            compiled.collect()
        })
        .await
    }
}

/// Returns the Python files of a wheel, with their paths in the layer.
fn sources(wheel: &Wheel) -> impl Iterator<Item = std::io::Result<Source>> {
    let is_python = |file: &&WheelFile| file.path.as_str().as_bytes().ends_with(b".py");
    wheel.inventory().files.iter().filter(is_python).filter_map(|file| {
        let destination = wheel.installation().destination(&file.path).ok()??;
        let source = wheel.read(file).map(|content| Source { path: destination.path, content });
        (!destination.script).then(|| source.map_err(std::io::Error::other))
    })
}

/// Runs blocking work outside the async runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
