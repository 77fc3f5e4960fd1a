//! Builds one layer from requirements into a folder, without a collection and without a catalog.
//!
//! A [`BuildRequest`] holds the arguments of the command `build`. Together with a configuration, if
//! there is one, it gives the [`BuildSettings`] and the [`LayerOrder`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use klayers_core::{Digest, LayerName, PackageName, Requirement, Runtime, Target};
use url::Url;

use crate::Error;
use crate::config::{Config, ConfigError};
use crate::plan::{Caution, PlanError};
use klayers_layer::assemble::{AssembleError, LayerZip};
use klayers_layer::builder::{BuiltLayer, BytecodeMode};
use klayers_layer::gate::{GateReport, ImportMode};
use klayers_layer::interpreter::PythonRelease;
use klayers_layer::lock::Lock;
use klayers_layer::resolve::ResolveError;
use klayers_layer::settings::{BuildSettings, Workshop};
use klayers_layer::slim::Exclusion;
use klayers_wheel::Acceptance;
use klayers_wheel::regular;

/// The prefix of layer names without a configuration.
const DEFAULT_PREFIX: &str = "Klayers";

/// The arguments of the command `build`. They take precedence over a configuration.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The packages for the layer.
    pub requirements: Vec<Requirement>,
    /// The target.
    pub target: Target,
    /// The part of the layer's name after the prefix and the target. Without it, the packages' names.
    pub name: Option<PackageName>,
    /// The prefix of the layer's name.
    pub layer_prefix: Option<String>,
    /// The lock to build from. Without a lock, the requirements are resolved.
    pub lock: Option<PathBuf>,
    /// Whether the layer's modules are imported in any case.
    pub check_imports: bool,
    /// Whether the layer is kept even if the gate refuses it.
    pub force: bool,
    /// The settings that differ from the configuration.
    pub settings: SettingOverrides,
}

/// Settings that replace, or are added to, those of a configuration.
#[derive(Clone, Debug, Default)]
pub struct SettingOverrides {
    /// Replaces the package index.
    pub index_url: Option<Url>,
    /// Whether no package index is used.
    pub no_index: bool,
    /// Added to the places with wheels.
    pub find_links: Vec<String>,
    /// Added to the packages that may be built from source.
    pub allow_sdist: BTreeSet<PackageName>,
    /// Added to the accepted faults of wheels.
    pub accept: Vec<(PackageName, Acceptance)>,
    /// Added to the patterns of files that are left out.
    pub exclude: Vec<Exclusion>,
    /// Replaces the bytecode mode.
    pub bytecode: Option<BytecodeMode>,
    /// Replaces the interpreter for the Python version of the request.
    pub interpreter: Option<PathBuf>,
}

impl BuildRequest {
    /// The settings of the build: those of the configuration, changed by those of the request.
    pub fn settings(&self, config: Option<&Config>) -> BuildSettings {
        let SettingOverrides {
            index_url,
            no_index,
            find_links,
            allow_sdist,
            accept,
            exclude,
            bytecode,
            interpreter,
        } = self.settings.clone();
        let mut settings = config.map(|config| config.build.clone()).unwrap_or_default();
        let sources = &mut settings.sources;
        if no_index {
            (sources.index_url, sources.no_index) = (None, true);
        }
        if let Some(url) = index_url {
            (sources.index_url, sources.no_index) = (Some(url), no_index);
        }
        sources.find_links.extend(find_links);
        settings.slimming.exclude.extend(exclude);
        settings.allow_sdist.extend(allow_sdist);
        for (package, fault) in accept {
            settings.accepted.insert(package, fault);
        }
        settings.bytecode = bytecode.unwrap_or(settings.bytecode);
        settings.interpreters.extend(interpreter.map(|program| (self.target.python, program)));
        settings
    }

