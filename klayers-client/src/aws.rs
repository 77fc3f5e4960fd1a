//! Layers themselves, from AWS: downloaded to this machine, or copied to another account or region.
//!
//! The API says which layer there is; AWS Lambda has it. What is fetched is held against the
//! SHA-256 that Lambda states before anything is made of it.
//!
//! ```
//! use klayers_client::LayerVersionArn;
//! use klayers_client::aws::{AwsError, Layers};
//!
//! async fn unpacked(arn: &LayerVersionArn) -> Result<(), AwsError> {
//!     let layers = Layers::from_env().await?;
//!     let layer = layers.download(arn, "layer.zip").await?;
//!     layer.unpack("layer")
//! }
//! ```

use std::fs;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use aws_config::{BehaviorVersion, Region as AwsRegion, SdkConfig};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::SharedHttpClient;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::operation::get_layer_version_by_arn::GetLayerVersionByArnOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LayerVersionContentInput;

use crate::{LayerVersionArn, Region};

pub use self::connector::http_client;
pub use self::error::AwsError;

mod connector;
mod error;
mod fetch;
mod unpack;

/// The largest zip that Lambda takes within a request, in bytes.
const LARGEST: u64 = 50 * 1024 * 1024;

/// Layers of all regions, with the credentials of one configuration.
#[derive(Clone, Debug)]
pub struct Layers {
    config: SdkConfig,
    calls: SharedHttpClient,
    files: reqwest::Client,
}

/// A layer version on this machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Downloaded {
    /// Where it was asked for.
    pub arn: LayerVersionArn,
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file, in Base64 as Lambda gives it.
    pub code_sha256: String,
    /// The size of the file, in bytes.
    pub code_size: u64,
}

impl Downloaded {
    /// Unpacks it into a folder, which becomes what `/opt` is in a function.
    ///
    /// # Errors
    ///
    /// [`AwsError::Unpacked`] if it becomes larger than Lambda takes; others if it is no zip, or the
    /// folder cannot be written to. Nothing is written outside of the folder, and what fails leaves
    /// nothing behind.
    pub fn unpack(&self, folder: impl AsRef<Path>) -> Result<(), AwsError> {
        unpack::unpack(&self.path, folder.as_ref())
    }
}

impl Layers {
    /// Finds credentials and settings where AWS's tools find them: in variables, in the files of
    /// `~/.aws`, or in the service that the machine runs in. Proxies and certificates are those that
    /// [`Client`](crate::Client) uses.
    ///
    /// # Errors
    ///
    /// [`AwsError::Setup`] if the certificates to trust cannot be read.
    pub async fn from_env() -> Result<Self, AwsError> {
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
        Self::new(&loader.http_client(http_client()?).load().await)
    }

    /// Takes credentials, endpoint and HTTP client from a configuration; without an HTTP client it
    /// uses [`http_client`]. The region does not matter: each layer is asked for where its ARN says
    /// that it is.
    ///
    /// # Errors
    ///
    /// [`AwsError::Setup`] if the certificates to trust cannot be read.
    pub fn new(config: &SdkConfig) -> Result<Self, AwsError> {
        let calls = config.http_client().map_or_else(http_client, Ok)?;
        let files = fetch::client().map_err(AwsError::setup)?;
        Ok(Self { config: config.clone(), calls, files })
    }

    /// Downloads a layer version into a file. Where it breaks off it is taken up again, now and when
    /// this is called again; a file that is there and is the layer is left as it is.
    ///
    /// # Errors
    ///
    /// [`AwsError::Denied`] if the credentials may not read it, [`AwsError::NotFound`] if it was
    /// deleted, [`AwsError::Digest`] if what came is not the layer.
    pub async fn download(
        &self,
        arn: &LayerVersionArn,
        path: impl Into<PathBuf>,
    ) -> Result<Downloaded, AwsError> {
        let layer = self.describe(arn).await?;
        self.download_as(arn, &layer, path.into()).await
    }

