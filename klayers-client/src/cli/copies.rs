//! Layers themselves, with the credentials that AWS's tools would find.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::print::{self, Form};
use crate::aws::{AwsError, Downloaded, Layers};
use crate::{LayerVersionArn, Region};

pub(super) async fn download(
    arn: &LayerVersionArn,
    file: Option<PathBuf>,
    unpack: Option<&Path>,
) -> Result<Downloaded, AwsError> {
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

/// What `mirror --json` prints.
#[derive(Serialize)]
struct Copy<'a> {
    arn: &'a LayerVersionArn,
    copy_of: &'a LayerVersionArn,
}

pub(super) fn print_copy(
    out: &mut impl Write,
    form: Form,
    arn: &LayerVersionArn,
    copy_of: &LayerVersionArn,
) -> io::Result<()> {
    match form {
        Form::Json => print::json(out, &Copy { arn, copy_of }),
        Form::Table | Form::Plain => writeln!(out, "{arn}"),
    }
}

/// What `download --json` prints.
#[derive(Serialize)]
struct File<'a> {
    arn: &'a LayerVersionArn,
    path: &'a Path,
    code_sha256: &'a str,
    code_size: u64,
}

pub(super) fn print(out: &mut impl Write, form: Form, layer: &Downloaded) -> io::Result<()> {
    let Downloaded { arn, path, code_sha256, code_size } = layer;
    if form == Form::Json {
        return print::json(out, &File { arn, path, code_sha256, code_size: *code_size });
    }
    writeln!(out, "{}", path.display())?;
    writeln!(out, "sha256  {code_sha256}")?;
    writeln!(out, "zipped  {code_size} bytes")
}
