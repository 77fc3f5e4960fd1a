//! The command `klayers`: arguments and environment in, text and an exit code out.
//!
//! Results go to the first writer and everything else to the second. The exit code is 0 when all
//! is done, 1 when it failed, and 2 on bad usage.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use klayers_core::Runtimes;
use klayers_core::api::{Format, RegionRow, Route, TargetRow};
use serde::Serialize;

use self::arguments::{Arguments, Command, Place};
pub use self::environment::Environment;
use self::external::Query;
use self::failure::Failure;
use self::layer::Subject;
use self::print::Form;
use self::settings::Settings;
use self::snippet::Tool;
use crate::{
    Answer, Architecture, Error, LayerSpec, LayerVersionArn, PackageName, Region, Target, Withdrawn,
};

mod arguments;
mod browser;
mod config;
#[cfg(feature = "aws")]
mod copies;
mod environment;
mod external;
mod failure;
mod layer;
mod places;
mod print;
mod profile;
mod search;
mod settings;
mod snippet;
mod trust;

/// Runs the command, and gives its exit code. `arguments` begin with the command's own name.
///
/// It wants a tokio runtime with I/O and time, on whatever thread, and it never ends the process.
/// What it writes may have colours; `anstream` leaves them out where nobody would see them.
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
            Err(Failure::Arguments(error, given))
        }
    };
    match outcome {
        Ok(()) => 0,
        Err(failure) => failure.tell(out, err),
    }
}

async fn execute(
    arguments: Arguments,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    let Arguments { command, options } = arguments;
    let form = match options.json {
        true => Form::Json,
        false if environment.terminal => Form::Table,
        false => Form::Plain,
    };
    let settings = Settings::new(&options, environment)?;
    for file in &settings.left_alone {
        print::note(err, file)?;
    }
    match perform(command, &settings, environment, form, out, err).await {
        Ok(()) => Ok(out.flush()?),
        Err(failure) => Err(layer::explained(&settings, failure).await),
    }
}

async fn perform(
    command: Command,
    settings: &Settings<'_>,
    environment: &Environment,
    form: Form,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    match command {
        Command::LatestArn { spec, place } => {
            let layer = layer::used(settings, spec, &place, err).await?;
            if form == Form::Json {
                let (region, arn) = (layer.row.arn.region().clone(), layer.row.arn);
                let (package, target) = (layer.package, layer.target);
                print::json(out, &Found { package, region, target, arn })?;
            } else {
                writeln!(out, "{}", layer.row.arn)?;
            }
        }
        Command::Latest { place } => {
            let client = settings.client()?;
            let (region, target) = settings.place(&place)?;
            let answer = client.answers().latest(&region, &target).await?;
            print::staleness(err, &answer)?;
            if answer.value.is_empty() {
                print::note(err, &format!("there are no layers for {target} in {region}"))?;
                layer::hint(settings, &client, &region, target, err).await?;
            }
            print::rows(out, form, &answer.value)?;
        }
        Command::Versions { package, place } => {
            let client = settings.client()?;
            let (region, target) = settings.place(&place)?;
            let answer = client.answers().versions(package.clone(), &region, &target).await?;
            print::staleness(err, &answer)?;
            print::rows(out, form, &answer.value)?;
            for withdrawn in answer.value.iter().filter_map(Withdrawn::of) {
                print::note(err, &format!("{package} {withdrawn}"))?;
            }
        }
        Command::Show { subject, place } => {
            let layer = match subject {
                Subject::Arn(arn) => layer::of_arn(settings, &arn, err).await?,
                Subject::Spec(spec) => {
                    let (region, target) = settings.place(&place)?;
                    layer::find(settings, spec, &region, target, err).await?
                }
            };
            match form {
                Form::Json => print::json(out, &layer.shown())?,
                Form::Table | Form::Plain => print::version(out, &layer)?,
            }
        }
        Command::Where { package, mapping, place } => {
            places::print(settings, package, mapping, place.into(), form, out, err).await?;
        }
        Command::Search { text, place } => {
            search::print(settings, &text, &place.into(), form, out, err).await?;
        }
        Command::Snippet { specs, tool, place } => {
            snippets(settings, specs, tool, &place, form, out, err).await?;
        }
        Command::External { place } => {
            external(settings, environment, place, out, err).await.map_err(Failure::of_query)?;
        }
        #[cfg(feature = "aws")]
        Command::Download { spec, out: file, unpack, place } => {
            let layer = layer::used(settings, spec, &place, err).await?;
            let layer = copies::download(&layer.row.arn, file, unpack.as_deref()).await?;
            copies::print(out, form, &layer)?;
        }
        #[cfg(feature = "aws")]
        Command::Mirror { spec, to, place } => {
            let layer = layer::used(settings, spec, &place, err).await?;
            let arn = copies::mirror(&layer.row.arn, to.as_ref()).await?;
            copies::print_copy(out, form, &arn, &layer.row.arn)?;
        }
        #[cfg(not(feature = "aws"))]
        Command::Download { .. } | Command::Mirror { .. } => {
            return Err(Failure::Usage(WITHOUT_AWS.to_owned()));
        }
        Command::Regions => {
            let known = || Region::known().collect();
            let answer = settings.client()?.answers().regions().await;
            let regions = or_known(answer, known, "all regions of AWS", err)?;
            let rows: Vec<RegionRow> = regions.iter().map(RegionRow::from).collect();
            print::rows(out, form, &rows)?;
        }
        Command::Targets => {
            let answer = settings.client()?.answers().targets().await;
            let targets = or_known(answer, every_target, "all targets of AWS Lambda", err)?;
            let rows: Vec<TargetRow> = targets.into_iter().map(TargetRow::from).collect();
            print::rows(out, form, &rows)?;
        }
        Command::Open { print, place } => {
            page(settings, environment, &place, print, out, err)?;
        }
        Command::Completions { shell } => completions(shell, out)?,
        Command::Man { out: folder } => manual(folder.as_deref(), out)?,
    }
    Ok(())
}

