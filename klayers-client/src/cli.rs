//! The command `klayers`: arguments and environment in, text and an exit code out.
//!
//! Results go to the first writer and everything else to the second. The exit code is 0 when all
//! is done, 1 when it failed, and 2 on bad usage.

use std::error::Error as StdError;
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
use self::print::Form;
use self::settings::Settings;
use crate::{
    Answer, Architecture, Error, LayerSpec, LayerVersionArn, PackageName, Region, Target,
    VersionRow,
};

mod arguments;
mod config;
#[cfg(feature = "aws")]
mod copies;
mod environment;
mod external;
mod print;
mod settings;
mod snippet;
mod trust;

const FAILED: u8 = 1;
const BAD_USAGE: u8 = 2;

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
    let outcome = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => execute(arguments, environment, out, err).await,
        Err(error) => Err(Failure::Arguments(error)),
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
    match command {
        Command::LatestArn { package, place } => {
            let client = settings.client()?;
            let (region, target) = settings.place(&place)?;
            let answer = client.answers().latest_arn(package.clone(), &region, &target).await?;
            print::staleness(err, &answer)?;
            let arn = answer.value;
            if form == Form::Json {
                print::json(out, &Found { package, region, target, arn })?;
            } else {
                writeln!(out, "{arn}")?;
            }
        }
        Command::Latest { place } => {
            let client = settings.client()?;
            let (region, target) = settings.place(&place)?;
            let answer = client.answers().latest(&region, &target).await?;
            print::staleness(err, &answer)?;
            if answer.value.is_empty() {
                writeln!(err, "there are no layers for {target} in {region}")?;
            }
            print::rows(out, form, &answer.value)?;
        }
        Command::Versions { package, place } => {
            let client = settings.client()?;
            let (region, target) = settings.place(&place)?;
            let answer = client.answers().versions(package, &region, &target).await?;
            print::staleness(err, &answer)?;
            print::rows(out, form, &answer.value)?;
        }
        Command::Show { spec, place } => {
            let (row, _) = layer(&settings, spec, &place, err).await?;
            match form {
                Form::Json => print::json(out, &row)?,
                Form::Table | Form::Plain => print::version(out, &row)?,
            }
        }
        Command::Snippet { spec, tool, place } => {
            let (row, target) = layer(&settings, spec, &place, err).await?;
            let snippet = snippet::snippet(tool, &row.arn, target);
            if form == Form::Json {
                print::json(out, &Snippet { arn: &row.arn, snippet: &snippet })?;
            } else {
                write!(out, "{snippet}")?;
            }
        }
        Command::External { place } => {
            external(settings, environment, place, out, err).await.map_err(Failure::of_query)?;
        }
        #[cfg(feature = "aws")]
        Command::Download { spec, out: file, unpack, place } => {
            let (row, _) = layer(&settings, spec, &place, err).await?;
            let layer = copies::download(&row.arn, file, unpack.as_deref()).await?;
            copies::print(out, form, &layer)?;
        }
        #[cfg(feature = "aws")]
        Command::Mirror { spec, to, place } => {
            let (row, _) = layer(&settings, spec, &place, err).await?;
            let arn = copies::mirror(&row.arn, to.as_ref()).await?;
            copies::print_copy(out, form, &arn, &row.arn)?;
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
            let (region, target) = settings.place(&place)?;
            settings.client()?;
            let page = Route::Latest { target, region, format: Format::Html };
            let base = settings.api_url().trim_end_matches('/');
            let url = format!("{}{page}", base.strip_suffix("/api/v2").unwrap_or(base));
            if !print && let Err(error) = open::that_detached(&url) {
                print::note(err, &format!("no browser could be opened: {error}"))?;
            }
            writeln!(out, "{url}")?;
        }
        Command::Completions { shell } => completions(shell, out)?,
        Command::Man { out: folder } => manual(folder.as_deref(), out)?,
    }
    Ok(out.flush()?)
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

/// The one layer version that is meant.
async fn layer(
    settings: &Settings<'_>,
    spec: LayerSpec,
    place: &Place,
    err: &mut impl Write,
) -> Result<(VersionRow, Target), Failure> {
    let (region, target) = settings.place(place)?;
    Ok((find(settings, spec, &region, target, err).await?, target))
}

async fn find(
    settings: &Settings<'_>,
    spec: LayerSpec,
    region: &Region,
    target: Target,
    err: &mut impl Write,
) -> Result<VersionRow, Failure> {
    let answer = settings.client()?.answers().layer(spec, region, &target).await?;
    print::staleness(err, &answer)?;
    Ok(answer.value)
}

/// Answers a query of Terraform's.
async fn external(
    settings: Settings<'_>,
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
    let row = find(&settings, spec.clone(), &region, target, err).await?;
    Ok(print::json(out, &external::answer(&spec, target, &row))?)
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
    arn: &'a LayerVersionArn,
    snippet: &'a str,
}

/// Why the command ends early.
#[derive(Debug)]
enum Failure {
    /// What clap made of the arguments; the answer to `--help` and `--version` too.
    Arguments(clap::Error),
    Usage(String),
    /// What the query on the standard input says, or leaves open.
    Query(String),
    Client(Error),
    #[cfg(feature = "aws")]
    Aws(Box<crate::aws::AwsError>),
    Read(io::Error),
    Write(io::Error),
}

impl Failure {
    /// The same, where a query said what else the arguments do.
    fn of_query(self) -> Self {
        match self {
            Self::Usage(message) => Self::Query(message),
            other => other,
        }
    }

    /// Prints what happened, and gives the exit code. Where it cannot be printed, the code alone
    /// has to tell.
    fn tell(self, out: &mut impl Write, err: &mut impl Write) -> u8 {
        match self {
            Self::Arguments(error) if error.use_stderr() => {
                let _ = write!(err, "{}", error.render().ansi());
                BAD_USAGE
            }
            Self::Arguments(help) => {
                let _ = write!(out, "{}", help.render().ansi());
                0
            }
            Self::Usage(message) => {
                let _ = print::failure(err, &message, None);
                let _ = writeln!(err, "\nFor more information, try '--help'.");
                BAD_USAGE
            }
            Self::Query(message) => {
                let _ = print::failure(err, &message, None);
                FAILED
            }
            Self::Client(error) => {
                let _ = print::error(err, &error);
                FAILED
            }
            #[cfg(feature = "aws")]
            Self::Aws(error) => {
                let _ = print::failure(err, &error.to_string(), error.source());
                FAILED
            }
            Self::Read(error) => {
                let cause: &(dyn StdError + 'static) = &error;
                let _ = print::failure(err, "the standard input could not be read", Some(cause));
                FAILED
            }
            // Whoever reads has read enough, as `head` does.
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Write(error) => {
                let cause: &(dyn StdError + 'static) = &error;
                let _ = print::failure(err, "the result could not be written", Some(cause));
                FAILED
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

#[cfg(feature = "aws")]
impl From<crate::aws::AwsError> for Failure {
    fn from(error: crate::aws::AwsError) -> Self {
        Self::Aws(Box::new(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
