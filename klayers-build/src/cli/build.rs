use klayers_layer::LayerError;
use std::path::{Path, PathBuf};

use clap::Args;
use klayers_build::Error;
use klayers_build::config::Config;
use klayers_build::message::Settings;
use klayers_build::order::{BuildRequest, DeliveredLayer, LayerOrder, SettingOverrides};
use klayers_core::{
    Architecture, PackageName, ParseError, PythonVersion, Requirement, Target, Timestamp,
};
use klayers_layer::builder::BytecodeMode;
use klayers_layer::gate::ImportReport;
use klayers_layer::resolve::{SourceLocationError, Sources};
use klayers_layer::settings::Workshop;
use klayers_layer::slim::Exclusion;
use klayers_wheel::Acceptance;
use klayers_wheel::cached::ReplacedFile;
use klayers_wheel::gate_report::{Severity, SummaryLine};
use serde_json::json;
use url::Url;

use super::output::Level;
use super::unshown::Unshown;
use super::{CacheArgs, DONE, interpreters, note_confinement, note_deprecated, output};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command stand for themselves")]
pub(super) struct BuildArgs {
    /// A package for the layer, with extras and versions as pip takes them: requests, "numpy>=2,<3".
    #[arg(value_name = "REQUIREMENT", required = true)]
    requirements: Vec<Requirement>,
    /// The Python version of the Lambda runtime.
    #[arg(long, value_name = "VERSION")]
    python: PythonVersion,
    /// The architecture of the Lambda function.
    #[arg(long, default_value_t)]
    arch: Architecture,
    /// The folder to write the zip to; created if it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The part of the layer's name after the prefix and the target [default: the packages' names].
    #[arg(long, value_name = "NAME")]
    name: Option<PackageName>,
    /// Use the build, wheels, slim, gate and runtime sections and the layer prefix of this
    /// klayers.toml. Flags take precedence.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Build from this pylock.toml instead of resolving; the requirements then only name the layer.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["find_links", "no_index"])]
    lock: Option<PathBuf>,
    /// A folder, or the URL of a page, with additional wheels; may be given several times.
    #[arg(long, value_name = "DIR", value_parser = Unshown(located))]
    find_links: Vec<String>,
    /// Use no package index, only --find-links.
    #[arg(long)]
    no_index: bool,
    /// The package index, instead of uv's default.
    #[arg(long, value_name = "URL", value_parser = Unshown(Sources::parse_index_url))]
    index_url: Option<Url>,
    /// If this package has no fitting wheel, build one from its source distribution, which runs its
    /// code; may be given several times.
    #[arg(long, value_name = "NAME")]
    allow_sdist: Vec<PackageName>,
    /// Accept wheels of this package even if their RECORD is wrong; may be given several times.
    #[arg(long, value_name = "NAME=record", value_parser = acceptance)]
    accept: Vec<(PackageName, Acceptance)>,
    /// Leave out files whose path below python/ matches this pattern, such as "sample/docs/**" or
    /// "bin/**"; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<Exclusion>,
    /// The prefix of the layer's name [default: Klayers].
    #[arg(long, value_name = "PREFIX")]
    layer_prefix: Option<String>,
    /// Whether the layer holds bytecode: auto (if an interpreter of its Python version is found, and
    /// the bytecode fits), on, or off [default: auto].
    #[arg(long, value_name = "MODE")]
    bytecode: Option<BytecodeMode>,
    /// The interpreter that compiles bytecode [default: python3.X, then uv's own].
    #[arg(long, value_name = "PROGRAM")]
    interpreter: Option<PathBuf>,
    /// Import each top-level module of the layer, without network and credentials. With --config,
    /// the gate section decides.
    #[arg(long)]
    check_imports: bool,
    /// Keep the layer even if it would not work on Lambda, and only print the reasons.
    #[arg(long)]
    force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cache: CacheArgs,
}

