//! The command line: parses arguments and prints results. The library does the work.

use klayers_layer::LayerError;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use futures::FutureExt as _;
use klayers_build::Error;
use klayers_build::config::Config;
use klayers_build::message::Settings;
use klayers_catalog::CatalogError;
use klayers_core::{EVENTBRIDGE_CRON, Runtime, Runtimes, Timestamp, next_build};
use klayers_layer::confine::Confinement;
use klayers_layer::import::ImportError;
use klayers_layer::interpreter::Interpreters;
use klayers_layer::interpreter::SearchPath;
use klayers_layer::resolve::ResolveError;
use klayers_publish::PublishError;
use klayers_site::export::ExportError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tokio::signal::unix::{SignalKind, signal};

use self::output::Level;

mod adopt;
mod build;
mod collection;
mod events;
mod expire;
mod export;
mod import;
mod lease;
mod logs;
mod output;
mod progress;
mod publisher;
mod reconcile;
mod report;
mod run;
mod selection;
mod serve;
mod unchecked;
mod unshown;
mod verify;
mod yank;

/// Everything was done.
const DONE: u8 = 0;
/// Something failed and was listed.
const FAILED: u8 = 1;
/// Bad usage or configuration; nothing was done.
const UNUSABLE: u8 = 2;
/// Ended by Ctrl-C: 128 plus the signal's number, the convention of shells.
const INTERRUPTED: u8 = 130;
/// Ended by SIGTERM.
const TERMINATED: u8 = 143;
/// How long blocking work, such as writing to the disk, may take to end.
const LAST_WORK: Duration = Duration::from_secs(3);

/// Builds Python packages into AWS Lambda layers, publishes them, and serves the list.
#[derive(Debug, Parser)]
#[command(name = "klayers-pipeline", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logs: logs::LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build one layer from some packages, as a zip file.
    Build(build::BuildArgs),
    /// Show what a run would do.
    Plan(collection::CollectionArgs),
    /// Build and publish the layers that changed.
    Run(run::RunArgs),
    /// Show what past runs did.
    Report(report::ReportArgs),
    /// Import a layer that was made by hand, and publish it.
    Import(import::ImportArgs),
    /// Copy the records of another collection into the catalog.
    Adopt(adopt::AdoptArgs),
    /// Rebuild a layer from the lock inside it, and compare the two.
    Verify(verify::VerifyArgs),
    /// Delete expired layer versions.
    Expire(expire::ExpireArgs),
    /// Withdraw layer versions, so that nobody starts to use them.
    Yank(yank::YankArgs),
    /// Compare the catalog with what is published, and repair differences.
    Reconcile(reconcile::ReconcileArgs),
    /// Serve the API and the pages over HTTP.
    Serve(serve::ServeArgs),
    /// Write the API and the pages as files, for a web server or a content delivery network.
    Export(export::ExportArgs),
    /// Print when the next monthly run starts (UTC).
    NextRun(NextRunArgs),
}

#[derive(Debug, Args)]
struct NextRunArgs {
    /// Print the schedule as a cron expression for Amazon EventBridge instead.
    #[arg(long)]
    cron: bool,
}

/// The argument that names the configuration.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "klayers.toml")]
    config: PathBuf,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, Error> {
        Ok(Config::load(&self.config)?)
    }
}

/// The argument that names the wheel cache.
#[derive(Debug, Args)]
struct CacheArgs {
    /// The folder of the wheel cache [default: klayers in the user's cache folder].
    #[arg(long, value_name = "DIR", env = "KLAYERS_CACHE_DIR", hide_env_values = true)]
    cache_dir: Option<PathBuf>,
}

impl CacheArgs {
    #[expect(clippy::disallowed_methods, reason = "this is the edge where the environment enters")]
    fn folder(&self) -> PathBuf {
        let user = |variable: &str, below: &str| {
            let folder = std::env::var_os(variable).map(PathBuf::from);
            folder.filter(|folder| folder.is_absolute()).map(|folder| folder.join(below))
        };
        self.cache_dir
            .clone()
            .or_else(|| user("XDG_CACHE_HOME", "klayers"))
            .or_else(|| user("HOME", ".cache/klayers"))
            .unwrap_or_else(|| Path::new(".klayers-cache").to_owned())
    }
}

/// Where interpreters are looked for: first in variables such as `KLAYERS_PYTHON_3_12`, then on the
/// `PATH`.
#[expect(clippy::disallowed_methods, reason = "this is the edge where the environment enters")]
fn interpreters(runtimes: &Runtimes) -> Interpreters {
    let named = runtimes.iter().filter_map(|runtime| {
        let variable = format!("KLAYERS_PYTHON_{}", runtime.python.to_string().replace('.', "_"));
        let path = std::env::var_os(variable).filter(|path| !path.is_empty())?;
        Some((runtime.python, PathBuf::from(path)))
    });
    let search_path = SearchPath::new(std::env::var_os("PATH").unwrap_or_default());
    Interpreters { search_path, explicit: named.collect() }
}

/// Runs the command that the arguments of this process ask for.
pub(crate) fn main() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&given) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let _ = write!(anstream::stderr(), "{}", unshown::shown(&error, &given));
            return UNUSABLE.into();
        }
        // The output of --help or --version.
        Err(answer) => {
            let _ = answer.print();
            return DONE.into();
        }
    };
    cli.logs.install();
    arm_failpoints();
    end_at_second_signal();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&error);
            return FAILED.into();
        }
    };
    let settings = match cli.command {
        Command::Build(_) | Command::Verify(_) => Settings::Arguments,
        _ => Settings::File,
    };
    let code = runtime.block_on(async {
        let work = Box::pin(run(cli.command, cli.logs.format(), stopped()));
        work.await.unwrap_or_else(|error| {
            output::fatal(&error, settings);
            exit_code(&error)
        })
    });
    runtime.shutdown_timeout(LAST_WORK);
    code.into()
}

