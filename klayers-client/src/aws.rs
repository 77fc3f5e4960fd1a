//! Downloads layers from AWS Lambda, and copies them to another account or region.
//!
//! The API of a collection names a layer; AWS Lambda stores it. Every download is verified against
//! the SHA-256 that Lambda states before it is used.
//!
//! ```
//! use klayers_client::LayerVersionArn;
//! use klayers_client::aws::{AwsError, Layers};
//!
//! async fn download(arn: &LayerVersionArn) -> Result<(), AwsError> {
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

use self::fetch::Download;
use crate::network::Network;
use crate::{LayerVersionArn, Region};

pub use self::connector::http_client;
pub use self::error::AwsError;

mod connector;
mod error;
mod fetch;
mod unpack;

/// The largest zip that Lambda accepts in a request, in bytes.
const MAX_ZIP_SIZE: u64 = 50 * 1024 * 1024;

/// Access to the layers of all regions, with the credentials of one configuration.
#[derive(Clone, Debug)]
pub struct Layers {
    config: SdkConfig,
    /// Sends the calls of AWS's SDK.
    sdk_client: SharedHttpClient,
    /// Downloads the zips.
    downloads: reqwest::Client,
}

/// A layer version that was downloaded to this machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DownloadedLayer {
    /// The ARN that was downloaded.
    pub arn: LayerVersionArn,
    /// The zip file.
    pub path: PathBuf,
    /// The SHA-256 of the file, in Base64 as in Lambda's `CodeSha256`.
    pub code_sha256: String,
    /// The size of the file, in bytes.
    pub code_size: u64,
}

impl DownloadedLayer {
    /// Unpacks the layer into a folder. The folder then has the content that `/opt` has in a function.
    ///
    /// # Errors
    ///
    /// [`AwsError::UnpackedTooLarge`] if the content is larger than Lambda allows; others if the file
    /// is not a zip, or if the folder cannot be written. Nothing is written outside of the folder,
    /// and a failure leaves no files behind.
    pub fn unpack(&self, folder: impl AsRef<Path>) -> Result<(), AwsError> {
        unpack::unpack(&self.path, folder.as_ref())
    }
}

impl Layers {
    /// Finds credentials and settings where AWS's tools find them: in environment variables, in the
    /// files of `~/.aws`, or in the metadata service of the machine. Proxies and certificates are the
    /// same as for [`Client`](crate::Client).
    ///
    /// # Errors
    ///
    /// [`AwsError::Setup`] if the certificates to trust cannot be read.
    pub async fn from_env() -> Result<Self, AwsError> {
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
        Self::new(&loader.http_client(http_client()?).load().await)
    }

    /// Uses the credentials, the endpoint and the HTTP client of a configuration; if the
    /// configuration has no HTTP client, [`http_client`]. The region of the configuration is not
    /// used: each layer is requested from the region in its ARN.
    ///
    /// # Errors
    ///
    /// [`AwsError::Setup`] if the certificates to trust cannot be read.
    pub fn new(config: &SdkConfig) -> Result<Self, AwsError> {
        let network = Network::from_env().map_err(AwsError::setup)?;
        let downloads = fetch::http_client(&network)?;
        let sdk_client = config.http_client().map_or_else(|| connector::sdk_client(network), Ok)?;
        Ok(Self { config: config.clone(), sdk_client, downloads })
    }

    /// Downloads a layer version into a file. An interrupted download is resumed, in this call and in
    /// later ones. A file that already holds the layer is not downloaded again.
    ///
    /// # Errors
    ///
    /// [`AwsError::Denied`] if the credentials may not read the layer, [`AwsError::NotFound`] if the
    /// layer was deleted, [`AwsError::DigestMismatch`] if the downloaded file is not the layer.
    pub async fn download(
        &self,
        arn: &LayerVersionArn,
        path: impl Into<PathBuf>,
    ) -> Result<DownloadedLayer, AwsError> {
        let layer = self.describe(arn).await?;
        self.download_as(arn, &layer, path.into()).await
    }

    /// Publishes a copy of a layer version in a region, under the same name, in the account of the
    /// configuration. If the copy already exists, its ARN is returned.
    ///
    /// # Errors
    ///
    /// The errors of [`download`](Self::download); [`AwsError::TooLarge`], before the download, for a
    /// zip of more than 50 MB, which Lambda only accepts from S3; [`AwsError::Call`] if Lambda refuses
    /// the copy, or if it is unknown whether the copy was published. In that case the next call finds
    /// the copy.
    pub async fn mirror(
        &self,
        arn: &LayerVersionArn,
        region: &Region,
    ) -> Result<LayerVersionArn, AwsError> {
        let layer = self.describe(arn).await?;
        let (sha256, size) = content(arn, &layer)?;
        // A copy that is too large for a request may have been published from a bucket.
        if let Some(copy) = self.copy_of(arn, region, &sha256).await? {
            return Ok(copy);
        }
        if size > MAX_ZIP_SIZE {
            let (arn, region) = (Box::new(arn.clone()), region.clone());
            return Err(AwsError::TooLarge { arn, region, size, limit: MAX_ZIP_SIZE });
        }
        let folder = tempfile::tempdir().map_err(|error| AwsError::file(Path::new("."), error))?;
        let zip = self.download_as(arn, &layer, folder.path().join("layer.zip")).await?;
        let bytes = fs::read(&zip.path).map_err(|error| AwsError::file(&zip.path, error))?;
        // Every call that reaches Lambda makes a version, so the call is never repeated.
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
        parse_arn(published.layer_version_arn(), arn, region)
    }

    /// Finds the version of the same layer in a region that has this content.
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
            let copy = parse_arn(version.layer_version_arn(), arn, region)?;
            let description = self.describe(&copy).await?;
            if content(&copy, &description)?.0 == sha256 {
                return Ok(Some(copy));
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
    ) -> Result<DownloadedLayer, AwsError> {
        let (code_sha256, code_size) = content(arn, layer)?;
        let url = layer.content().and_then(|content| content.location());
        let url = url.ok_or_else(|| AwsError::incomplete(arn))?;
        let download = Download { url, sha256: &code_sha256, size: code_size, path: &path };
        fetch::fetch(&self.downloads, arn, &download).await?;
        Ok(DownloadedLayer { arn: arn.clone(), path, code_sha256, code_size })
    }

    fn lambda(&self, region: &Region, retries: RetryConfig) -> Client {
        let config = aws_sdk_lambda::config::Builder::from(&self.config)
            .region(AwsRegion::new(region.as_str().to_owned()))
            .http_client(self.sdk_client.clone())
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

/// Parses an ARN from Lambda, which must name a version of the same layer in the region.
fn parse_arn(
    text: Option<&str>,
    layer: &LayerVersionArn,
    region: &Region,
) -> Result<LayerVersionArn, AwsError> {
    let found: Option<LayerVersionArn> = text.and_then(|text| text.parse().ok());
    found
        .filter(|arn| arn.region() == region && arn.name() == layer.name())
        .filter(|arn| NonZeroU64::new(arn.version()).is_some())
        .ok_or_else(|| AwsError::incomplete(layer))
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> AwsError + '_ {
    move |error| AwsError::file(path, error)
}