/// What is said where AWS's SDK is left out, as in the Python package.
#[cfg(not(feature = "aws"))]
const WITHOUT_AWS: &str = "this klayers cannot download and copy layers, since AWS's SDK is left out \
    of it, as in the Python package; the one of the Rust library can: cargo install klayers-client \
    --features cli,aws";

/// Prints the address of the list of latest layers, after opening it in a browser.
fn page(
    settings: &Settings<'_>,
    environment: &Environment,
    place: &Place,
    only_print: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    let (region, target) = settings.place(place)?;
    settings.client()?;
    let page = Route::Latest { target, region, format: Format::Html };
    let base = settings.api_url().trim_end_matches('/');
    let url = format!("{}{page}", base.strip_suffix("/api/v2").unwrap_or(base));
    if !only_print && let Err(error) = browser::open(&url, environment.browser.as_deref()) {
        print::note(err, &format!("no browser could be opened: {error}"))?;
    }
    Ok(writeln!(out, "{url}")?)
}

/// Prints a function with layers.
async fn snippets(
    settings: &Settings<'_>,
    specs: Vec<LayerSpec>,
    tool: Tool,
    place: &Place,
    form: Form,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    if specs.len() > snippet::MOST_LAYERS {
        return Err(Failure::Usage(format!(
            "a function takes at most {} layers, and these are {}",
            snippet::MOST_LAYERS,
            specs.len()
        )));
    }
    let (_, target) = settings.place(place)?;
    let mut arns = Vec::new();
    for spec in specs {
        arns.push(layer::used(settings, spec, place, err).await?.row.arn);
    }
    let text = snippet::snippet(tool, &arns, target);
    if form == Form::Json {
        print::json(out, &Snippet { arn: arns.first(), arns: &arns, text: &text })?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(())
}

fn completions(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    // It panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "klayers", &mut script);
    out.write_all(&script)
}

fn manual(folder: Option<&Path>, out: &mut impl Write) -> io::Result<()> {
    let Some(folder) = folder else {
        return clap_mangen::Man::new(Arguments::command()).render(out);
    };
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)?;
    writeln!(out, "{}", folder.display())
}

/// Answers a query of Terraform's.
async fn external(
    settings: &Settings<'_>,
    environment: &Environment,
    place: Place,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    let query = environment.read_input(external::LONGEST + 1).map_err(Failure::Read)?;
    let Query { spec, place, api_url } = Query::parse(&query, place).map_err(Failure::Query)?;
    let settings = settings.at(api_url);
    let (region, target) = settings.place(&place).map_err(|failure| match failure {
        Failure::Usage(message) => Failure::Query(format!("{message}; or say it in the query")),
        other => other,
    })?;
    let found = layer::find(&settings, spec.clone(), &region, target, err).await;
    let layer = match found {
        Ok(layer) => layer,
        Err(failure) => return Err(layer::explained(&settings, failure).await),
    };
    layer.warn(err)?;
    Ok(print::json(out, &external::answer(&spec, target, &layer.row))?)
}

/// What the collection says, or all that can be where its server has no such list.
fn or_known<T>(
    answer: Result<Answer<Vec<T>>, Error>,
    known: impl FnOnce() -> Vec<T>,
    what: &str,
    err: &mut impl Write,
) -> Result<Vec<T>, Failure> {
    match answer {
        Ok(answer) => {
            print::staleness(err, &answer)?;
            Ok(answer.value)
        }
        Err(Error::Unsupported { .. }) => {
            let message = format!("this server does not say which it has; these are {what}");
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

/// What `latest-arn --json` prints.
#[derive(Serialize)]
struct Found {
    package: PackageName,
    region: Region,
    target: Target,
    arn: LayerVersionArn,
}

/// What `snippet --json` prints.
#[derive(Serialize)]
struct Snippet<'a> {
    /// The first, as when there was one alone.
    arn: Option<&'a LayerVersionArn>,
    arns: &'a [LayerVersionArn],
    #[serde(rename = "snippet")]
    text: &'a str,
}
