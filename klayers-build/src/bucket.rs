//! A static copy of a site in an S3 bucket.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use klayers_core::Digest;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use klayers_site::Document;
use klayers_site::export::{Destination, ExportError, Manifest};

/// The number of concurrent uploads.
const PARALLEL: usize = 32;

/// A copy in an S3 bucket.
///
/// S3 replaces each object atomically, but cannot switch many at once. So the manifest is written
/// after all other objects, and objects that it no longer lists are deleted after that. A reader of
/// several objects may see some that are newer than the manifest.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
    free: Arc<Semaphore>,
    sending: JoinSet<Result<(), ExportError>>,
}

impl Bucket {
    /// A bucket, with the credentials, region and endpoint that the AWS CLI would use.
    pub async fn connect(name: impl Into<String>) -> Self {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::v2026_01_12()).await;
        let mut settings = aws_sdk_s3::config::Builder::from(&config);
        // A custom endpoint has no host name for each bucket.
        settings.set_force_path_style(Some(config.endpoint_url().is_some()));
        Self {
            client: Client::from_conf(settings.build()),
            name: name.into(),
            free: Arc::new(Semaphore::new(PARALLEL)),
            sending: JoinSet::new(),
        }
    }

    /// Waits for all uploads in progress.
    async fn all_sent(&mut self) -> Result<(), ExportError> {
        while let Some(outcome) = self.sending.join_next().await {
            outcome.map_err(|error| failed("write", &self.name, "", error))??;
        }
        Ok(())
    }
}

#[async_trait]
impl Destination for Bucket {
    async fn current(&self) -> Result<Option<Manifest>, ExportError> {
        let key = Manifest::NAME;
        let asked = self.client.get_object().bucket(&self.name).key(key).send().await;
        let answer = match asked {
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => return Ok(None),
            answer => answer.map_err(|error| failed("read", &self.name, key, error))?,
        };
        let body = answer.body.collect().await;
        let body = body.map_err(|error| failed("read", &self.name, key, error))?;
        Manifest::parse(&body.into_bytes(), format!("s3://{}/{key}", self.name)).map(Some)
    }

    async fn write(&mut self, name: &str, document: &Document) -> Result<(), ExportError> {
        let mut request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(name)
            .content_type(document.content_type)
            .cache_control(Document::CACHE_CONTROL)
            .checksum_sha256(Digest::of(&document.body).to_base64())
            .body(ByteStream::from(document.body.clone()));
        if let Some(file_name) = &document.file_name {
            request = request.content_disposition(format!("attachment; filename=\"{file_name}\""));
        }
        // The semaphore is never closed.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        let (bucket, key) = (self.name.clone(), name.to_owned());
        self.sending.spawn(async move {
            let _permit = permit;
            let sent = request.send().await;
            sent.map(drop).map_err(|error| failed("write", &bucket, &key, error))
        });
        // A failed upload ends the export early.
        while let Some(outcome) = self.sending.try_join_next() {
            outcome.map_err(|error| failed("write", &self.name, name, error))??;
        }
        Ok(())
    }

    async fn switch(
        &mut self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), ExportError> {
        self.all_sent().await?;
        let document = Document::new("application/json", manifest.to_json());
        self.write(Manifest::NAME, &document).await?;
        self.all_sent().await?;
        let gone = before.into_iter().flat_map(|before| before.objects.keys());
        for key in gone.filter(|key| !manifest.objects.contains_key(*key)) {
            let deleted = self.client.delete_object().bucket(&self.name).key(key).send().await;
            deleted.map_err(|error| failed("delete", &self.name, key, error))?;
        }
        Ok(())
    }
}

fn failed(
    action: &'static str,
    bucket: &str,
    key: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> ExportError {
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    ExportError::Bucket { action, bucket, key, source: Box::new(source) }
}
