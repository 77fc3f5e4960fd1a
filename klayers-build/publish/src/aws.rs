//! Publishes to AWS Lambda.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::operation::list_layer_versions::ListLayerVersionsOutput;
use aws_sdk_lambda::operation::list_layers::ListLayersOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{LayerVersionContentInput, Runtime};
use jiff::Timestamp;
use klayers_core::{
    AccountId, Digest, LayerName, LayerVersionArn, PackageName, Partition, Region, Target,
};

use self::accounts::Accounts;
use self::bodies::Bodies;
use self::call::AwsResult;
use self::timeouts::Timeouts;
use self::transfer::Transfer;
use super::{
    AwsOptions, InspectedVersion, LayerUpload, ListedVersion, Pointer, PublishError,
    PublishedVersion, Publisher, Trouble,
};

mod accounts;
mod bodies;
mod call;
mod error;
mod identity;
#[cfg_attr(not(feature = "pointers"), path = "aws/without_pointers.rs")]
mod pointers;
mod policy;
mod timeouts;
mod transfer;
mod watch;

pub use accounts::{Access, settings};
pub use call::Call;

/// The largest zip that Lambda accepts in a request, in bytes.
const LARGEST_IN_REQUEST: u64 = 50 << 20;
/// Longest licence that Lambda accepts, in characters.
const LONGEST_LICENSE: usize = 512;

/// Publishes to AWS Lambda.
///
/// Finds credentials and endpoints as all AWS tools do: in the environment, the configuration
/// files, and the role of the machine or container; `AWS_ENDPOINT_URL` works. Retries of the SDK
/// are disabled, because publishing twice would create two versions. Throttled calls are retried,
/// and so are calls that are idempotent.
#[derive(Debug)]
pub struct LambdaPublisher {
    accounts: Accounts,
    bodies: Bodies,
    transfer: Option<Transfer>,
    options: AwsOptions,
}

impl LambdaPublisher {
    /// Finds credentials for each partition that has one of the regions, and asks AWS for their
    /// accounts.
    ///
    /// # Errors
    ///
    /// [`PublishError::Credentials`] if there are none or AWS rejects them;
    /// [`PublishError::Unidentified`] if AWS does not answer; [`PublishError::BucketName`] if
    /// `bucket` does not contain `{region}`.
    pub async fn connect(options: AwsOptions, regions: &[Region]) -> Result<Self, PublishError> {
        let accounts = Accounts::connect(&options.profiles, regions, options.deadline).await?;
        Self::new(accounts, options)
    }

    /// Like [`connect`](Self::connect), with a given configuration of credentials and endpoint.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub async fn with_config(
        config: &aws_config::SdkConfig,
        options: AwsOptions,
        regions: &[Region],
    ) -> Result<Self, PublishError> {
        let accounts = Accounts::with_config(config, regions, options.deadline).await?;
        Self::new(accounts, options)
    }

    fn new(accounts: Accounts, options: AwsOptions) -> Result<Self, PublishError> {
        if options.pointers && cfg!(not(feature = "pointers")) {
            return Err(PublishError::WithoutPointers);
        }
        let transfer = options.bucket.as_deref().map(Transfer::new).transpose()?;
        Ok(Self { accounts, bodies: Bodies::default(), transfer, options })
    }

    /// Returns the account used in a partition.
    pub fn account(&self, partition: &Partition) -> Option<&AccountId> {
        self.accounts.account(partition)
    }

    /// The content to publish: the zip itself, or its location in S3.
    async fn content(&self, region: &Region, layer: &LayerUpload) -> Result<Content, PublishError> {
        match &self.transfer {
            Some(transfer) if layer.size > self.options.in_request => {
                let content = transfer.bring(&self.accounts, region, layer).await?;
                Ok(Content::Stored(content))
            }
            _ if layer.size > LARGEST_IN_REQUEST => Err(PublishError::TooLarge {
                layer: layer.name.clone(),
                size: layer.size,
                limit: LARGEST_IN_REQUEST,
            }),
            _ => Ok(Content::Sent(self.bodies.of(layer).await?)),
        }
    }

    fn call<'a>(
        &self,
        region: &'a Region,
        operation: &'static str,
    ) -> Result<Call<'a>, PublishError> {
        Ok(Call::new(operation, region, self.accounts.access(region)?))
    }

    fn check_account(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        let layer = arn.layer();
        match self.accounts.account(layer.partition()) {
            Some(account) if account == layer.account() => Ok(()),
            Some(_) => Err(PublishError::NotOurs(arn.clone())),
            // The account of a partition that did not answer is unknown.
            None => Err(self.accounts.missing_client(arn.region())),
        }
    }
}

