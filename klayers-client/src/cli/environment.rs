use std::fmt;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use etcetera::BaseStrategy;

use super::profile;
use crate::{Architecture, Cache, LambdaEnvironment, PythonVersion, Region};

/// What the command takes from the environment. An empty value counts as none.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    api_url: Option<String>,
    /// The name of the variable and its value.
    region: Option<(&'static str, String)>,
    lambda: LambdaEnvironment,
    /// The profile of AWS's tools, and where their configuration lies.
    profile: Option<String>,
    profiles: Option<PathBuf>,
    pub(super) browser: Option<String>,
    pub(super) project: Option<PathBuf>,
    pub(super) user: Option<PathBuf>,
    pub(super) cache: Option<PathBuf>,
    pub(super) terminal: bool,
    input: Input,
}

/// Where the standard input comes from. Clones read on where another has stopped.
#[derive(Clone)]
struct Input(Arc<Mutex<dyn Read + Send>>);

impl Default for Input {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(io::empty())))
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Input").finish_non_exhaustive()
    }
}

impl Environment {
    /// That of this process: its variables, the folder it was started in, the user's folders, its
    /// standard input, and whether its standard output is a terminal.
    ///
    /// This is where the environment enters, for every program that has the command.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
    pub fn of_process() -> Self {
        let folders = etcetera::choose_base_strategy().ok();
        let home = etcetera::home_dir().ok();
        Self::new(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
            .aws_folder(home.map(|home| home.join(".aws")))
            .project_folder(std::env::current_dir().ok())
            .config_folder(folders.map(|folders| folders.config_dir().join("klayers")))
            .cache_folder(Cache::user_folder())
            .terminal(io::stdout().is_terminal())
            .input(io::stdin())
    }

    /// Reads the variables with `get`.
    ///
    /// ```
    /// use klayers_client::cli::Environment;
    ///
    /// let environment = Environment::new(|name| {
    ///     (name == "AWS_REGION").then(|| "eu-west-1".to_owned())
    /// });
    /// assert_eq!(environment.region(), Ok("eu-west-1".parse().ok()));
    /// assert_eq!(environment.api_url(), None);
    /// ```
    pub fn new(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        Self {
            api_url: get("KLAYERS_API_URL"),
            region: ["AWS_REGION", "AWS_DEFAULT_REGION"]
                .into_iter()
                .find_map(|name| Some((name, get(name)?))),
            lambda: LambdaEnvironment::new(get),
            profile: get("AWS_PROFILE").or_else(|| get("AWS_DEFAULT_PROFILE")),
            profiles: get("AWS_CONFIG_FILE").map(PathBuf::from),
            browser: get("BROWSER"),
            ..Self::default()
        }
    }

    /// The folder in which, or above which, the project's `klayers.toml` lies.
    #[must_use]
    pub fn project_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.project = folder;
        self
    }

    /// The folder in which the user's `klayers.toml` lies.
    #[must_use]
    pub fn config_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.user = folder;
        self
    }

    /// The folder in which the configuration of AWS's tools lies, unless `AWS_CONFIG_FILE` names
    /// another file. From it comes the region of the profile.
    #[must_use]
    pub fn aws_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.profiles = self.profiles.or_else(|| Some(folder?.join("config")));
        self
    }

    /// The folder in which answers are kept; without one they are not.
    #[must_use]
    pub fn cache_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.cache = folder;
        self
    }

    /// Whether results go to a terminal, where they are tables for people.
    #[must_use]
    pub fn terminal(mut self, terminal: bool) -> Self {
        self.terminal = terminal;
        self
    }

    /// Where the standard input comes from; without one it is empty. It is read by `external` alone.
    #[must_use]
    pub fn input(mut self, input: impl Read + Send + 'static) -> Self {
        self.input = Input(Arc::new(Mutex::new(input)));
        self
    }

    /// The standard input, to its end or to a limit in bytes.
    pub(super) fn read_input(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut input = self.input.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        (&mut *input).take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The API's base URL: `KLAYERS_API_URL`.
    pub fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// The region: `AWS_REGION`, or else `AWS_DEFAULT_REGION`.
    ///
    /// # Errors
    ///
    /// A message that names the variable, if its value is not a region.
    pub fn region(&self) -> Result<Option<Region>, String> {
        let parse = |(name, value): &(&str, String)| {
            let region = value.parse();
            region.map_err(|error| format!("in {name}, {error}"))
        };
        self.region.as_ref().map(parse).transpose()
    }

    /// The region of the profile that `AWS_PROFILE` names, or else of the default one, in the
    /// configuration of AWS's tools.
    ///
    /// # Errors
    ///
    /// A message that names the profile, if what it has is not a region.
    pub fn profile_region(&self) -> Result<Option<Region>, String> {
        let profile = self.profile.as_deref().unwrap_or("default");
        let Some(path) = self.profiles.as_deref().filter(|path| path.is_file()) else {
            return Ok(None);
        };
        // A file that cannot be read says nothing: what needs it will tell.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let region = profile::region(&text, profile).map(|text| text.parse());
        region
            .transpose()
            .map_err(|error| format!("in the profile {profile} of {}, {error}", path.display()))
    }

    /// The Python version of the function that the command runs in: that of `AWS_EXECUTION_ENV`.
    ///
    /// # Errors
    ///
    /// A message that names the variable, if it has no version.
    pub fn python(&self) -> Result<Option<PythonVersion>, String> {
        self.lambda.python().map_err(|error| format!("in AWS_EXECUTION_ENV, {error}"))
    }

    /// The architecture of the function that the command runs in; none elsewhere.
    pub fn arch(&self) -> Option<Architecture> {
        self.lambda.architecture()
    }
}
