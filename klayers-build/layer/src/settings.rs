//! How layers are built: the settings that the commands `build`, `plan` and `run` share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use klayers_core::{PackageName, PythonVersion, Runtimes};

use crate::builder::{Builder, BytecodeMode};
use crate::fetch::{FetchError, Fetcher};
use crate::gate::GateRules;
use crate::interpreter::Interpreters;
use crate::resolve::{ResolveError, Resolver, SdistBuilds, Sources};
use crate::slim::Slimming;
use klayers_wheel::Acceptances;

/// How layers are built. The default is what holds without a `klayers.toml`.
#[derive(Clone, Debug, Default)]
pub struct BuildSettings {
    /// Where packages come from.
    pub sources: Sources,
    /// The packages whose wheels may be built from their source distributions, which runs their code.
    pub allow_sdist: BTreeSet<PackageName>,
    /// Whether layers hold bytecode.
    pub bytecode: BytecodeMode,
    /// Interpreters to use in place of those that would be found.
    pub interpreters: BTreeMap<PythonVersion, PathBuf>,
    /// The faults of wheels that are accepted.
    pub accepted: Acceptances,
    /// What is left out of layers.
    pub slimming: Slimming,
    /// What the gate lets pass.
    pub gate: GateRules,
    /// The runtimes that layers are built for.
    pub runtimes: Runtimes,
}

/// What layers are built with on this machine.
#[derive(Clone, Debug)]
pub struct Workshop {
    /// The settings.
    pub settings: BuildSettings,
    /// Fetches wheels into the cache.
    pub fetcher: Fetcher,
    /// Interpreters of this machine, those of the settings first.
    pub interpreters: Interpreters,
}

impl Workshop {
    /// Prepares to build with these settings. Fetched wheels are kept in the folder `cache`.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    pub fn new(
        settings: BuildSettings,
        cache: &Path,
        mut interpreters: Interpreters,
    ) -> Result<Self, FetchError> {
        interpreters.explicit.extend(settings.interpreters.clone());
        let fetcher = Fetcher::new(cache, None)?.with_sources(&settings.sources);
        Ok(Self { settings, fetcher, interpreters })
    }

    /// A resolver with these settings.
    ///
    /// # Errors
    ///
    /// As [`Resolver::find`].
    pub async fn resolver(&self) -> Result<Resolver, ResolveError> {
        let Self { settings, fetcher, interpreters } = self;
        let from_source =
            SdistBuilds::new(settings.allow_sdist.clone(), fetcher.clone(), interpreters.clone());
        Ok(Resolver::find(settings.sources.clone())
            .await?
            .with_slimming(settings.slimming.clone())
            .with_sdists(from_source))
    }

    /// A builder with these settings.
    pub fn builder(&self) -> Builder {
        let Self { settings, fetcher, interpreters } = self;
        Builder::new(fetcher.clone())
            .with_runtimes(settings.runtimes.clone())
            .with_rules(settings.gate.clone())
            .with_accepted(settings.accepted.clone())
            .with_interpreters(interpreters.clone())
            .with_bytecode(settings.bytecode, fetcher.cache_folder())
    }
}