impl BuildArgs {
    fn request(&self) -> BuildRequest {
        BuildRequest {
            requirements: self.requirements.clone(),
            target: Target::new(self.python, self.arch),
            name: self.name.clone(),
            layer_prefix: self.layer_prefix.clone(),
            lock: self.lock.clone(),
            check_imports: self.check_imports,
            force: self.force,
            settings: SettingOverrides {
                index_url: self.index_url.clone(),
                no_index: self.no_index,
                find_links: self.find_links.clone(),
                allow_sdist: self.allow_sdist.iter().cloned().collect(),
                accept: self.accept.clone(),
                exclude: self.exclude.clone(),
                bytecode: self.bytecode,
                interpreter: self.interpreter.clone(),
            },
        }
    }
}

pub(super) async fn build(args: BuildArgs, now: Timestamp) -> Result<u8, Error> {
    let done = build_and_print(&args, now).await;
    if args.json
        && let Err(error) = &done
    {
        let mut result = output::failure_json(error, Settings::Arguments);
        // The message shortens the reasons for a refusal; the JSON result has all of them.
        if let Error::Layer(LayerError::Refused(refused)) = error {
            result["layer"] = json!(refused.layer);
            result["target"] = json!(Target::new(args.python, args.arch));
            result["gate"] = json!(refused.report);
        }
        output::line(&result.to_string());
    }
    done
}

async fn build_and_print(args: &BuildArgs, now: Timestamp) -> Result<u8, Error> {
    let file = args.config.as_deref().map(Config::load).transpose()?;
    let request = args.request();
    let settings = request.settings(file.as_ref());
    let order = request.order(file.as_ref())?;
    note_deprecated([settings.runtimes.require(order.target)?], now);
    note_confinement(order.runs_code(&settings)).await;
    let interpreters = interpreters(&settings.runtimes);
    let workshop = Workshop::new(settings, &args.cache.folder(), interpreters)?;
    let delivered = order.deliver(&workshop, &args.out).await?;
    for caution in &delivered.cautions {
        output::message(Level::Warning, &caution.to_string());
    }
    for SummaryLine { severity, text } in delivered.report.summary() {
        let level = match severity {
            Some(Severity::Error) => Level::Error,
            Some(Severity::Warning) => Level::Warning,
            None => Level::Status,
        };
        output::message(level, &text);
    }
    if args.json {
        print_json(&order, &delivered, &workshop.fetcher.cache_log().replaced());
    } else {
        print(&order, &delivered);
    }
    Ok(DONE)
}

fn print(order: &LayerOrder, delivered: &DeliveredLayer) {
    let DeliveredLayer { path, digest, size, unzipped_size, files, bytecode, .. } = delivered;
    output::line(&path.display().to_string());
    output::line(&format!("sha256    {digest}"));
    output::line(&format!("zipped    {size} bytes ({})", output::bytes(*size)));
    let unzipped = output::bytes(*unzipped_size);
    output::line(&format!("unzipped  {unzipped_size} bytes ({unzipped}) in {files} files"));
    if let Some(release) = bytecode {
        output::line(&format!("bytecode  CPython {release}"));
    }
    let has_run = matches!(delivered.report.imports, ImportReport::Run { .. });
    if order.check_imports || has_run {
        output::line(&delivered.report.imports.to_string());
    }
}

fn print_json(order: &LayerOrder, delivered: &DeliveredLayer, replaced: &[ReplacedFile]) {
    let result = json!({
        "layer": order.layer,
        "target": order.target,
        "path": delivered.path,
        "sha256": delivered.digest,
        "size": delivered.size,
        "unzippedSize": delivered.unzipped_size,
        "files": delivered.files,
        "bytecode": delivered.bytecode,
        "warnings": delivered.cautions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "gate": delivered.report,
        "replaced": replaced,
        "dependencies": delivered.lock.pins(),
        "requirementsHash": delivered.lock.requirements_hash(),
    });
    output::line(&result.to_string());
}

/// Parses a folder of wheels, relative to the current folder, or the URL of a page.
fn located(links: &str) -> Result<String, SourceLocationError> {
    Sources::parse_find_links(Path::new(""), links)
}

/// Parses NAME=FAULT.
fn acceptance(text: &str) -> Result<(PackageName, Acceptance), ParseError> {
    let expected = || ParseError::new(text, "a package and a fault", "NAME=record expected");
    let (name, fault) = text.split_once('=').ok_or_else(expected)?;
    Ok((name.parse()?, fault.parse()?))
}
