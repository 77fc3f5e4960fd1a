//! The settings of one run: from the options, then the environment, then `klayers.toml`, then
//! defaults.

use std::cell::Cell;
use std::time::Duration;

use super::arguments::{Options, TargetArgs};
use super::config::{CacheSetting, Config, LoadedConfig};
use super::environment::Environment;
use super::error::CommandError;
use crate::{Architecture, Cache, Client, Error, PythonVersion, Region, Target};

#[derive(Clone)]
pub(super) struct Settings<'a> {
    options: &'a Options,
    api_url: Option<String>,
    environment: &'a Environment,
    config: Config,
    /// A message for each `klayers.toml` that was ignored.
    pub(super) ignored_files: Vec<String>,
    /// Whether the architecture was assumed, since none was given.
    architecture_assumed: Cell<bool>,
}

impl<'a> Settings<'a> {
    pub(super) fn new(
        options: &'a Options,
        environment: &'a Environment,
    ) -> Result<Self, CommandError> {
        let (project, user) = (environment.project.as_deref(), environment.user.as_deref());
        let LoadedConfig { config, ignored_files } =
            Config::load(project, user).map_err(CommandError::Usage)?;
        Ok(Self {
            options,
            api_url: options.api_url.clone(),
            environment,
            config,
            ignored_files,
            architecture_assumed: Cell::new(false),
        })
    }

    /// The same settings with another address of the API, if one is given.
    pub(super) fn with_api_url(&self, api_url: Option<String>) -> Self {
        Self { api_url: api_url.or_else(|| self.api_url.clone()), ..self.clone() }
    }

    pub(super) fn api_url(&self) -> &str {
        let chosen = self.api_url.as_deref().or(self.environment.api_url());
        chosen.or(self.config.api_url.as_deref()).unwrap_or(Client::PUBLIC_URL)
    }

    pub(super) fn client(&self) -> Result<Client, CommandError> {
        let mut builder = Client::builder()
            .base_url(self.api_url())
            .user_agent(concat!("klayers/", env!("CARGO_PKG_VERSION")))
            .offline(self.options.offline || self.config.offline.unwrap_or(false))
            .cache(self.cache());
        if let Some(seconds) = self.config.timeout {
            builder = builder.total_timeout(Duration::from_secs(seconds.into()));
        }
        builder.build().map_err(|error| match error {
            Error::BaseUrl { .. } => CommandError::Usage(error.to_string()),
            error => CommandError::Client(error),
        })
    }

    fn cache(&self) -> Cache {
        let folder = match &self.config.cache {
            Some(CacheSetting::Enabled(false)) => None,
            Some(CacheSetting::Folder(folder)) => Some(folder),
            Some(CacheSetting::Enabled(true)) | None => self.environment.cache.as_ref(),
        };
        match folder {
            Some(folder) if !self.options.no_cache => Cache::memory().folder(folder),
            _ => Cache::memory(),
        }
    }

    pub(super) fn region(&self, flag: Option<&Region>) -> Result<Option<Region>, CommandError> {
        if let Some(region) = flag {
            return Ok(Some(region.clone()));
        }
        let from_environment = self.environment.region().map_err(CommandError::Usage)?;
        match from_environment.or_else(|| self.config.region.clone()) {
            Some(region) => Ok(Some(region)),
            None => self.environment.profile_region().map_err(CommandError::Usage),
        }
    }

    fn python(&self, flag: Option<PythonVersion>) -> Result<Option<PythonVersion>, CommandError> {
        match flag {
            Some(python) => Ok(Some(python)),
            None => {
                Ok(self.environment.python().map_err(CommandError::Usage)?.or(self.config.python))
            }
        }
    }

    /// The architecture; if none is given `x86_64`, which is also Lambda's default.
    fn architecture(&self, flag: Option<Architecture>) -> Architecture {
        let given = flag.or_else(|| self.environment.arch()).or(self.config.arch);
        self.architecture_assumed.set(given.is_none());
        given.unwrap_or_default()
    }

    /// The target with the other architecture, if the architecture was assumed.
    pub(super) fn other_architecture_if_assumed(&self, target: Target) -> Option<Target> {
        let mut others = Architecture::ALL.into_iter();
        let other = others.find(|&architecture| architecture != target.architecture)?;
        self.architecture_assumed.get().then(|| Target::new(target.python, other))
    }

    pub(super) fn target(&self, args: &TargetArgs) -> Result<Target, CommandError> {
        match self.python(args.python)? {
            Some(python) => Ok(Target::new(python, self.architecture(args.arch))),
            None => Err(CommandError::Usage(NO_PYTHON.to_owned())),
        }
    }

    /// The region and the target of the layers. If both are missing, one error names both.
    pub(super) fn region_and_target(
        &self,
        args: &TargetArgs,
    ) -> Result<(Region, Target), CommandError> {
        let (region, python) = (self.region(args.region.as_ref())?, self.python(args.python)?);
        let missing = match (region, python) {
            (Some(region), Some(python)) => {
                return Ok((region, Target::new(python, self.architecture(args.arch))));
            }
            (Some(_), None) => NO_PYTHON,
            (None, Some(_)) => NO_REGION,
            (None, None) => NEITHER,
        };
        Err(CommandError::Usage(missing.to_owned()))
    }
}

const NO_REGION: &str = "no region: use --region, as in --region eu-west-1, set AWS_REGION, or name a \
    profile with a region in AWS_PROFILE";

const NO_PYTHON: &str = "no Python version: use --python, as in --python 3.13, or set python under \
    [client] in klayers.toml";

const NEITHER: &str = "no region and no Python version: use --region and --python, as in --region \
    eu-west-1 --python 3.13, or set region and python under [client] in klayers.toml";
