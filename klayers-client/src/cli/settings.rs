//! What holds for one run: flags first, then the environment, then the file, then defaults.

use std::cell::Cell;
use std::time::Duration;

use super::arguments::{Options, Place};
use super::config::{CacheFolder, Config, Found};
use super::environment::Environment;
use super::failure::Failure;
use crate::{Architecture, Cache, Client, Error, PythonVersion, Region, Target};

#[derive(Clone)]
pub(super) struct Settings<'a> {
    options: &'a Options,
    api_url: Option<String>,
    environment: &'a Environment,
    config: Config,
    /// Files with settings that do not count.
    pub(super) left_alone: Vec<String>,
    /// Whether nobody said which architecture is meant.
    assumed: Cell<bool>,
}

impl<'a> Settings<'a> {
    pub(super) fn new(options: &'a Options, environment: &'a Environment) -> Result<Self, Failure> {
        let (project, user) = (environment.project.as_deref(), environment.user.as_deref());
        let found = Config::find(project, user).map_err(Failure::Usage)?;
        let (api_url, Found { config, left_alone }) = (options.api_url.clone(), found);
        Ok(Self { options, api_url, environment, config, left_alone, assumed: Cell::new(false) })
    }

    /// The same, for the API at another address if there is one.
    pub(super) fn at(&self, api_url: Option<String>) -> Self {
        Self { api_url: api_url.or_else(|| self.api_url.clone()), ..self.clone() }
    }

    pub(super) fn api_url(&self) -> &str {
        let chosen = self.api_url.as_deref().or(self.environment.api_url());
        chosen.or(self.config.api_url.as_deref()).unwrap_or(Client::PUBLIC_URL)
    }

    pub(super) fn client(&self) -> Result<Client, Failure> {
        let mut builder = Client::builder()
            .base_url(self.api_url())
            .user_agent(concat!("klayers/", env!("CARGO_PKG_VERSION")))
            .offline(self.options.offline || self.config.offline.unwrap_or(false))
            .cache(self.cache());
        if let Some(seconds) = self.config.timeout {
            builder = builder.total_timeout(Duration::from_secs(seconds.into()));
        }
        builder.build().map_err(|error| match error {
            Error::BaseUrl { .. } => Failure::Usage(error.to_string()),
            error => Failure::Client(error),
        })
    }

    fn cache(&self) -> Cache {
        let folder = match &self.config.cache {
            Some(CacheFolder::Kept(false)) => None,
            Some(CacheFolder::Folder(folder)) => Some(folder),
            Some(CacheFolder::Kept(true)) | None => self.environment.cache.as_ref(),
        };
        match folder {
            Some(folder) if !self.options.no_cache => Cache::memory().folder(folder),
            _ => Cache::memory(),
        }
    }

    pub(super) fn region(&self, flag: Option<&Region>) -> Result<Option<Region>, Failure> {
        if let Some(region) = flag {
            return Ok(Some(region.clone()));
        }
        let of_environment = self.environment.region().map_err(Failure::Usage)?;
        match of_environment.or_else(|| self.config.region.clone()) {
            Some(region) => Ok(Some(region)),
            None => self.environment.profile_region().map_err(Failure::Usage),
        }
    }

    fn python(&self, flag: Option<PythonVersion>) -> Result<Option<PythonVersion>, Failure> {
        match flag {
            Some(python) => Ok(Some(python)),
            None => Ok(self.environment.python().map_err(Failure::Usage)?.or(self.config.python)),
        }
    }

    /// The architecture, and `x86_64` where nobody says which, as Lambda takes it then.
    fn architecture(&self, flag: Option<Architecture>) -> Architecture {
        let said = flag.or_else(|| self.environment.arch()).or(self.config.arch);
        self.assumed.set(said.is_none());
        said.unwrap_or_default()
    }

    /// The target with the other architecture, if the one of this was assumed.
    pub(super) fn other_than_assumed(&self, target: Target) -> Option<Target> {
        let mut others = Architecture::ALL.into_iter();
        let other = others.find(|&architecture| architecture != target.architecture)?;
        self.assumed.get().then(|| Target::new(target.python, other))
    }

    pub(super) fn target(&self, place: &Place) -> Result<Target, Failure> {
        match self.python(place.python)? {
            Some(python) => Ok(Target::new(python, self.architecture(place.arch))),
            None => Err(Failure::Usage(NO_PYTHON.to_owned())),
        }
    }

    /// Where the layers are that are meant. What is missing is told all at once.
    pub(super) fn place(&self, place: &Place) -> Result<(Region, Target), Failure> {
        let (region, python) = (self.region(place.region.as_ref())?, self.python(place.python)?);
        let missing = match (region, python) {
            (Some(region), Some(python)) => {
                return Ok((region, Target::new(python, self.architecture(place.arch))));
            }
            (Some(_), None) => NO_PYTHON,
            (None, Some(_)) => NO_REGION,
            (None, None) => NEITHER,
        };
        Err(Failure::Usage(missing.to_owned()))
    }
}

const NO_REGION: &str = "no region: give it with --region, as in --region eu-west-1, set AWS_REGION, \
    or name a profile with a region in AWS_PROFILE";

const NO_PYTHON: &str = "no Python version: give it with --python, as in --python 3.13, or set \
    python under [client] in klayers.toml";

const NEITHER: &str = "no region and no Python version: give both, as in --region eu-west-1 \
    --python 3.13, or set region and python under [client] in klayers.toml";
