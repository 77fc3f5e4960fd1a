//! Downloads and copies layers, with the credentials that AWS's tools use.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::print::{self, OutputFormat};
use crate::aws::{AwsError, DownloadedLayer, Layers};
use crate::{LayerVersionArn, Region};

pub(super) async fn download(
    arn: &LayerVersionArn,
    file: Option<PathBuf>,
    unpack: Option<&Path>,
) -> Result<DownloadedLayer, AwsError> {
    let file = file.unwrap_or_else(|| format!("{}.zip", arn.name()).into());
    let layer = Layers::from_env().await?.download(arn, file).await?;
    if let Some(folder) = unpack {
        layer.unpack(folder)?;
    }
    Ok(layer)
}

pub(super) async fn mirror(
    arn: &LayerVersionArn,
    to: Option<&Region>,
) -> Result<LayerVersionArn, AwsError> {
    Layers::from_env().await?.mirror(arn, to.unwrap_or(arn.region())).await
}

/// The output of `mirror --json`.
#[derive(Serialize)]
struct MirrorOutput<'a> {
    arn: &'a LayerVersionArn,
    copy_of: &'a LayerVersionArn,
}

pub(super) fn print_mirrored(
    out: &mut impl Write,
    format: OutputFormat,
    arn: &LayerVersionArn,
    copy_of: &LayerVersionArn,
) -> io::Result<()> {
    match format {
        OutputFormat::Json => print::json(out, &MirrorOutput { arn, copy_of }),
        OutputFormat::Table | OutputFormat::Plain => writeln!(out, "{arn}"),
    }
}

/// The output of `download --json`.
#[derive(Serialize)]
struct DownloadOutput<'a> {
    arn: &'a LayerVersionArn,
    path: &'a Path,
    code_sha256: &'a str,
    code_size: u64,
}

pub(super) fn print_downloaded(
    out: &mut impl Write,
    format: OutputFormat,
    layer: &DownloadedLayer,
) -> io::Result<()> {
    let DownloadedLayer { arn, path, code_sha256, code_size } = layer;
    if format == OutputFormat::Json {
        return print::json(out, &DownloadOutput { arn, path, code_sha256, code_size: *code_size });
    }
    writeln!(out, "{}", path.display())?;
    writeln!(out, "sha256  {code_sha256}")?;
    writeln!(out, "zipped  {code_size} bytes")
}
