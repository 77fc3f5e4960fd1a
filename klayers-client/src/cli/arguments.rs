use std::path::PathBuf;

use clap::builder::{
    NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser,
};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::layer::Subject;
use super::locations::Mapping;
use super::snippet::Tool;
use crate::{Architecture, LayerSpec, PackageName, PythonVersion, Region};

/// Find AWS Lambda layers that hold Python packages.
#[derive(Debug, Parser)]
#[command(name = "klayers", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    #[command(flatten)]
    pub(super) options: Options,
}

/// The options of all commands.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(
        long,
        value_name = "URL",
        global = true,
        value_parser = NonEmptyStringValueParser::new(),
        help = "Address of the API [default: KLAYERS_API_URL, or the public collection]"
    )]
    pub(super) api_url: Option<String>,

    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Use only cached answers of earlier runs, and ask no server
    #[arg(long, global = true, conflicts_with = "no_cache")]
    pub(super) offline: bool,

    /// Do not cache answers on the disk
    #[arg(long, global = true)]
    pub(super) no_cache: bool,
}

const EXAMPLES: &str = "\
Examples:
  klayers latest-arn requests --region us-east-1 --python 3.13
  klayers show \"pandas==2.2.*\" --region us-east-1 --python 3.13
  klayers show arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-numpy:7
  klayers snippet requests numpy --for terraform --region us-east-1 --python 3.13
  klayers where requests --python 3.13 --for cloudformation
  klayers latest --region eu-west-1 --python 3.12 --arch arm64 --json

Set defaults in klayers.toml, in this folder, in a folder above it, or in your
configuration folder:
  [client]
  region = \"eu-west-1\"
  python = \"3.13\"";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the ARN of the latest layer version of a package
    LatestArn {
        /// Package, in any spelling, optionally with a version as for `show`
        #[arg(value_name = "LAYER")]
        spec: LayerSpec,

        #[command(flatten)]
        args: TargetArgs,
    },
    /// List the latest layer version of every package
    Latest {
        #[command(flatten)]
        args: TargetArgs,
    },
    /// List all layer versions of a package, the newest first
    Versions {
        /// Package, in any spelling
        package: PackageName,

        #[command(flatten)]
        args: TargetArgs,
    },
    /// Show the details of one layer version, or of an ARN
    Show {
        /// Package, optionally with a version: requests, "requests==2.32.*", "requests~=2.31", or
        /// requests:7 for layer version 7. Or an ARN, which needs no options
        #[arg(value_name = "LAYER")]
        subject: Subject,

        #[command(flatten)]
        args: TargetArgs,
    },
    /// List the targets and regions that have layers of a package
    ///
    /// The options limit the list. Without options, all targets and regions are listed.
    Where {
        /// Package, in any spelling
        package: PackageName,

        /// Print a mapping from region to ARN for a tool instead
        #[arg(long = "for", value_name = "TOOL", value_enum)]
        mapping: Option<Mapping>,

        #[command(flatten)]
        args: TargetFilter,
    },
    /// Find packages by a part of their name
    Search {
        /// Part of the name, in any spelling
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        text: String,

        #[command(flatten)]
        args: TargetFilter,
    },
    /// Print code that adds layers to a function, for a deployment tool
    Snippet {
        /// Packages, each optionally with a version as for `show`
        #[arg(value_name = "LAYER", required = true)]
        specs: Vec<LayerSpec>,

        /// Deployment tool
        #[arg(long = "for", value_name = "TOOL", value_enum, default_value_t = Tool::Sam)]
        tool: Tool,

        #[command(flatten)]
        args: TargetArgs,
    },
    /// Answer a query of Terraform's data source `external`, from stdin to stdout
    ///
    /// The query is a JSON object of strings: `package`, optionally with a version as for `show`,
    /// and optionally `region`, `python`, `arch` and `api_url`, which override the options below. The
    /// result is a JSON object of strings, too.
    External {
        #[command(flatten)]
        args: TargetArgs,
    },
    /// Download a layer from AWS: not in this build
    #[cfg(not(feature = "aws"))]
    #[command(hide = true)]
    Download {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
    /// Copy a layer to your own account: not in this build
    #[cfg(not(feature = "aws"))]
    #[command(hide = true)]
    Mirror {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
    /// Download a layer from AWS, with your credentials
    #[cfg(feature = "aws")]
    Download {
        /// Package, optionally with a version as for `show`
        #[arg(value_name = "LAYER")]
        spec: LayerSpec,

        /// File to write [default: the layer's name, in this folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,

        /// Also unpack the layer into this folder
        #[arg(long, value_name = "FOLDER")]
        unpack: Option<PathBuf>,

        #[command(flatten)]
        args: TargetArgs,
    },
    /// Copy a layer to your own account, in its region or another, with your credentials
    #[cfg(feature = "aws")]
    Mirror {
        /// Package, optionally with a version as for `show`
        #[arg(value_name = "LAYER")]
        spec: LayerSpec,

        /// Region of the copy [default: the region of the layer]
        #[arg(long, value_name = "REGION")]
        to: Option<Region>,

        #[command(flatten)]
        args: TargetArgs,
    },
    /// List the regions that have layers
    Regions,
    /// List the targets that have layers
    Targets,
    /// Open the list of latest layers in a browser
    Open {
        /// Only print the address
        #[arg(long)]
        print: bool,

        #[command(flatten)]
        args: TargetArgs,
    },
    /// Print a completion script for a shell
    Completions {
        /// Shell
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands
    Man {
        /// Folder for the pages of all commands
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

/// The region and the target of the layers.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    #[arg(
        long,
        help = "AWS region [default: AWS_REGION, AWS_DEFAULT_REGION, or the profile's region]"
    )]
    pub(super) region: Option<Region>,

    /// Python version: 3.13 or python3.13
    #[arg(long, value_name = "VERSION")]
    pub(super) python: Option<PythonVersion>,

    #[arg(
        long,
        value_name = "ARCHITECTURE",
        value_parser = architecture(),
        hide_possible_values = true,
        help = "Architecture: x86_64 (amd64) or arm64 (aarch64) [default: x86_64]"
    )]
    pub(super) arch: Option<Architecture>,
}

/// Limits a list to layers of a region or a target. There are no defaults.
#[derive(Debug, Args)]
pub(super) struct TargetFilter {
    /// Only this AWS region
    #[arg(long)]
    pub(super) region: Option<Region>,

    /// Only this Python version: 3.13 or python3.13
    #[arg(long, value_name = "VERSION")]
    pub(super) python: Option<PythonVersion>,

    /// Only this architecture: `x86_64` (amd64) or arm64 (aarch64)
    #[arg(
        long,
        value_name = "ARCHITECTURE",
        value_parser = architecture(),
        hide_possible_values = true
    )]
    pub(super) arch: Option<Architecture>,
}

impl From<TargetFilter> for TargetArgs {
    fn from(TargetFilter { region, python, arch }: TargetFilter) -> Self {
        Self { region, python, arch }
    }
}

/// A parser whose values shells can complete. It also accepts the architecture names of kernels and
/// Docker.
fn architecture() -> impl TypedValueParser<Value = Architecture> {
    let values = [
        PossibleValue::new(Architecture::X86_64.as_str()).alias("amd64"),
        PossibleValue::new(Architecture::Arm64.as_str()).alias("aarch64"),
    ];
    PossibleValuesParser::new(values).try_map(|text| text.parse::<Architecture>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn argument_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }
}
