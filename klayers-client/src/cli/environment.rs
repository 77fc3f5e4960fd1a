use crate::Region;

/// What the command takes from the environment. An empty value counts as none.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    api_url: Option<String>,
    /// The name of the variable and its value.
    region: Option<(&'static str, String)>,
}

impl Environment {
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
        }
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
}
