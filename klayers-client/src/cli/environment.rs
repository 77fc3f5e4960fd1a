use std::fmt;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use etcetera::BaseStrategy;

use super::profile;
use crate::{Architecture, Cache, LambdaEnvironment, PythonVersion, Region};

/// The environment of the command. An empty variable counts as not set.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    api_url: Option<String>,
    /// The variable and its value.
    region: Option<(&'static str, String)>,
    lambda: LambdaEnvironment,
    /// The name of the AWS profile.
    profile: Option<String>,
    /// The configuration file of AWS's tools.
    profiles: Option<PathBuf>,
    pub(super) browser: Option<String>,
    pub(super) project: Option<PathBuf>,
    pub(super) user: Option<PathBuf>,
    pub(super) cache: Option<PathBuf>,
    pub(super) terminal: bool,
    input: Input,
}

/// The standard input. Clones share the reading position.
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
    /// The environment of this process: its variables, its current folder, the user's folders, its
    /// standard input, and whether its standard output is a terminal.
    #[expect(
        clippy::disallowed_methods,
        reason = "this function reads the environment for the command"
    )]
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

    /// The folder of the project. Its `klayers.toml` is searched there and in the folders above.
    #[must_use]
    pub fn project_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.project = folder;
        self
    }

    /// The folder of the user's `klayers.toml`.
    #[must_use]
    pub fn config_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.user = folder;
        self
    }

    /// The folder of the configuration of AWS's tools, which has the region of the profile.
    /// `AWS_CONFIG_FILE` can name another file.
    #[must_use]
    pub fn aws_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.profiles = self.profiles.or_else(|| Some(folder?.join("config")));
        self
    }

    /// The cache folder; without a folder, answers are not cached on the disk.
    #[must_use]
    pub fn cache_folder(mut self, folder: Option<PathBuf>) -> Self {
        self.cache = folder;
        self
    }

    /// Whether results go to a terminal. On a terminal they are printed as tables.
    #[must_use]
    pub fn terminal(mut self, terminal: bool) -> Self {
        self.terminal = terminal;
        self
    }

    /// The standard input; by default empty. Only the command `external` reads it.
    #[must_use]
    pub fn input(mut self, input: impl Read + Send + 'static) -> Self {
        self.input = Input(Arc::new(Mutex::new(input)));
        self
    }

    /// Reads the standard input, up to a limit in bytes.
    pub(super) fn read_input(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut input = self.input.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        (&mut *input).take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The base URL of the API: `KLAYERS_API_URL`.
    pub fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// The region: `AWS_REGION`, or else `AWS_DEFAULT_REGION`.
    ///
    /// # Errors
    ///
    /// A message that names the variable, if the value is not a region.
    pub fn region(&self) -> Result<Option<Region>, String> {
        let parse = |(name, value): &(&str, String)| {
            let region = value.parse();
            region.map_err(|error| format!("in {name}, {error}"))
        };
        self.region.as_ref().map(parse).transpose()
    }

    /// The region of the profile that `AWS_PROFILE` names, or else of the default profile, in the
    /// configuration of AWS's tools.
    ///
    /// # Errors
    ///
    /// A message that names the profile, if its region is not valid.
    pub fn profile_region(&self) -> Result<Option<Region>, String> {
        let profile = self.profile.as_deref().unwrap_or("default");
        let Some(path) = self.profiles.as_deref().filter(|path| path.is_file()) else {
            return Ok(None);
        };
        // An unreadable file counts as empty. If a region is needed, its absence is reported later.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let region = profile::region(&text, profile).map(|text| text.parse());
        region
            .transpose()
            .map_err(|error| format!("in the profile {profile} of {}, {error}", path.display()))
    }

    /// The Python version of the Lambda function that the command runs in, from `AWS_EXECUTION_ENV`.
    ///
    /// # Errors
    ///
    /// A message that names the variable, if it has no valid version.
    pub fn python(&self) -> Result<Option<PythonVersion>, String> {
        self.lambda.python().map_err(|error| format!("in AWS_EXECUTION_ENV, {error}"))
    }

    /// The architecture of the Lambda function that the command runs in; none elsewhere.
    pub fn arch(&self) -> Option<Architecture> {
        self.lambda.architecture()
    }
}
