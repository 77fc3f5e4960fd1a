use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

use crate::{Architecture, PackageName, PythonVersion, Region, Target};

/// Find AWS Lambda layers that hold Python packages.
#[derive(Debug, Parser)]
#[command(name = "klayers", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    #[arg(
        long,
        value_name = "URL",
        global = true,
        value_parser = NonEmptyStringValueParser::new(),
        help = "The address of the API [default: KLAYERS_API_URL, or the public collection's]"
    )]
    pub(super) api_url: Option<String>,

    /// Print JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  klayers latest-arn requests --region us-east-1 --python 3.13
  klayers latest --region eu-west-1 --python 3.12 --arch arm64
  klayers versions pandas --region us-east-1 --python 3.13 --json";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the ARN of the latest layer version of a package.
    LatestArn {
        /// The package, in any spelling.
        package: PackageName,

        #[command(flatten)]
        place: Place,
    },
    /// List the latest layer version of every package.
    Latest {
        #[command(flatten)]
        place: Place,
    },
    /// List all layer versions of a package, the newest first.
    Versions {
        /// The package, in any spelling.
        package: PackageName,

        #[command(flatten)]
        place: Place,
    },
}

/// Which layers are meant.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[arg(long, help = "The AWS region [default: AWS_REGION, or AWS_DEFAULT_REGION]")]
    pub(super) region: Option<Region>,

    /// The Python version, as in 3.13.
    #[arg(long, value_name = "VERSION")]
    python: PythonVersion,

    #[arg(
        long,
        value_name = "ARCHITECTURE",
        default_value_t,
        help = "The architecture: x86_64 or arm64"
    )]
    arch: Architecture,
}

impl Place {
    pub(super) fn target(&self) -> Target {
        Target::new(self.python, self.arch)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