    /// The layer to build.
    ///
    /// # Errors
    ///
    /// If the layer's name is not one that Lambda accepts.
    pub fn order(&self, config: Option<&Config>) -> Result<LayerOrder, Error> {
        let configured = config.map(|config| config.publish.layer_prefix.as_str());
        let prefix = self.layer_prefix.as_deref().or(configured).unwrap_or(DEFAULT_PREFIX);
        let packages = self.requirements.iter().map(|requirement| requirement.name().to_string());
        let name = match &self.name {
            Some(name) => name.to_string(),
            None => packages.collect::<Vec<_>>().join("-"),
        };
        Ok(LayerOrder {
            layer: LayerName::new(prefix, self.target, &name).map_err(PlanError::LayerName)?,
            target: self.target,
            requirements: self.requirements.clone(),
            lock: self.lock.clone(),
            check_imports: self.check_imports
                || config.is_some_and(|config| config.build.gate.imports != ImportMode::Off),
            force: self.force,
        })
    }
}

/// A layer to build.
#[derive(Clone, Debug)]
pub struct LayerOrder {
    /// The layer's name, which is also the name of the zip file.
    pub layer: LayerName,
    /// The target.
    pub target: Target,
    /// The packages for the layer.
    pub requirements: Vec<Requirement>,
    /// The lock to build from. Without a lock, the requirements are resolved.
    pub lock: Option<PathBuf>,
    /// Whether the layer's modules are imported in any case. Otherwise they are imported only if the
    /// layer's files do not show whether the layer works.
    pub check_imports: bool,
    /// Whether the layer is kept even if the gate refuses it.
    pub force: bool,
}

/// A layer that was built into a folder.
#[derive(Debug)]
pub struct DeliveredLayer {
    /// The zip file.
    pub path: PathBuf,
    /// The zip's SHA-256.
    pub digest: Digest,
    /// The zip's size, in bytes.
    pub size: u64,
    /// The size of what the zip unpacks to, in bytes.
    pub unzipped_size: u64,
    /// How many files the zip holds.
    pub files: usize,
    /// The release of CPython that compiled the bytecode, if the layer has bytecode.
    pub bytecode: Option<PythonRelease>,
    /// The gate's report about the layer.
    pub report: GateReport,
    /// The wheels in the layer.
    pub lock: Lock,
    /// Warnings about the choice of the wheels.
    pub cautions: Vec<Caution>,
}

impl LayerOrder {
    /// Whether the build runs code of packages.
    pub fn runs_code(&self, settings: &BuildSettings) -> bool {
        self.check_imports || !settings.allow_sdist.is_empty()
    }

    /// Builds a layer into the folder `out`, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// The error of the stage that failed. It is [`TooLarge`](klayers_layer::LayerError::TooLarge)
    /// if the layer exceeds Lambda's limit, and [`Refused`](klayers_layer::LayerError::Refused) if
    /// the gate refuses it. No zip is left then.
    pub async fn deliver(&self, workshop: &Workshop, out: &Path) -> Result<DeliveredLayer, Error> {
        let Self { layer, target, .. } = self;
        let runtime = workshop.settings.runtimes.require(*target)?;
        let (lock, cautions) = self.lock(workshop, runtime).await?;
        let write = |source| AssembleError::Write { path: out.to_owned(), source };
        fs::create_dir_all(out).map_err(write)?;
        let builder =
            if self.force { workshop.builder().keeping_too_large() } else { workshop.builder() };
        let built = builder.build(layer, &lock, out).await?;
        let requirements = self.requirements.iter();
        let asked_for: Vec<PackageName> =
            requirements.map(|requirement| requirement.name().clone()).collect();
        let report = if self.check_imports {
            builder.check(&built, &asked_for, out).await?
        } else {
            builder.check_if_in_doubt(&built, &asked_for, out).await?
        };
        let report = if self.force { report } else { report.required(layer)? };
        let BuiltLayer { zip, .. } = built;
        let LayerZip { digest, size, unzipped_size, files, .. } = zip;
        let bytecode = zip.recipe.bytecode.clone();
        let path = zip.keep(out)?;
        Ok(DeliveredLayer {
            path,
            digest,
            size,
            unzipped_size,
            files,
            bytecode,
            report,
            lock,
            cautions,
        })
    }

