use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use klayers_build::assemble::{AssembleError, LayerZip};
use klayers_build::builder::{Builder, BuiltLayer, BytecodeMode};
use klayers_build::config::ConfigError;
use klayers_build::fetch::Fetcher;
use klayers_build::gate::GateReport;
use klayers_build::lock::Lock;
use klayers_build::resolve::{FromSource, ResolveError, Resolver, Sources};
use klayers_build::{Error, plan::PlanError};
use klayers_core::{
    Architecture, LayerName, PackageName, PythonVersion, Requirement, Runtime, Runtimes, Target,
    Timestamp,
};
use serde_json::json;
use url::Url;

use super::{CacheArgs, DONE, interpreters, note_deprecated, output};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command stand for themselves")]
pub(super) struct BuildArgs {
    /// What the layer is to hold, as in requests or "numpy>=2,<3"; extras go in brackets.
    #[arg(value_name = "REQUIREMENT", required = true)]
    requirements: Vec<Requirement>,
    /// The Python version of the Lambda runtime.
    #[arg(long, value_name = "VERSION")]
    python: PythonVersion,
    /// The architecture of the Lambda function.
    #[arg(long, default_value_t)]
    arch: Architecture,
    /// The folder that the zip is written to; it is made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Build from this pylock.toml instead of resolving; the requirements then only name the layer.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["find_links", "no_index"])]
    lock: Option<PathBuf>,
    /// A folder, or the URL of a page, with further wheels.
    #[arg(long, value_name = "DIR")]
    find_links: Vec<String>,
    /// Ask no index; take wheels from --find-links alone.
    #[arg(long)]
    no_index: bool,
    /// The package index, in place of uv's default.
    #[arg(long, value_name = "URL")]
    index_url: Option<Url>,
    /// Build a wheel of this package where it comes as a source distribution alone, which runs its
    /// code; may be given several times.
    #[arg(long, value_name = "NAME")]
    allow_sdist: Vec<PackageName>,
    /// What the layer's name begins with.
    #[arg(long, value_name = "PREFIX", default_value = "Klayers")]
    layer_prefix: String,
    /// Whether the layer holds bytecode: auto (where there is an interpreter of its Python
    /// version, and where it fits), on, or off.
    #[arg(long, value_name = "MODE", default_value_t)]
    bytecode: BytecodeMode,
    /// The interpreter to make bytecode with [default: python3.X, then uv's own].
    #[arg(long, value_name = "PROGRAM")]
    interpreter: Option<PathBuf>,
    /// Import each top-level module of the layer, without a network and without credentials.
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

pub(super) async fn build(args: BuildArgs, now: Timestamp) -> Result<u8, Error> {
    let target = Target::new(args.python, args.arch);
    let packages: Vec<String> =
        args.requirements.iter().map(|requirement| requirement.name().to_string()).collect();
    let name = LayerName::new(&args.layer_prefix, target, &packages.join("-"))
        .map_err(PlanError::LayerName)?;
    let runtimes = Runtimes::default();
    let runtime = runtimes.get(target.python).ok_or(ConfigError::NoRuntime(target))?;
    note_deprecated([runtime], now);
    let cache = args.cache.folder();
    let mut interpreters = interpreters(&runtimes);
    interpreters.explicit.extend(args.interpreter.map(|program| (target.python, program)));
    let fetcher = Fetcher::new(&cache, args.index_url.clone())?;
    let allowed = args.allow_sdist.iter().cloned().collect();
    let from_source = FromSource::new(allowed, fetcher.clone(), interpreters.clone());
    let builder =
        Builder::new(fetcher).with_interpreters(interpreters).with_bytecode(args.bytecode, &cache);
    let find_links =
        args.find_links.iter().map(|links| Sources::located(Path::new(""), links)).collect();
    let sources = Sources { index_url: args.index_url, find_links, no_index: args.no_index };
    let lock = if let Some(path) = &args.lock {
        let lock = read_lock(path, target, runtime)?;
        if !args.allow_sdist.is_empty() {
            let resolver = Resolver::find(sources).await?.with_sdists(from_source);
            resolver.rebuild(&lock, runtime).await.map_err(ResolveError::from)?;
        }
        lock
    } else {
        let resolver = Resolver::find(sources).await?.with_sdists(from_source);
        resolver.resolve(&args.requirements, target, runtime).await?
    };
    let write = |source| AssembleError::Write { path: args.out.clone(), source };
    fs::create_dir_all(&args.out).map_err(write)?;
    let built = builder.build(&name, &lock, &args.out).await?;
    let report = if args.check_imports {
        builder.check(&built, &args.out).await?
    } else {
        GateReport::without_imports(built.findings.clone())
    };
    let report = if args.force { report } else { report.required(&name)? };
    for finding in &report.findings {
        output::note(&format!("{}: {finding}", finding.severity()));
    }
    let BuiltLayer { zip, .. } = built;
    let LayerZip { digest, size, unzipped_size, files, ref recipe, .. } = zip;
    let bytecode = recipe.bytecode.clone();
    let path = zip.keep(&args.out)?;
    if args.json {
        let result = json!({
            "layer": name,
            "target": target,
            "path": path,
            "sha256": digest,
            "size": size,
            "unzippedSize": unzipped_size,
            "files": files,
            "bytecode": bytecode,
            "gate": report,
            "dependencies": lock.pins(),
            "requirementsHash": lock.requirements_hash(),
        });
        output::line(&result.to_string());
    } else {
        output::line(&path.display().to_string());
        output::line(&format!("sha256    {digest}"));
        output::line(&format!("zipped    {size} bytes ({})", output::bytes(size)));
        let unzipped = output::bytes(unzipped_size);
        output::line(&format!("unzipped  {unzipped_size} bytes ({unzipped}) in {files} files"));
        if let Some(release) = bytecode {
            output::line(&format!("bytecode  CPython {release}"));
        }
        if args.check_imports {
            output::line(&report.imports.to_string());
        }
    }
    Ok(DONE)
}

fn read_lock(path: &Path, target: Target, runtime: &Runtime) -> Result<Lock, Error> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(read)?;
    let base = Url::from_file_path(std::path::absolute(path).map_err(read)?).ok();
    let lock = Lock::parse(&text, base.as_ref(), target, runtime)
        .map_err(|source| ConfigError::Lock { path: path.to_owned(), source })?;
    Ok(lock)
}
