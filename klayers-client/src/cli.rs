//! The command `klayers`: arguments and environment in, text and an exit code out.
//!
//! Results go to the first writer, everything else to the second. The exit code is 0 for success, 1 for
//! failure, and 2 for wrong usage.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use klayers_core::Runtimes;
use klayers_core::api::{Format, RegionRow, Route, TargetRow};
use serde::Serialize;

use self::arguments::{Arguments, Command, TargetArgs};
pub use self::environment::Environment;
use self::error::CommandError;
use self::external::Query;
use self::layer::Subject;
use self::print::OutputFormat;
use self::settings::Settings;
use self::snippet::Tool;
use crate::{
    Answer, Architecture, Error, LayerSpec, LayerVersionArn, PackageName, Region, Target,
    WithdrawnVersion,
};

mod arguments;
mod browser;
mod config;
mod environment;
mod error;
mod external;

mod layer;
#[cfg(feature = "aws")]
mod layers;
mod locations;
mod print;
mod profile;
mod search;
mod settings;
mod snippet;
mod trust;

/// Runs the command and returns its exit code. `arguments` begin with the name of the command.
///
/// The function needs a tokio runtime with I/O and time, on any thread. It never ends the process. The
/// output may contain colours; `anstream` removes them if the output is not a terminal.
///
/// ```
/// use klayers_client::cli::{self, Environment};
///
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// let (mut out, mut err) = (Vec::new(), anstream::stderr());
/// let arguments = ["klayers", "--version"].map(Into::into);
/// let code = runtime.block_on(cli::run(arguments, &Environment::default(), &mut out, &mut err));
/// assert_eq!(code, 0);
/// assert!(out.starts_with(b"klayers "));
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    let given: Vec<OsString> = arguments.into_iter().collect();
    let outcome = match Arguments::try_parse_from(&given) {
        Ok(arguments) => execute(arguments, environment, out, err).await,
        Err(error) => {
            let given = given.iter().map(|text| text.to_string_lossy().into_owned()).collect();
            Err(CommandError::Arguments(error, given))
        }
    };
    match outcome {
        Ok(()) => 0,
        Err(error) => error.report(out, err),
    }
}

async fn execute(
    arguments: Arguments,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), CommandError> {
    let Arguments { command, options } = arguments;
    let format = match options.json {
        true => OutputFormat::Json,
        false if environment.terminal => OutputFormat::Table,
        false => OutputFormat::Plain,
    };
    let settings = Settings::new(&options, environment)?;
    for note in &settings.ignored_files {
        print::note(err, note)?;
    }
    match perform(command, &settings, environment, format, out, err).await {
        Ok(()) => Ok(out.flush()?),
        Err(error) => Err(layer::explain(&settings, error).await),
    }
}

