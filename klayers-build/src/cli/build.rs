use klayers_layer::LayerError;
use std::path::{Path, PathBuf};

use clap::Args;
use klayers_build::Error;
use klayers_build::config::Config;
use klayers_build::message::Settings;
use klayers_build::order::{DeliveredLayer, LayerOrder};
use klayers_build::plan::PlanError;
use klayers_core::{
    Architecture, LayerName, PackageName, ParseError, PythonVersion, Requirement, Target, Timestamp,
};
use klayers_layer::builder::BytecodeMode;
use klayers_layer::gate::{ImportMode, ImportReport};
use klayers_layer::resolve::{SourceLocationError, Sources};
use klayers_layer::settings::{BuildSettings, Workshop};
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
    /// What the layer holds, for example requests or "numpy>=2,<3"; extras go in brackets.
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
    /// The layer's name after the prefix and the target [default: the packages' names].
    #[arg(long, value_name = "NAME")]
    name: Option<PackageName>,
    /// Build as this klayers.toml says: its build, slim, gate and runtime sections and its layer
    /// prefix count, and flags win over them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Build from this pylock.toml instead of resolving; the requirements then only name the layer.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["find_links", "no_index"])]
    lock: Option<PathBuf>,
    /// A folder, or the URL of a page, with further wheels.
    #[arg(long, value_name = "DIR", value_parser = Unshown(located))]
    find_links: Vec<String>,
    /// Ask no index; take wheels from --find-links alone.
    #[arg(long)]
    no_index: bool,
    /// The package index, in place of uv's default.
    #[arg(long, value_name = "URL", value_parser = Unshown(Sources::parse_index_url))]
    index_url: Option<Url>,
    /// Build wheels of these packages where they come as source distributions alone, which runs
    /// their code.
    #[arg(long, value_name = "NAME")]
    allow_sdist: Vec<PackageName>,
    /// Use wheels of this package although their RECORD does not describe them.
    #[arg(long, value_name = "NAME=record", value_parser = acceptance)]
    accept: Vec<(PackageName, Acceptance)>,
    /// Leave out files whose path below python/ matches this pattern, as in "sample/docs/**" or
    /// "bin/**".
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<Exclusion>,
    /// What the layer's name begins with [default: Klayers].
    #[arg(long, value_name = "PREFIX")]
    layer_prefix: Option<String>,
    /// Whether the layer holds bytecode: auto (where there is an interpreter of its Python version,
    /// and where it fits), on, or off [default: auto].
    #[arg(long, value_name = "MODE")]
    bytecode: Option<BytecodeMode>,
    /// The interpreter to make bytecode with [default: python3.X, then uv's own].
    #[arg(long, value_name = "PROGRAM")]
    interpreter: Option<PathBuf>,
    /// Import each top-level module of the layer, without a network and without credentials. With
    /// --config, its gate section decides.
    #[arg(long)]
    check_imports: bool,
    /// Keep the layer although Lambda could not use it as it is, and only say why.
    #[arg(long)]
    force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cache: CacheArgs,
}

impl BuildArgs {
    /// The file's settings, with those of the flags in their place.
    fn settings(&self, file: Option<&Config>) -> BuildSettings {
        let mut settings = file.map(|config| config.build.clone()).unwrap_or_default();
        let Sources { index_url, find_links, no_index } = &mut settings.sources;
        if self.no_index {
            (*index_url, *no_index) = (None, true);
        }
        if let Some(url) = &self.index_url {
            (*index_url, *no_index) = (Some(url.clone()), self.no_index);
        }
        find_links.extend(self.find_links.iter().cloned());
        settings.slimming.exclude.extend(self.exclude.iter().cloned());
        settings.allow_sdist.extend(self.allow_sdist.iter().cloned());
        for (package, fault) in &self.accept {
            settings.accepted.insert(package.clone(), *fault);
        }
        settings.bytecode = self.bytecode.unwrap_or(settings.bytecode);
        let program = self.interpreter.iter().map(|program| (self.python, program.clone()));
        settings.interpreters.extend(program);
        settings
    }

    fn order(&self, file: Option<&Config>) -> Result<LayerOrder, Error> {
        let target = Target::new(self.python, self.arch);
        let of_file = file.map(|config| config.publish.layer_prefix.as_str());
        let prefix = self.layer_prefix.as_deref().or(of_file).unwrap_or("Klayers");
        let packages = self.requirements.iter().map(|requirement| requirement.name().to_string());
        let name = match &self.name {
            Some(name) => name.to_string(),
            None => packages.collect::<Vec<_>>().join("-"),
        };
        Ok(LayerOrder {
            layer: LayerName::new(prefix, target, &name).map_err(PlanError::LayerName)?,
            target,
            requirements: self.requirements.clone(),
            lock: self.lock.clone(),
            check_imports: self.check_imports
                || file.is_some_and(|config| config.build.gate.imports != ImportMode::Off),
            force: self.force,
        })
    }
}

pub(super) async fn build(args: BuildArgs, now: Timestamp) -> Result<u8, Error> {
    let done = build_and_print(&args, now).await;
    if args.json
        && let Err(error) = &done
    {
        let mut result = output::failure_json(error, Settings::Arguments);
        // What is shown of a refusal is short; the result has all of it.
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
    let settings = args.settings(file.as_ref());
    let order = args.order(file.as_ref())?;
    note_deprecated([settings.runtimes.require(order.target)?], now);
    note_confinement(order.check_imports || !settings.allow_sdist.is_empty()).await;
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

/// Reads a place of wheels, as it is named in the folder where the command runs.
fn located(links: &str) -> Result<String, SourceLocationError> {
    Sources::parse_find_links(Path::new(""), links)
}

/// Reads NAME=FAULT.
fn acceptance(text: &str) -> Result<(PackageName, Acceptance), ParseError> {
    let expected = || ParseError::new(text, "a package and a fault", "NAME=record expected");
    let (name, fault) = text.split_once('=').ok_or_else(expected)?;
    Ok((name.parse()?, fault.parse()?))
}
