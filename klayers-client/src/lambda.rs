use klayers_core::{Architecture, ParseError, PythonVersion, Region, Target};

/// Where a Lambda function runs, as its environment variables tell.
///
/// The library does not read these variables by itself. The program passes a function that reads
/// them.
///
/// ```
/// use klayers_client::LambdaEnvironment;
///
/// // In a function: LambdaEnvironment::new(|name| std::env::var(name).ok())
/// let environment = LambdaEnvironment::new(|name| match name {
///     "AWS_REGION" => Some("eu-west-1".to_owned()),
///     "AWS_EXECUTION_ENV" => Some("AWS_Lambda_python3.13".to_owned()),
///     "AWS_LAMBDA_RUNTIME_API" => Some("127.0.0.1:9001".to_owned()),
///     _ => None,
/// });
/// assert!(environment.is_function());
/// assert_eq!(environment.region()?, Some("eu-west-1".parse()?));
/// assert_eq!(environment.python()?, Some("3.13".parse()?));
/// assert!(environment.target()?.is_some());
/// # Ok::<(), klayers_client::ParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LambdaEnvironment {
    region: Option<String>,
    execution: Option<String>,
    runtime_api: Option<String>,
}

impl LambdaEnvironment {
    /// Reads the variables with `get`. An empty variable counts as not set.
    pub fn new(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        Self {
            region: get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")),
            execution: get("AWS_EXECUTION_ENV"),
            runtime_api: get("AWS_LAMBDA_RUNTIME_API"),
        }
    }

    /// Whether this is the environment of a function in any runtime, or of an extension. Lambda sets
    /// `AWS_LAMBDA_RUNTIME_API` for these only.
    ///
    /// The other variables are also set elsewhere: the region by all of AWS's tools, and
    /// `AWS_EXECUTION_ENV` in containers and in AWS CloudShell.
    pub fn is_function(&self) -> bool {
        self.runtime_api.is_some()
    }

    /// The region: `AWS_REGION`, or else `AWS_DEFAULT_REGION`.
    ///
    /// # Errors
    ///
    /// If the value is not a region.
    pub fn region(&self) -> Result<Option<Region>, ParseError> {
        self.region.as_deref().map(str::parse).transpose()
    }

    /// The Python version from `AWS_EXECUTION_ENV`, which is `AWS_Lambda_python3.13` in a function of
    /// that runtime. None elsewhere.
    ///
    /// # Errors
    ///
    /// If the value names a Python runtime without a version.
    pub fn python(&self) -> Result<Option<PythonVersion>, ParseError> {
        let version =
            self.execution.as_deref().and_then(|name| name.strip_prefix("AWS_Lambda_python"));
        version.map(str::parse).transpose()
    }

    /// The architecture of the function, which this program was built for. None outside a
    /// [function](Self::is_function).
    pub fn architecture(&self) -> Option<Architecture> {
        self.is_function().then(own_architecture)
    }

    /// The target: the Python version of the function, and the architecture that this program was built
    /// for. None outside a function with a Python runtime.
    ///
    /// # Errors
    ///
    /// The errors of [`python`](Self::python).
    pub fn target(&self) -> Result<Option<Target>, ParseError> {
        let Some(python) = self.python()? else { return Ok(None) };
        Ok(Some(Target::new(python, own_architecture())))
    }
}

/// The architecture of this program, which runs in the function.
fn own_architecture() -> Architecture {
    std::env::consts::ARCH.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> LambdaEnvironment {
        LambdaEnvironment::new(|wanted| {
            let mut found = variables.iter().filter(|(name, _)| *name == wanted);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn function_environment_has_region_target_and_architecture() {
        let function = environment(&[
            ("AWS_REGION", ""),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ]);
        assert!(function.is_function());
        assert_eq!(
            function.architecture().map(Architecture::machine),
            Some(std::env::consts::ARCH)
        );
        assert_eq!(function.region(), Ok("eu-west-1".parse().ok()));
        let target = function.target().expect("a target").expect("one");
        assert_eq!(target.python, PythonVersion::new(3, 12));
        assert_eq!(target.architecture.machine(), std::env::consts::ARCH);
    }

    #[test]
    fn other_environments_have_no_target_and_malformed_values_are_errors() {
        for variables in [&[][..], &[("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs22.x")]] {
            assert_eq!(environment(variables).target(), Ok(None));
        }
        for variables in [
            &[("AWS_REGION", "eu-west-1"), ("AWS_EXECUTION_ENV", "CloudShell")][..],
            &[("AWS_LAMBDA_RUNTIME_API", "")],
        ] {
            let elsewhere = environment(variables);
            assert!(!elsewhere.is_function());
            assert_eq!(elsewhere.architecture(), None);
        }
        assert!(environment(&[("AWS_EXECUTION_ENV", "AWS_Lambda_python")]).target().is_err());
        assert!(environment(&[("AWS_REGION", "mars")]).region().is_err());
    }
}