async fn perform(
    command: Command,
    settings: &Settings<'_>,
    environment: &Environment,
    format: OutputFormat,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), CommandError> {
    match command {
        Command::LatestArn { spec, args } => {
            let layer = layer::find_and_warn(settings, spec, &args, err).await?;
            if format == OutputFormat::Json {
                let (region, arn) = (layer.row.arn.region().clone(), layer.row.arn);
                let (package, target) = (layer.package, layer.target);
                print::json(out, &LatestArnOutput { package, region, target, arn })?;
            } else {
                writeln!(out, "{}", layer.row.arn)?;
            }
        }
        Command::Latest { args } => {
            let client = settings.client()?;
            let (region, target) = settings.region_and_target(&args)?;
            let answer = client.answers().latest(&region, &target).await?;
            print::staleness(err, &answer)?;
            if answer.value.is_empty() {
                print::note(err, &format!("there are no layers for {target} in {region}"))?;
                layer::suggest_other_architecture(settings, &client, &region, target, err).await?;
            }
            print::rows(out, format, &answer.value)?;
        }
        Command::Versions { package, args } => {
            let client = settings.client()?;
            let (region, target) = settings.region_and_target(&args)?;
            let answer = client.answers().versions(package.clone(), &region, &target).await?;
            print::staleness(err, &answer)?;
            print::rows(out, format, &answer.value)?;
            for withdrawn in answer.value.iter().filter_map(WithdrawnVersion::from_row) {
                print::note(err, &format!("{package} {withdrawn}"))?;
            }
        }
        Command::Show { subject, args } => {
            let layer = match subject {
                Subject::Arn(arn) => layer::find_arn(settings, &arn, err).await?,
                Subject::Spec(spec) => {
                    let (region, target) = settings.region_and_target(&args)?;
                    layer::find(settings, spec, &region, target, err).await?
                }
            };
            match format {
                OutputFormat::Json => print::json(out, &layer.to_output())?,
                OutputFormat::Table | OutputFormat::Plain => print::version(out, &layer)?,
            }
        }
        Command::Where { package, mapping, args } => {
            locations::print(settings, package, mapping, args.into(), format, out, err).await?;
        }
        Command::Search { text, args } => {
            search::print(settings, &text, &args.into(), format, out, err).await?;
        }
        Command::Snippet { specs, tool, args } => {
            print_snippet(settings, specs, tool, &args, format, out, err).await?;
        }
        Command::External { args } => {
            external(settings, environment, args, out, err)
                .await
                .map_err(CommandError::into_query_error)?;
        }
        #[cfg(feature = "aws")]
        Command::Download { spec, out: file, unpack, args } => {
            let layer = layer::find_and_warn(settings, spec, &args, err).await?;
            let layer = layers::download(&layer.row.arn, file, unpack.as_deref()).await?;
            layers::print_downloaded(out, format, &layer)?;
        }
        #[cfg(feature = "aws")]
        Command::Mirror { spec, to, args } => {
            let layer = layer::find_and_warn(settings, spec, &args, err).await?;
            let arn = layers::mirror(&layer.row.arn, to.as_ref()).await?;
            layers::print_mirrored(out, format, &arn, &layer.row.arn)?;
        }
        #[cfg(not(feature = "aws"))]
        Command::Download { .. } | Command::Mirror { .. } => {
            return Err(CommandError::Usage(WITHOUT_AWS.to_owned()));
        }
        Command::Regions => {
            let known = || Region::known().collect();
            let answer = settings.client()?.answers().regions().await;
            let regions = or_known(answer, known, "all regions of AWS", err)?;
            let rows: Vec<RegionRow> = regions.iter().map(RegionRow::from).collect();
            print::rows(out, format, &rows)?;
        }
        Command::Targets => {
            let answer = settings.client()?.answers().targets().await;
            let targets = or_known(answer, every_target, "all targets of AWS Lambda", err)?;
            let rows: Vec<TargetRow> = targets.into_iter().map(TargetRow::from).collect();
            print::rows(out, format, &rows)?;
        }
        Command::Open { print, args } => {
            open_page(settings, environment, &args, print, out, err)?;
        }
        Command::Completions { shell } => print_completions(shell, out)?,
        Command::Man { out: folder } => write_manual(folder.as_deref(), out)?,
    }
    Ok(())
}

/// The message of a build without AWS's SDK, such as the Python package.
#[cfg(not(feature = "aws"))]
const WITHOUT_AWS: &str = "this build of klayers cannot download or copy layers, since it does not \
    include AWS's SDK (nor does the Python package); install the command of the Rust library instead: \
    cargo install klayers-client --features cli,aws";

/// Opens the list of latest layers in a browser, unless `only_print`, and prints its address.
fn open_page(
    settings: &Settings<'_>,
    environment: &Environment,
    args: &TargetArgs,
    only_print: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), CommandError> {
    let (region, target) = settings.region_and_target(args)?;
    settings.client()?;
    let page = Route::Latest { target, region, format: Format::Html };
    let base = settings.api_url().trim_end_matches('/');
    let url = format!("{}{page}", base.strip_suffix("/api/v2").unwrap_or(base));
    if !only_print && let Err(error) = browser::open(&url, environment.browser.as_deref()) {
        print::note(err, &format!("could not open a browser: {error}"))?;
    }
    Ok(writeln!(out, "{url}")?)
}