    /// Publishes a copy of a layer version in another region, under the same name, in the account of
    /// the configuration. A copy that is there already is not made again.
    ///
    /// # Errors
    ///
    /// Those of [`download`](Self::download); [`AwsError::TooLarge`] for a zip of more than 50 MB,
    /// which Lambda takes from S3 alone, before any of it is downloaded; [`AwsError::Call`] if
    /// Lambda refuses it, or if it is not clear whether it was published: the next call finds it.
    pub async fn mirror(
        &self,
        arn: &LayerVersionArn,
        region: &Region,
    ) -> Result<LayerVersionArn, AwsError> {
        let layer = self.describe(arn).await?;
        let (sha256, size) = content(arn, &layer)?;
        // One that is too large for what follows may have been published from a bucket.
        if let Some(copy) = self.copy_of(arn, region, &sha256).await? {
            return Ok(copy);
        }
        if size > LARGEST {
            let (arn, region) = (Box::new(arn.clone()), region.clone());
            return Err(AwsError::TooLarge { arn, region, size, limit: LARGEST });
        }
        let folder = tempfile::tempdir().map_err(|error| AwsError::file(Path::new("."), error))?;
        let zip = self.download_as(arn, &layer, folder.path().join("layer.zip")).await?;
        let bytes = fs::read(&zip.path).map_err(|error| AwsError::file(&zip.path, error))?;
        // Every call that reaches Lambda makes a version, so it is sent once.
        let published = self
            .lambda(region, RetryConfig::disabled())
            .publish_layer_version()
            .layer_name(arn.name().as_str())
            .set_description(layer.description)
            .set_license_info(layer.license_info)
            .set_compatible_runtimes(layer.compatible_runtimes)
            .set_compatible_architectures(layer.compatible_architectures)
            .content(LayerVersionContentInput::builder().zip_file(Blob::new(bytes)).build())
            .send()
            .await
            .map_err(|error| AwsError::call("PublishLayerVersion", arn, region, error))?;
        parse(published.layer_version_arn(), arn, region)
    }

    /// The version of the same layer in a region that has this content.
    async fn copy_of(
        &self,
        arn: &LayerVersionArn,
        region: &Region,
        sha256: &str,
    ) -> Result<Option<LayerVersionArn>, AwsError> {
        let lambda = self.lambda(region, RetryConfig::standard());
        let mut pages = lambda
            .list_layer_versions()
            .layer_name(arn.name().as_str())
            .into_paginator()
            .items()
            .send();
        while let Some(version) = pages.next().await {
            let version =
                version.map_err(|error| AwsError::call("ListLayerVersions", arn, region, error))?;
            let found = parse(version.layer_version_arn(), arn, region)?;
            let there = self.describe(&found).await?;
            if content(&found, &there)?.0 == sha256 {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn describe(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<GetLayerVersionByArnOutput, AwsError> {
        self.lambda(arn.region(), RetryConfig::standard())
            .get_layer_version_by_arn()
            .arn(arn.to_string())
            .send()
            .await
            .map_err(|error| AwsError::call("GetLayerVersionByArn", arn, arn.region(), error))
    }

    async fn download_as(
        &self,
        arn: &LayerVersionArn,
        layer: &GetLayerVersionByArnOutput,
        path: PathBuf,
    ) -> Result<Downloaded, AwsError> {
        let (code_sha256, code_size) = content(arn, layer)?;
        let address = layer.content().and_then(|content| content.location());
        let address = address.ok_or_else(|| AwsError::incomplete(arn))?;
        let wanted = fetch::Wanted { address, sha256: &code_sha256, size: code_size, path: &path };
        fetch::fetch(&self.files, arn, &wanted).await?;
        Ok(Downloaded { arn: arn.clone(), path, code_sha256, code_size })
    }

    fn lambda(&self, region: &Region, retries: RetryConfig) -> Client {
        let config = aws_sdk_lambda::config::Builder::from(&self.config)
            .region(AwsRegion::new(region.as_str().to_owned()))
            .http_client(self.calls.clone())
            .retry_config(retries);
        Client::from_conf(config.build())
    }
}

/// The SHA-256 and the size that Lambda states.
fn content(
    arn: &LayerVersionArn,
    layer: &GetLayerVersionByArnOutput,
) -> Result<(String, u64), AwsError> {
    let content = layer.content().ok_or_else(|| AwsError::incomplete(arn))?;
    let sha256 = content.code_sha256().ok_or_else(|| AwsError::incomplete(arn))?;
    let size = u64::try_from(content.code_size()).map_err(|_| AwsError::incomplete(arn))?;
    Ok((sha256.to_owned(), size))
}

/// An ARN that Lambda gave, which has to be one of the layer in the region.
fn parse(
    text: Option<&str>,
    of: &LayerVersionArn,
    region: &Region,
) -> Result<LayerVersionArn, AwsError> {
    let found: Option<LayerVersionArn> = text.and_then(|text| text.parse().ok());
    found
        .filter(|arn| arn.region() == region && arn.name() == of.name())
        .filter(|arn| NonZeroU64::new(arn.version()).is_some())
        .ok_or_else(|| AwsError::incomplete(of))
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> AwsError + '_ {
    move |error| AwsError::file(path, error)
}