    async fn lock(
        &self,
        workshop: &Workshop,
        runtime: &Runtime,
    ) -> Result<(Lock, Vec<Caution>), Error> {
        let Self { target, requirements, .. } = self;
        let Some(path) = &self.lock else {
            let resolver = workshop.resolver().await?;
            let lock = resolver.resolve(requirements, *target, runtime).await?;
            let places = resolver.without_hashes(&lock).await.iter();
            let cautions = places.map(|place| Caution::NoHashes { place: place.clone() }).collect();
            return Ok((lock, cautions));
        };
        let lock = read_lock(path, *target, runtime)?;
        let lock = lock.with_exclusions(&workshop.settings.slimming.exclude);
        if !workshop.settings.allow_sdist.is_empty() {
            let resolver = workshop.resolver().await?;
            resolver.rebuild(&lock, runtime).await.map_err(ResolveError::from)?;
        }
        Ok((lock, Vec::new()))
    }
}

fn read_lock(path: &Path, target: Target, runtime: &Runtime) -> Result<Lock, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let text = regular::read_to_string(path).map_err(read)?;
    let base = Url::from_file_path(std::path::absolute(path).map_err(read)?).ok();
    Lock::parse(&text, base.as_ref(), target, runtime)
        .map_err(|source| ConfigError::Lock { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("klayers.toml");
        fs::write(&path, format!("config_dir = \"config\"\n{text}")).expect("a file");
        Config::load(&path).expect("a configuration")
    }

    fn request(settings: SettingOverrides) -> BuildRequest {
        BuildRequest {
            requirements: ["a", "b>=2"].map(|text| text.parse().expect("a requirement")).to_vec(),
            target: "p3.12".parse().expect("a target"),
            name: None,
            layer_prefix: None,
            lock: None,
            check_imports: false,
            force: false,
            settings,
        }
    }

    #[test]
    fn arguments_take_precedence_over_the_configuration() {
        let config = config(
            "[publish]\nlayer_prefix = \"Ours\"\n[build]\nbytecode = \"off\"\n\
             index_url = \"https://index.example/simple\"\nallow_sdist = [\"x\"]\n",
        );
        let unchanged = request(SettingOverrides::default()).settings(Some(&config));
        assert_eq!(unchanged.bytecode, BytecodeMode::Off);
        assert!(unchanged.sources.index_url.is_some());
        let overrides = SettingOverrides {
            no_index: true,
            bytecode: Some(BytecodeMode::On),
            allow_sdist: BTreeSet::from(["y".parse().expect("a name")]),
            ..SettingOverrides::default()
        };
        let settings = request(overrides).settings(Some(&config));
        assert_eq!(settings.bytecode, BytecodeMode::On);
        assert_eq!((settings.sources.index_url, settings.sources.no_index), (None, true));
        assert_eq!(settings.allow_sdist.len(), 2);
    }

    #[test]
    fn layer_is_named_after_the_prefix_and_the_packages() {
        let named = |request: &BuildRequest, config: Option<&Config>| {
            request.order(config).expect("an order").layer.to_string()
        };
        let mut request = request(SettingOverrides::default());
        assert_eq!(named(&request, None), "Klayers-p312-a-b");
        let config = config("[publish]\nlayer_prefix = \"Ours\"\n");
        assert_eq!(named(&request, Some(&config)), "Ours-p312-a-b");
        request.layer_prefix = Some("Mine".to_owned());
        request.name = Some("c".parse().expect("a name"));
        assert_eq!(named(&request, Some(&config)), "Mine-p312-c");
    }
}