/// Prints a snippet for a function with layers.
async fn print_snippet(
    settings: &Settings<'_>,
    specs: Vec<LayerSpec>,
    tool: Tool,
    target_args: &TargetArgs,
    format: OutputFormat,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), CommandError> {
    if specs.len() > snippet::MAX_LAYERS {
        return Err(CommandError::Usage(format!(
            "a function can have at most {} layers, but {} were given",
            snippet::MAX_LAYERS,
            specs.len()
        )));
    }
    let (_, target) = settings.region_and_target(target_args)?;
    let mut arns = Vec::new();
    for spec in specs {
        arns.push(layer::find_and_warn(settings, spec, target_args, err).await?.row.arn);
    }
    let text = snippet::snippet(tool, &arns, target);
    if format == OutputFormat::Json {
        print::json(out, &SnippetOutput { arn: arns.first(), arns: &arns, text: &text })?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(())
}

fn print_completions(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    // `generate` panics if it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "klayers", &mut script);
    out.write_all(&script)
}

/// Prints the manual page, or writes the pages of all commands into a folder.
fn write_manual(folder: Option<&Path>, out: &mut impl Write) -> io::Result<()> {
    let Some(folder) = folder else {
        return clap_mangen::Man::new(Arguments::command()).render(out);
    };
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)?;
    writeln!(out, "{}", folder.display())
}

/// Answers a query of Terraform's data source `external`.
async fn external(
    settings: &Settings<'_>,
    environment: &Environment,
    args: TargetArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), CommandError> {
    let query = environment.read_input(external::MAX_QUERY + 1).map_err(CommandError::Read)?;
    let Query { spec, args, api_url } = Query::parse(&query, args).map_err(CommandError::Query)?;
    let settings = settings.with_api_url(api_url);
    let (region, target) = settings.region_and_target(&args).map_err(|error| match error {
        CommandError::Usage(message) => {
            CommandError::Query(format!("{message}; or add it to the query"))
        }
        other => other,
    })?;
    let found = layer::find(&settings, spec.clone(), &region, target, err).await;
    let layer = match found {
        Ok(layer) => layer,
        Err(error) => return Err(layer::explain(&settings, error).await),
    };
    layer.warn(err)?;
    Ok(print::json(out, &external::answer(&spec, target, &layer.row))?)
}

/// The list of the collection, or all known values if its server does not have the list.
fn or_known<T>(
    answer: Result<Answer<Vec<T>>, Error>,
    known: impl FnOnce() -> Vec<T>,
    what: &str,
    err: &mut impl Write,
) -> Result<Vec<T>, CommandError> {
    match answer {
        Ok(answer) => {
            print::staleness(err, &answer)?;
            Ok(answer.value)
        }
        Err(Error::Unsupported { .. }) => {
            let message = format!("this server does not list what it has; showing {what}");
            print::note(err, &message)?;
            Ok(known())
        }
        Err(error) => Err(error.into()),
    }
}

fn every_target() -> Vec<Target> {
    let runtimes = Runtimes::default();
    let pythons = runtimes.iter().map(|runtime| runtime.python);
    let pairs = pythons.flat_map(|python| Architecture::ALL.map(|arch| Target::new(python, arch)));
    pairs.collect()
}

/// The output of `latest-arn --json`.
#[derive(Serialize)]
struct LatestArnOutput {
    package: PackageName,
    region: Region,
    target: Target,
    arn: LayerVersionArn,
}

/// The output of `snippet --json`.
#[derive(Serialize)]
struct SnippetOutput<'a> {
    /// The first ARN, from the time when a snippet had only one layer.
    arn: Option<&'a LayerVersionArn>,
    arns: &'a [LayerVersionArn],
    #[serde(rename = "snippet")]
    text: &'a str,
}
