//! The command `klayers`: arguments and environment in, text and an exit code out.
//!
//! Results go to the first writer and everything else to the second. The exit code is 0 when all
//! is done, 1 when it failed, and 2 on bad usage.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

use self::arguments::{Arguments, Command, Place};
pub use self::environment::Environment;
use crate::{Client, Error, LayerVersionArn, PackageName, Region, Target};

mod arguments;
mod environment;
mod print;

const FAILED: u8 = 1;
const BAD_USAGE: u8 = 2;

/// Runs the command. `arguments` begin with the command's own name.
pub async fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> ExitCode {
    let outcome = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => execute(arguments, environment, out, err).await,
        Err(error) => Err(Failure::Arguments(error)),
    };
    let code = match outcome {
        Ok(()) => 0,
        Err(failure) => failure.tell(out, err),
    };
    ExitCode::from(code)
}

async fn execute(
    arguments: Arguments,
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), Failure> {
    let Arguments { command, api_url, json } = arguments;
    let client = client(environment, api_url)?;
    match command {
        Command::LatestArn { package, place } => {
            let (region, target) = resolve(place, environment)?;
            let arn = client.latest_arn(package.clone(), &region, &target).await?;
            if json {
                let found = Found { package, region, target, arn };
                print::json(out, &found)?;
            } else {
                writeln!(out, "{arn}")?;
            }
        }
        Command::Latest { place } => {
            let (region, target) = resolve(place, environment)?;
            let rows = client.latest(&region, &target).await?;
            if rows.is_empty() {
                writeln!(err, "there are no layers for {target} in {region}")?;
            }
            if json {
                print::json(out, &rows)?;
            } else {
                print::latest(out, &rows)?;
            }
        }
        Command::Versions { package, place } => {
            let (region, target) = resolve(place, environment)?;
            let rows = client.versions(package, &region, &target).await?;
            if json {
                print::json(out, &rows)?;
            } else {
                print::versions(out, &rows)?;
            }
        }
    }
    Ok(out.flush()?)
}

/// What `latest-arn --json` prints.
#[derive(Serialize)]
struct Found {
    package: PackageName,
    region: Region,
    target: Target,
    arn: LayerVersionArn,
}

fn client(environment: &Environment, api_url: Option<String>) -> Result<Client, Failure> {
    let mut builder = Client::builder().user_agent(concat!("klayers/", env!("CARGO_PKG_VERSION")));
    if let Some(url) = api_url.or_else(|| environment.api_url().map(str::to_owned)) {
        builder = builder.base_url(url);
    }
    builder.build().map_err(|error| match error {
        Error::BaseUrl { .. } => Failure::Usage(error.to_string()),
        error => Failure::Client(error),
    })
}

fn resolve(place: Place, environment: &Environment) -> Result<(Region, Target), Failure> {
    let target = place.target();
    let region = match place.region {
        Some(region) => region,
        None => environment.region().map_err(Failure::Usage)?.ok_or_else(|| {
            Failure::Usage("no region: give it with --region, or set AWS_REGION".to_owned())
        })?,
    };
    Ok((region, target))
}

/// Why the command ends early.
#[derive(Debug)]
enum Failure {
    /// What clap made of the arguments; the answer to `--help` and `--version` too.
    Arguments(clap::Error),
    Usage(String),
    Client(Error),
    Write(io::Error),
}

impl Failure {
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
            Self::Client(error) => {
                let _ = print::error(err, &error);
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

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
