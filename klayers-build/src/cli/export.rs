use std::path::PathBuf;

use clap::Args;
use klayers_build::Error;
#[cfg(not(feature = "aws"))]
use klayers_build::MissingFeatureError;
#[cfg(feature = "aws")]
use klayers_build::bucket::Bucket;
use klayers_catalog::SqliteCatalog;
use klayers_core::Digest;
use klayers_site::export::{Destination, ExportSummary, Folder, export};
use serde_json::json;

use super::{ConfigArgs, DONE, output};

/// One of two options names the destination of the copy.
#[derive(Debug, Args)]
#[group(id = "destination", required = true, multiple = false, args = ["out", "s3"])]
pub(super) struct ExportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The folder of the copy; a web server serves DIR/current.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The S3 bucket of the copy.
    #[arg(long, value_name = "BUCKET")]
    s3: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[cfg(feature = "aws")]
async fn connect(bucket: &str) -> Result<Box<dyn Destination>, Error> {
    Ok(Box::new(Bucket::connect(bucket).await))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn connect(_: &str) -> Result<Box<dyn Destination>, Error> {
    Err(MissingFeatureError { feature: "aws", action: "export to S3" }.into())
}

pub(super) async fn export_site(args: &ExportArgs) -> Result<u8, Error> {
    let config = args.config.load()?;
    // Opened for writing, which updates an older schema, so that the catalog lists its changes.
    drop(SqliteCatalog::open_read_only(&config.catalog)?);
    let catalog = SqliteCatalog::open(&config.catalog)?;
    // The manifest is public, so it holds a digest of the path instead of the path.
    let path = std::path::absolute(&config.catalog).unwrap_or_else(|_| config.catalog.clone());
    let origin = Digest::of(path.as_os_str().as_encoded_bytes()).to_string();
    let mut destination: Box<dyn Destination> = match (&args.out, &args.s3) {
        (Some(folder), _) => Box::new(Folder::new(folder)?),
        (None, Some(bucket)) => connect(bucket).await?,
        (None, None) => return Ok(super::UNUSABLE),
    };
    let ExportSummary { objects, written, bytes, removed } =
        export(&catalog, &origin, &mut *destination).await?;
    if args.json {
        output::line(
            &json!({ "objects": objects, "written": written, "bytes": bytes, "removed": removed })
                .to_string(),
        );
    } else {
        output::line(&format!("objects  {objects}"));
        output::line(&format!("written  {written} ({bytes} bytes)"));
        output::line(&format!("removed  {removed}"));
    }
    Ok(DONE)
}