/// Arms the failpoint at which a test wants this process to die.
#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "this is the edge where the environment enters")]
fn arm_failpoints() {
    let fatal = std::env::var("KLAYERS_FAILPOINT").ok();
    let seen = std::env::var_os("KLAYERS_FAILPOINTS_SEEN").map(PathBuf::from);
    klayers_catalog::failpoint::arm(fatal.as_deref(), seen);
}

#[cfg(not(feature = "failpoints"))]
fn arm_failpoints() {}

/// Makes a second Ctrl-C or SIGTERM end the process at once, whatever it still has to do.
fn end_at_second_signal() {
    let signalled = Arc::new(AtomicBool::new(false));
    for (signal, code) in [(SIGINT, INTERRUPTED), (SIGTERM, TERMINATED)] {
        // In this order, so that the first signal only sets the flag. If a handler cannot be
        // registered, the first signal ends the process.
        let _ = flag::register_conditional_shutdown(signal, code.into(), Arc::clone(&signalled))
            .and_then(|_| flag::register(signal, Arc::clone(&signalled)));
    }
}

/// Completes at the first Ctrl-C or SIGTERM, with the exit code for that signal. From the call on,
/// even before the future is polled, the first signal no longer ends the process by itself.
fn stopped() -> impl Future<Output = u8> {
    let [interrupted, terminated] =
        [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
            let signal = signal(kind);
            async move {
                match signal {
                    Ok(mut signal) => signal.recv().await,
                    // Without a handler, the signal ends the process.
                    Err(_) => std::future::pending().await,
                }
            }
        });
    async {
        tokio::select! {
            _ = interrupted => INTERRUPTED,
            _ = terminated => TERMINATED,
        }
    }
}

async fn run(
    command: Command,
    format: output::LogFormat,
    stopped: impl Future<Output = u8> + Send + 'static,
) -> Result<u8, Error> {
    let held = lease::HeldLease::default();
    let work = match command {
        Command::Build(args) => build::build(args, now()).boxed_local(),
        Command::Plan(args) => {
            async move { collection::plan(&args, format, now()).await }.boxed_local()
        }
        Command::Verify(args) => verify::verify(args).boxed_local(),
        Command::Run(args) if args.dry_run => {
            async move { collection::plan(&args.collection, format, now()).await }.boxed_local()
        }
        // A run records what it did even if it is interrupted.
        Command::Run(args) => return Box::pin(run::run(&args, format, now(), stopped)).await,
        Command::Report(args) => async move { report::report(&args).await }.boxed_local(),
        Command::Adopt(args) => adopt::adopt(args, format, now(), held.clone()).boxed_local(),
        Command::Import(args) => import::import(args, now(), held.clone()).boxed_local(),
        Command::Expire(args) => expire::expire(args, now(), held.clone()).boxed_local(),
        Command::Yank(args) => yank::yank(args, now(), held.clone()).boxed_local(),
        Command::Reconcile(args) => reconcile::reconcile(args, now(), held.clone()).boxed_local(),
        Command::Export(args) => async move { export::export_site(&args).await }.boxed_local(),
        // The server finishes its connections when it is asked to end.
        Command::Serve(args) => return serve::serve(&args, stopped).await,
        Command::NextRun(args) => return Ok(next_run(&args)),
    };
    let code = tokio::select! {
        outcome = work => return outcome,
        // Dropping the work ends the programs that it started.
        code = stopped => code,
    };
    held.give_back().await;
    Ok(code)
}

fn next_run(args: &NextRunArgs) -> u8 {
    if args.cron {
        output::line(EVENTBRIDGE_CRON);
        return DONE;
    }
    match next_build(now()) {
        Some(time) => {
            output::line(&time.to_string());
            DONE
        }
        None => FAILED,
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the edge where the clock enters")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Prints a note for each runtime that AWS no longer updates. Layers for it are still built, since
/// existing functions go on using it.
fn note_deprecated<'a>(runtimes: impl IntoIterator<Item = &'a Runtime>, now: Timestamp) {
    for runtime in runtimes.into_iter().filter(|runtime| runtime.is_deprecated(now)) {
        if let Some(day) = runtime.deprecated_on {
            let name = runtime.python.runtime();
            let text = format!("AWS no longer updates the runtime {name}, since {day}");
            output::message(Level::Note, &text);
        }
    }
}

/// Warns, before code of packages runs, about gaps in the confinement on this system.
async fn note_confinement(runs_code: bool) {
    if runs_code && let Some(warning) = Confinement::find().await.warning() {
        output::message(Level::Warning, &warning);
    }
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Config(_)
        | Error::MissingFeature(_)
        | Error::Plan(_)
        | Error::Unrecorded(_)
        | Error::Expiry(_)
        | Error::Reconcile(_)
        | Error::Yank(_)
        | Error::Layer(
            LayerError::UnknownRuntime(_)
            | LayerError::Interpreter(_)
            | LayerError::NoInterpreter(_)
            | LayerError::Import(ImportError::Refused { .. } | ImportError::Listed(_))
            | LayerError::Resolve(ResolveError::Missing { .. } | ResolveError::OldUv { .. }),
        )
        | Error::Export(ExportError::NotOurs { .. } | ExportError::UnknownChanges)
        | Error::Catalog(CatalogError::Foreign { .. } | CatalogError::Empty { .. })
        | Error::Publish(
            PublishError::Credentials { .. }
            | PublishError::BucketName(_)
            | PublishError::WithoutPointers,
        ) => UNUSABLE,
        Error::Adopt(error) if error.is_usage() => UNUSABLE,
        _ => FAILED,
    }
}
