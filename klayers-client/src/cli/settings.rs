//! What holds for one run: flags first, then the environment, then the file, then defaults.

use std::time::Duration;

use super::Failure;
use super::arguments::{Options, Place};
use super::config::{CacheFolder, Config, Found};
use super::environment::Environment;
use crate::{Cache, Client, Error, Region, Target};

pub(super) struct Settings<'a> {
    options: &'a Options,
    api_url: Option<String>,
    environment: &'a Environment,
    config: Config,
    /// Files with settings that do not count.
    pub(super) left_alone: Vec<String>,
}

impl<'a> Settings<'a> {
    pub(super) fn new(options: &'a Options, environment: &'a Environment) -> Result<Self, Failure> {
        let (project, user) = (environment.project.as_deref(), environment.user.as_deref());
        let found = Config::find(project, user).map_err(Failure::Usage)?;
        let (api_url, Found { config, left_alone }) = (options.api_url.clone(), found);
        Ok(Self { options, api_url, environment, config, left_alone })
    }

    /// The same, for the API at another address if there is one.
    pub(super) fn at(self, api_url: Option<String>) -> Self {
        Self { api_url: api_url.or(self.api_url), ..self }
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

    pub(super) fn region(&self, flag: Option<&Region>) -> Result<Region, Failure> {
        if let Some(region) = flag {
            return Ok(region.clone());
        }
        let region = self.environment.region().map_err(Failure::Usage)?;
        region.or_else(|| self.config.region.clone()).ok_or_else(|| {
            Failure::Usage("no region: give it with --region, or set AWS_REGION".to_owned())
        })
    }

    pub(super) fn target(&self, place: &Place) -> Result<Target, Failure> {
        let python = match place.python {
            Some(python) => Some(python),
            None => self.environment.python().map_err(Failure::Usage)?.or(self.config.python),
        };
        let python = python.ok_or_else(|| {
            Failure::Usage(
                "no Python version: give it with --python, as in --python 3.13, or set python \
                 under [client] in klayers.toml"
                    .to_owned(),
            )
        })?;
        let arch = place.arch.or_else(|| self.environment.arch()).or(self.config.arch);
        let arch = arch.unwrap_or_default();
        Ok(Target::new(python, arch))
    }

    pub(super) fn place(&self, place: &Place) -> Result<(Region, Target), Failure> {
        let target = self.target(place)?;
        Ok((self.region(place.region.as_ref())?, target))
    }
}
