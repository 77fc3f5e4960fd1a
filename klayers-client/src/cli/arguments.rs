use std::path::PathBuf;

use clap::builder::{
    NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser,
};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::layer::Subject;
use super::places::Mapping;
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

/// What all commands take.
#[derive(Debug, Args)]
pub(super) struct Options {
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

    /// Ask no server: answer with what earlier runs were told.
    #[arg(long, global = true, conflicts_with = "no_cache")]
    pub(super) offline: bool,

    /// Neither use nor keep answers on the disk.
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

Defaults may stand in klayers.toml, in this folder, above it, or in the user's
folder for configuration:
  [client]
  region = \"eu-west-1\"
  python = \"3.13\"";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the ARN of the latest layer version of a package.
    LatestArn {
        /// The package in any spelling, alone or with what is wanted of it, as `show` takes it.
        #[arg(value_name = "LAYER")]
        spec: LayerSpec,

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
    /// Show all there is to know of one layer version, or of an ARN.
    Show {
        /// The package, alone or with what is wanted of it: requests, "requests==2.32.*",
        /// "requests~=2.31", or requests:7 for layer version 7. Or an ARN, which needs no options.
        #[arg(value_name = "LAYER")]
        subject: Subject,

        #[command(flatten)]
        place: Place,
    },
    /// List where there are layers of a package: all targets and regions.
    ///
    /// The options choose among them; without any, all are listed.
    Where {
        /// The package, in any spelling.
        package: PackageName,

        /// Print a mapping from region to ARN instead, for a tool.
        #[arg(long = "for", value_name = "TOOL", value_enum)]
        mapping: Option<Mapping>,

        #[command(flatten)]
        place: Filter,
    },
    /// Find packages by a part of their names.
    Search {
        /// The text, in any spelling.
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        text: String,

        #[command(flatten)]
        place: Filter,
    },
    /// Print what makes a function use layers, for the tool that deploys it.
    Snippet {
        /// The packages, each alone or with what is wanted of it, as `show` takes it.
        #[arg(value_name = "LAYER", required = true)]
        specs: Vec<LayerSpec>,

        /// The tool.
        #[arg(long = "for", value_name = "TOOL", value_enum, default_value_t = Tool::Sam)]
        tool: Tool,

        #[command(flatten)]
        place: Place,
    },
    /// Answer Terraform's data source `external`: a query on stdin, a result on stdout.
    ///
    /// The query is a JSON object of strings: `package`, a layer as `show` takes it, and where it
    /// is not to be what the options below say, `region`, `python`, `arch` and `api_url`. The
    /// result is a JSON object of strings, too.
    External {
        #[command(flatten)]
        place: Place,
    },
    /// Download a layer from AWS: not in this build.
    #[cfg(not(feature = "aws"))]
    #[command(hide = true)]
    Download {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
    /// Copy a layer to your own account: not in this build.
    #[cfg(not(feature = "aws"))]
    #[command(hide = true)]
    Mirror {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
    /// Download a layer from AWS, with your credentials.
    #[cfg(feature = "aws")]
    Download {
        /// The package, alone or with what is wanted of it, as `show` takes it.
        #[arg(value_name = "LAYER")]
        spec: LayerSpec,

        /// The file it becomes [default: the layer's name, in this folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,

        /// Unpack it into this folder, too.
        #[arg(long, value_name = "FOLDER")]
        unpack: Option<PathBuf>,

        #[command(flatten)]
        place: Place,
    },
    /// Copy a layer to your own account, in its region or another, with your credentials.
    #[cfg(feature = "aws")]
    Mirror {
        /// The package, alone or with what is wanted of it, as `show` takes it.
        #[arg(value_name = "LAYER")]
        spec: LayerSpec,

        /// The region of the copy [default: that of the layer]
        #[arg(long, value_name = "REGION")]
        to: Option<Region>,

        #[command(flatten)]
        place: Place,
    },
    /// List the regions that there are layers in.
    Regions,
    /// List the targets that there are layers for.
    Targets,
    /// Open the list of latest layers in a browser.
    Open {
        /// Print its address, and open nothing.
        #[arg(long)]
        print: bool,

        #[command(flatten)]
        place: Place,
    },
    /// Print what completes this command's arguments in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, or write those of all commands.
    Man {
        /// A folder that the pages are written to.
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

/// Which layers are meant.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[arg(
        long,
        help = "The AWS region [default: AWS_REGION, AWS_DEFAULT_REGION, or the profile's]"
    )]
    pub(super) region: Option<Region>,

    /// The Python version, as in 3.13 or python3.13.
    #[arg(long, value_name = "VERSION")]
    pub(super) python: Option<PythonVersion>,

    #[arg(
        long,
        value_name = "ARCHITECTURE",
        value_parser = architecture(),
        hide_possible_values = true,
        help = "The architecture: x86_64 (amd64) or arm64 (aarch64) [default: x86_64]"
    )]
    pub(super) arch: Option<Architecture>,
}

/// Which of all layers are meant; without a default.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// In this AWS region alone.
    #[arg(long)]
    pub(super) region: Option<Region>,

    /// For this Python version alone, as in 3.13 or python3.13.
    #[arg(long, value_name = "VERSION")]
    pub(super) python: Option<PythonVersion>,

    /// For this architecture alone: `x86_64` (amd64) or arm64 (aarch64).
    #[arg(
        long,
        value_name = "ARCHITECTURE",
        value_parser = architecture(),
        hide_possible_values = true
    )]
    pub(super) arch: Option<Architecture>,
}

impl From<Filter> for Place {
    fn from(Filter { region, python, arch }: Filter) -> Self {
        Self { region, python, arch }
    }
}

/// Architectures as values that shells complete; the names that machines and Docker give them are
/// taken, too.
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
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