enum Content {
    Sent(bodies::Body),
    Stored(LayerVersionContentInput),
}

#[async_trait]
impl Publisher for LambdaPublisher {
    async fn publish(
        &self,
        region: &Region,
        layer: &LayerUpload,
        _: Timestamp,
    ) -> Result<PublishedVersion, PublishError> {
        let content = self.content(region, layer).await?;
        let bytes = match &content {
            Content::Sent(body) => body.size(),
            Content::Stored(_) => 0,
        };
        let timeouts = Timeouts::publication(bytes);
        let call = self.call(region, "PublishLayerVersion")?.within(timeouts);
        let lambda = self.accounts.lambda(region)?;
        let answer = call
            .once(|| {
                let request = lambda
                    .publish_layer_version()
                    .layer_name(layer.name.as_str())
                    .description(&layer.description)
                    .set_license_info(license(layer))
                    .compatible_runtimes(Runtime::from(layer.target.python.runtime().as_str()))
                    .compatible_architectures(architecture(layer.target));
                let (content, body) = match &content {
                    Content::Sent(body) => (placeholder(), Some(body.clone())),
                    Content::Stored(content) => (content.clone(), None),
                };
                async move {
                    let mut request = request.content(content).customize();
                    if let Some(body) = body {
                        request = request.interceptor(body);
                    }
                    request.send().await
                }
            })
            .await?;
        let arn = call.required("LayerVersionArn", answer.layer_version_arn())?;
        let content = answer.content();
        Ok(PublishedVersion {
            arn,
            digest: call.digest(content.and_then(|content| content.code_sha256()))?,
            created_at: call.time(answer.created_date())?,
        })
    }

    fn longest_publication(&self) -> Duration {
        Duration::from_secs(self.options.longest_publication)
    }

    fn trouble(&self, region: &Region) -> Option<Trouble> {
        self.accounts.trouble(region)
    }

    async fn make_public(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        self.check_account(arn)?;
        let region = arn.region();
        let lambda = self.accounts.lambda(region)?;
        let (layer, number) = name_and_number(arn)?;
        let added = self
            .call(region, "AddLayerVersionPermission")?
            .repeated(|| {
                lambda
                    .add_layer_version_permission()
                    .layer_name(layer)
                    .version_number(number)
                    .statement_id(policy::STATEMENT)
                    .action(policy::ACTION)
                    .principal("*")
                    .send()
            })
            .await;
        match added {
            // The statement already exists. Its content is checked below.
            Err(error) if error.code() == Some("ResourceConflictException") => {}
            outcome => drop(outcome?),
        }
        let checked = match self.policy(arn).await? {
            Some(policy) => policy::check(&policy, arn),
            None => Err("does not exist, although it was just added".to_owned()),
        };
        checked.map_err(|reason| PublishError::Policy { arn: Box::new(arn.clone()), reason })
    }

    async fn list(
        &self,
        region: &Region,
        layer: &LayerName,
    ) -> Result<Vec<ListedVersion>, PublishError> {
        let call = self.call(region, "ListLayerVersions")?;
        let lambda = self.accounts.lambda(region)?;
        let request = || lambda.list_layer_versions().layer_name(layer.as_str());
        let pages = call.pages(
            |marker| request().set_marker(marker).send(),
            ListLayerVersionsOutput::next_marker,
        );
        let pages = match pages.await {
            // The layer never had a version.
            Err(error) if error.is_not_found() => Vec::new(),
            pages => pages?,
        };
        let mut versions = Vec::new();
        for item in pages.iter().flat_map(ListLayerVersionsOutput::layer_versions) {
            versions.push(ListedVersion {
                arn: call.required("LayerVersionArn", item.layer_version_arn())?,
                description: item.description().unwrap_or_default().to_owned(),
                created_at: call.time(item.created_date())?,
            });
        }
        versions.sort_by_key(|version| std::cmp::Reverse(version.arn.version()));
        Ok(versions)
    }

    async fn inspect(
        &self,
        arn: &LayerVersionArn,
    ) -> Result<Option<InspectedVersion>, PublishError> {
        self.check_account(arn)?;
        let region = arn.region();
        let call = self.call(region, "GetLayerVersion")?;
        let lambda = self.accounts.lambda(region)?;
        let (layer, number) = name_and_number(arn)?;
        let answer = call
            .repeated(|| lambda.get_layer_version().layer_name(layer).version_number(number).send())
            .await;
        let answer = match answer {
            Err(error) if error.is_not_found() => return Ok(None),
            answer => answer?,
        };
        let content = answer.content();
        let policy = self.policy(arn).await?;
        Ok(Some(InspectedVersion {
            digest: call.digest(content.and_then(|content| content.code_sha256()))?,
            size: content
                .and_then(|content| u64::try_from(content.code_size()).ok())
                .unwrap_or_default(),
            is_public: policy.is_some_and(|policy| policy::check(&policy, arn).is_ok()),
        }))
    }

