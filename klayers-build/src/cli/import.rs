//! The command `import`: imports a layer that was made by hand.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use klayers_build::Error;
use klayers_build::pipeline::{Importer, LayerImport, RunLock};
use klayers_build::plan::{PlanError, Selection, regions, wanted};
use klayers_catalog::artifacts::FolderArtifacts;
use klayers_catalog::{Catalog, OwedPointer, SqliteCatalog};
use klayers_core::{LayerName, PackageName, PackageVersion, Region, Target, Timestamp};

use super::lease::HeldLease;
use super::output::Level;
use super::publisher::publisher;
use super::{ConfigArgs, DONE, FAILED, lease, output};

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The zip file, laid out like /opt: Python modules are below python/.
    #[arg(value_name = "ZIP")]
    zip: PathBuf,
    /// The name under which the layer is listed.
    #[arg(long, value_name = "N")]
    name: PackageName,
    /// The version of what the layer holds.
    #[arg(long, value_name = "V")]
    version: PackageVersion,
    /// The target that the layer was made for, such as p3.12-arm64.
    #[arg(long, value_name = "T")]
    target: Target,
    /// The licence, as an SPDX expression or as text.
    #[arg(long, value_name = "TEXT")]
    license: Option<String>,
    /// Only in this region; may be given several times.
    #[arg(long, value_name = "R")]
    region: Vec<Region>,
    /// Publish even if regions without records in the catalog already have layers of this name.
    #[arg(long)]
    new_collection: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) async fn import(args: ImportArgs, now: Timestamp, held: HeldLease) -> Result<u8, Error> {
    let config = args.config.load()?;
    let prefix = &config.publish.layer_prefix;
    let import = LayerImport {
        target: args.target,
        layer: LayerName::new(prefix, args.target, &args.name.to_string())
            .map_err(PlanError::LayerName)?,
        package: args.name,
        version: args.version,
        license: args.license,
    };
    config.build.runtimes.require(import.target)?;
    let collection = config.collection()?;
    let listed = wanted(&collection, &Selection::default(), prefix)?;
    import.refuse_listed(&listed)?;
    let selection = Selection { regions: args.region, ..Selection::default() };
    let regions = regions(&collection, &selection)?;

    let lock = RunLock::take(&config.catalog)?;
    let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::open(&config.catalog)?);
    let lease = lease::take(Some(lock), &catalog, &held).await?;
    let importer = Importer {
        catalog,
        artifacts: Arc::new(FolderArtifacts::open(config.artifacts)?),
        publisher: publisher(&config.publish, &regions).await?,
        expiry: config.expiry,
        public: config.publish.public,
        deadline: config.publish.deadline,
        listed: listed.into_iter().map(|wanted| wanted.layer).collect(),
        new_collection: args.new_collection,
        clock: super::now,
    };
    let layer = lease.during(importer.import(&args.zip, import, &regions, now)).await?;
    let build = &layer.build;
    let title = format!("{} {}", build.target, build.package);
    let size = output::bytes(build.content().map_or(0, |content| content.size));
    let unchanged = if layer.published.is_empty() { ", unchanged" } else { "" };
    output::line(&format!("{title} {}: imported, {size}{unchanged}", build.version));
    let mut failed = 0;
    for (region, outcome) in &layer.published {
        match outcome {
            Ok(arn) => output::line(&format!("  {arn}")),
            Err(error) => {
                failed += 1;
                output::failed_part(&format!("{title}: {region}"), error);
            }
        }
    }
    for (pointer, error) in &layer.unmoved {
        failed += 1;
        let OwedPointer { region, target, package } = pointer;
        let error = output::chain(error);
        output::message(Level::Error, &format!("{target} {package}: {region}: {error}"));
    }
    Ok(if failed == 0 { DONE } else { FAILED })
}
