use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use klayers_build::Error;
use klayers_build::config::ConfigError;
use klayers_build::message::Settings;
use klayers_catalog::artifacts::{ArtifactError, Artifacts, FolderArtifacts, LocalArtifact};
use klayers_core::{Digest, PackageName, Runtimes};
use klayers_layer::fetch::Fetcher;
use klayers_layer::reproduce::{Reproducer, Reproduction};
use klayers_layer::resolve::Sources;
use klayers_wheel::cached::ReplacedFile;
use serde_json::json;
use url::Url;

use super::output::Level;
use super::unshown::Unshown;
use super::{CacheArgs, ConfigArgs, DONE, FAILED, interpreters, note_confinement, output};

/// The most differences that are listed.
const LISTED: usize = 50;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The zip file of a layer, or the SHA-256 of a zip file among the artifacts.
    #[arg(value_name = "ZIP")]
    layer: String,
    /// The folder with the wheels for which the lock has no URL.
    #[arg(long, value_name = "DIR")]
    wheels: Option<PathBuf>,
    /// The package index, if it requires a login or signs its links: the lock contains neither.
    /// Builds from source take their requirements from there, too.
    #[arg(long, value_name = "URL", value_parser = Unshown(Sources::parse_index_url))]
    index_url: Option<Url>,
    /// Rebuild the wheel of this package if it was built from a source distribution, which runs its
    /// code; may be given several times.
    #[arg(long, value_name = "NAME")]
    allow_sdist: Vec<PackageName>,
    /// The interpreter that compiles bytecode [default: python3.X, then uv's own].
    #[arg(long, value_name = "PROGRAM")]
    interpreter: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(super) async fn verify(args: VerifyArgs) -> Result<u8, Error> {
    let json = args.json;
    let done = verify_and_print(args).await;
    if json && let Err(error) = &done {
        output::line(&output::failure_json(error, Settings::Arguments).to_string());
    }
    done
}

async fn verify_and_print(args: VerifyArgs) -> Result<u8, Error> {
    let runtimes = Runtimes::default();
    let cache = args.cache.folder();
    let mut interpreters = interpreters(&runtimes);
    if let Some(program) = args.interpreter {
        interpreters.explicit =
            runtimes.iter().map(|runtime| (runtime.python, program.clone())).collect();
    }
    let mut allow_sdist: BTreeSet<PackageName> = args.allow_sdist.into_iter().collect();
    let layer = match args.layer.parse::<Digest>() {
        Ok(digest) if !Path::new(&args.layer).exists() => {
            let config = args.config.load()?;
            allow_sdist.extend(config.build.allow_sdist);
            FolderArtifacts::open(config.artifacts)?.get(digest).await?
        }
        _ => LocalArtifact::new(PathBuf::from(&args.layer)),
    };
    note_confinement(!allow_sdist.is_empty()).await;
    let links = args
        .wheels
        .iter()
        .map(|wheels| Sources::parse_find_links(Path::new(""), &wheels.display().to_string()));
    let find_links = links.collect::<Result<_, _>>();
    let sources = Sources {
        index_url: args.index_url,
        find_links: find_links
            .map_err(|source| ConfigError::Argument { argument: "--wheels", source })?,
        no_index: false,
    };
    let fetcher = Fetcher::new(&cache, None)?.with_sources(&sources);
    let cache_log = fetcher.cache_log().clone();
    let reproducer = Reproducer {
        fetcher,
        cache,
        interpreters,
        runtimes,
        wheels: args.wheels.as_deref().map(folder_url).transpose()?,
        allow_sdist,
        sources,
    };
    let scratch = tempfile::tempdir().map_err(|source| ArtifactError::Io {
        action: "make a folder in",
        path: std::env::temp_dir(),
        source,
    })?;
    let reproduction = reproducer.reproduce(layer.path(), scratch.path()).await?;
    if args.json {
        print_json(&reproduction, &cache_log.replaced());
    } else {
        print(&reproduction);
    }
    Ok(if reproduction.is_same() { DONE } else { FAILED })
}

fn folder_url(folder: &Path) -> Result<Url, Error> {
    let absolute = std::path::absolute(folder)
        .map_err(|source| ConfigError::Read { path: folder.to_owned(), source })?;
    Url::from_directory_path(absolute).map_err(|()| {
        let source = std::io::ErrorKind::NotADirectory.into();
        ConfigError::Read { path: folder.to_owned(), source }.into()
    })
}

fn print(reproduction: &Reproduction) {
    let Reproduction { layer, digest, rebuilt, differences, accepted, not_compared } = reproduction;
    for accepted in accepted {
        output::message(Level::Warning, &accepted.to_string());
    }
    if reproduction.is_same() {
        output::line(&format!("reproduced {layer}"));
        output::line(&format!("sha256     {digest}"));
        return;
    }
    let verdict = match not_compared {
        Some(_) if differences.is_empty() => "is what its lock gives, as far as it was compared",
        _ => "differs from what its lock gives",
    };
    output::line(&format!("{layer} {verdict}"));
    output::line(&format!("sha256  {digest}"));
    match not_compared {
        Some(bytecode) => output::line(&format!("not compared: {bytecode}")),
        None => output::line(&format!("made    {rebuilt}")),
    }
    for difference in differences.iter().take(LISTED) {
        output::line(&format!("  {difference}"));
    }
    match differences.len() {
        0 if not_compared.is_none() => {
            output::line("  its files are the same, the archive around them is not");
        }
        count if count > LISTED => output::line(&format!("  and {} more", count - LISTED)),
        _ => {}
    }
}

fn print_json(reproduction: &Reproduction, replaced: &[ReplacedFile]) {
    let differences: Vec<String> =
        reproduction.differences.iter().map(ToString::to_string).collect();
    let result = json!({
        "layer": reproduction.layer,
        "reproduced": reproduction.is_same(),
        "sha256": reproduction.digest,
        "made": reproduction.rebuilt,
        "differences": differences,
        "replaced": replaced,
        "accepted": reproduction.accepted,
        "notCompared": reproduction.not_compared.as_ref().map(|bytecode| json!({
            "files": bytecode.files,
            "bytecode": bytecode.release,
            "interpreter": bytecode.found,
        })),
    });
    output::line(&result.to_string());
}