    async fn layers(&self, region: &Region) -> Result<Vec<LayerName>, PublishError> {
        let call = self.call(region, "ListLayers")?;
        let lambda = self.accounts.lambda(region)?;
        let pages = call
            .pages(
                |marker| lambda.list_layers().set_marker(marker).send(),
                ListLayersOutput::next_marker,
            )
            .await?;
        let items = pages.iter().flat_map(ListLayersOutput::layers);
        let mut layers: Vec<LayerName> = items
            .map(|item| call.required("LayerName", item.layer_name()))
            .collect::<Result<_, _>>()?;
        layers.sort();
        Ok(layers)
    }

    async fn delete(&self, arn: &LayerVersionArn) -> Result<(), PublishError> {
        self.check_account(arn)?;
        let lambda = self.accounts.lambda(arn.region())?;
        let (layer, number) = name_and_number(arn)?;
        let deleted = self
            .call(arn.region(), "DeleteLayerVersion")?
            .repeated(|| {
                lambda.delete_layer_version().layer_name(layer).version_number(number).send()
            })
            .await;
        ignore_not_found(deleted.map(drop))
    }

    fn keeps_pointers(&self) -> bool {
        self.options.pointers
    }

    async fn point(&self, pointer: &Pointer) -> Result<(), PublishError> {
        if self.keeps_pointers() { self.write_pointer(pointer).await } else { Ok(()) }
    }

    async fn pointed(
        &self,
        region: &Region,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<String>, PublishError> {
        if self.keeps_pointers() {
            self.read_pointer(region, target, package).await
        } else {
            Ok(None)
        }
    }
}

impl LambdaPublisher {
    /// Returns the policy of a layer version as JSON; `None` if it has none.
    async fn policy(&self, arn: &LayerVersionArn) -> Result<Option<String>, PublishError> {
        let lambda = self.accounts.lambda(arn.region())?;
        let (layer, number) = name_and_number(arn)?;
        let answer = self
            .call(arn.region(), "GetLayerVersionPolicy")?
            .repeated(|| {
                lambda.get_layer_version_policy().layer_name(layer).version_number(number).send()
            })
            .await;
        match answer {
            Err(error) if error.is_not_found() => Ok(None),
            answer => Ok(answer?.policy().map(str::to_owned)),
        }
    }
}

/// Treats something that does not exist as deleted.
fn ignore_not_found(deleted: AwsResult<()>) -> Result<(), PublishError> {
    match deleted {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Name and number of a layer version, as Lambda's API takes them.
fn name_and_number(arn: &LayerVersionArn) -> Result<(&str, i64), PublishError> {
    let number = i64::try_from(arn.version()).map_err(|_| PublishError::NotOurs(arn.clone()))?;
    Ok((arn.name().as_str(), number))
}

/// Placeholder for a zip that is sent separately.
fn placeholder() -> LayerVersionContentInput {
    LayerVersionContentInput::builder().zip_file(Blob::default()).build()
}

fn architecture(target: Target) -> aws_sdk_lambda::types::Architecture {
    aws_sdk_lambda::types::Architecture::from(target.architecture.as_str())
}

fn license(layer: &LayerUpload) -> Option<String> {
    let license = layer.license.as_deref()?.trim();
    (!license.is_empty()).then(|| license.chars().take(LONGEST_LICENSE).collect())
}

impl Call<'_> {
    fn digest(&self, code_sha256: Option<&str>) -> AwsResult<Digest> {
        let digest = code_sha256.and_then(|text| Digest::from_base64(text).ok());
        digest.ok_or_else(|| self.incomplete("CodeSha256"))
    }

    fn time(&self, created: Option<&str>) -> AwsResult<Timestamp> {
        // The offset has no colon: 2026-11-01T02:20:00.123+0000.
        let time =
            created.and_then(|created| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", created).ok());
        time.ok_or_else(|| self.incomplete("CreatedDate"))
    }

    fn required<T: std::str::FromStr>(
        &self,
        field: &'static str,
        value: Option<&str>,
    ) -> AwsResult<T> {
        value.and_then(|value| value.parse().ok()).ok_or_else(|| self.incomplete(field))
    }
}
