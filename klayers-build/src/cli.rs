//! The command line: what is asked for, and what is printed. What is done stands in the library.

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

/// All was done.
const DONE: u8 = 0;
/// Some of it failed, and what failed was listed.
const FAILED: u8 = 1;
/// Bad usage or configuration; nothing was done.
const UNUSABLE: u8 = 2;
/// As shells have it for a program that a signal ended: 128 and its number. This is Ctrl-C's.
const INTERRUPTED: u8 = 130;
/// The one of SIGTERM.
const TERMINATED: u8 = 143;
/// How long work that cannot be given up halfway, as on the disk, may take to end.
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
    /// Build one layer of some packages, as a zip.
    Build(build::BuildArgs),
    /// Show what a run would do.
    Plan(collection::CollectionArgs),
    /// Build and publish what changed.
    Run(run::RunArgs),
    /// Show what past runs did.
    Report(report::ReportArgs),
    /// Take in a layer that was made by hand, and publish it.
    Import(import::ImportArgs),
    /// Take over what another collection recorded.
    Adopt(adopt::AdoptArgs),
    /// Make a layer again from the lock in it, and say whether it is the same.
    Verify(verify::VerifyArgs),
    /// Delete the layer versions that expired.
    Expire(expire::ExpireArgs),
    /// Withdraw layer versions, so that nobody begins to use them.
    Yank(yank::YankArgs),
    /// Compare the catalog with what there is, and repair what differs.
    Reconcile(reconcile::ReconcileArgs),
    /// Serve the API and the pages over HTTP.
    Serve(serve::ServeArgs),
    /// Write the API and the pages as files, for a web server or a content delivery network.
    Export(export::ExportArgs),
    /// Say when the next monthly run starts (UTC).
    NextRun(NextRunArgs),
}

#[derive(Debug, Args)]
struct NextRunArgs {
    /// Print the schedule as an expression for Amazon EventBridge instead.
    #[arg(long)]
    cron: bool,
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "klayers.toml")]
    config: PathBuf,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, Error> {
        Ok(Config::load(&self.config)?)
    }
}

/// Where fetched wheels are kept.
#[derive(Debug, Args)]
struct CacheArgs {
    /// The folder where fetched wheels are kept [default: klayers in the user's cache folder].
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

/// Where interpreters are looked for: those that variables such as `KLAYERS_PYTHON_3_12` name, and
/// then on the path.
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

/// Does what the arguments of this process ask for.
pub(crate) fn main() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&given) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let _ = write!(anstream::stderr(), "{}", unshown::shown(&error, &given));
            return UNUSABLE.into();
        }
        // The answer to --help or --version.
        Err(answer) => {
            let _ = answer.print();
            return DONE.into();
        }
    };
    cli.logs.install();
    arm_failpoints();
    end_at_once_when_told_again();
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

/// Tests say at which place this process is to be killed.
#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "this is the edge where the environment enters")]
fn arm_failpoints() {
    let fatal = std::env::var("KLAYERS_FAILPOINT").ok();
    let seen = std::env::var_os("KLAYERS_FAILPOINTS_SEEN").map(PathBuf::from);
    klayers_catalog::failpoint::arm(fatal.as_deref(), seen);
}

#[cfg(not(feature = "failpoints"))]
fn arm_failpoints() {}

/// Whoever tells this process to end twice does not want to wait for what it still has to do.
fn end_at_once_when_told_again() {
    let told = Arc::new(AtomicBool::new(false));
    for (signal, code) in [(SIGINT, INTERRUPTED), (SIGTERM, TERMINATED)] {
        // In this order: what is told first is only noted. Where it cannot be, nothing is lost.
        let _ = flag::register_conditional_shutdown(signal, code.into(), Arc::clone(&told))
            .and_then(|_| flag::register(signal, Arc::clone(&told)));
    }
}

/// Ends when the process is asked to, by Ctrl-C or SIGTERM, with the exit code that says so. From
/// when this is called, not only from when it is waited for, neither ends the process by itself.
fn stopped() -> impl Future<Output = u8> {
    let [interrupted, terminated] =
        [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
            let signal = signal(kind);
            async move {
                match signal {
                    Ok(mut signal) => signal.recv().await,
                    // It ends the process when it comes again, then.
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
        // It writes down what it did, even when it is told to end.
        Command::Run(args) => return Box::pin(run::run(&args, format, now(), stopped)).await,
        Command::Report(args) => async move { report::report(&args).await }.boxed_local(),
        Command::Adopt(args) => adopt::adopt(args, format, now(), held.clone()).boxed_local(),
        Command::Import(args) => import::import(args, now(), held.clone()).boxed_local(),
        Command::Expire(args) => expire::expire(args, now(), held.clone()).boxed_local(),
        Command::Yank(args) => yank::yank(args, now(), held.clone()).boxed_local(),
        Command::Reconcile(args) => reconcile::reconcile(args, now(), held.clone()).boxed_local(),
        Command::Export(args) => async move { export::export_site(&args).await }.boxed_local(),
        // Serving ends well when it is told to end.
        Command::Serve(args) => return serve::serve(&args, stopped).await,
        Command::NextRun(args) => return Ok(next_run(&args)),
    };
    let code = tokio::select! {
        outcome = work => return outcome,
        // What was under way is dropped, and with it the programs that it started.
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

/// Tells of runtimes that AWS no longer updates. Layers for them are built all the same: functions
/// that use them go on.
fn note_deprecated<'a>(runtimes: impl IntoIterator<Item = &'a Runtime>, now: Timestamp) {
    for runtime in runtimes.into_iter().filter(|runtime| runtime.is_deprecated(now)) {
        if let Some(day) = runtime.deprecated_on {
            let name = runtime.python.runtime();
            let text = format!("AWS no longer updates the runtime {name}, since {day}");
            output::message(Level::Note, &text);
        }
    }
}

/// Warns, before code of packages is run, of what this system does not keep it from.
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
