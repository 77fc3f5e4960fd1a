//! Builds one layer of some requirements into a folder, without a collection and without a catalog.

use std::fs;
use std::path::{Path, PathBuf};

use klayers_core::{Digest, LayerName, PackageName, Requirement, Runtime, Target};
use url::Url;

use crate::Error;
use crate::config::ConfigError;
use crate::plan::Caution;
use klayers_layer::assemble::{AssembleError, LayerZip};
use klayers_layer::builder::BuiltLayer;
use klayers_layer::gate::GateReport;
use klayers_layer::interpreter::PythonRelease;
use klayers_layer::lock::Lock;
use klayers_layer::resolve::ResolveError;
use klayers_layer::settings::Workshop;
use klayers_wheel::regular;

/// A layer to build.
#[derive(Clone, Debug)]
pub struct LayerOrder {
    /// The layer's name. The zip is named after it.
    pub layer: LayerName,
    /// The target.
    pub target: Target,
    /// What the layer is to hold.
    pub requirements: Vec<Requirement>,
    /// The lock to build from. Without a lock, the requirements are resolved.
    pub lock: Option<PathBuf>,
    /// Whether the layer's modules are imported in any case. Otherwise they are imported where the
    /// files of the layer do not say whether it works.
    pub check_imports: bool,
    /// Whether the layer is kept although the gate refuses it.
    pub force: bool,
}

/// A layer that was built into a folder.
#[derive(Debug)]
pub struct DeliveredLayer {
    /// The zip.
    pub path: PathBuf,
    /// The zip's SHA-256.
    pub digest: Digest,
    /// The zip's size, in bytes.
    pub size: u64,
    /// The size of what the zip unpacks to, in bytes.
    pub unzipped_size: u64,
    /// How many files the zip holds.
    pub files: usize,
    /// The release of CPython that made the bytecode, if there is bytecode.
    pub bytecode: Option<PythonRelease>,
    /// What the gate says about the layer.
    pub report: GateReport,
    /// The wheels in the layer.
    pub lock: Lock,
    /// What is worth a look in the choice of the wheels.
    pub cautions: Vec<Caution>,
}

impl LayerOrder {
    /// Builds a layer into the folder `out`, which is created if it is missing.
    ///
    /// # Errors
    ///
    /// The error of the stage that failed, [`Error::TooLarge`] if Lambda does not take the layer, or
    /// [`Error::Refused`] if the gate refuses it. No zip is left then.
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
