//! Downloads a file from an address that AWS signed: streams, resumes and verifies it.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use klayers_core::retry::{Attempt, Outcome, parse_retry_after};
use reqwest::header::{DATE, HeaderName, RANGE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::{AwsError, io_error};
use crate::clock::now;
use crate::failure::transport_failure;
use crate::network::Network;
use crate::{LayerVersionArn, RetryPolicy, TransportFailure};

/// How often a download is tried. Each attempt resumes the one before.
const ATTEMPTS: u32 = 5;
/// The longest pause between two attempts. If AWS asks for a longer one, the download fails.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

type Cause = Box<dyn StdError + Send + Sync>;

/// A file to download.
pub(super) struct Download<'a> {
    pub(super) url: &'a str,
    /// The expected SHA-256, in Base64.
    pub(super) sha256: &'a str,
    /// The expected size, in bytes.
    pub(super) size: u64,
    /// Where the complete file is put.
    pub(super) path: &'a Path,
}

/// The HTTP client for downloads.
pub(super) fn http_client(network: &Network) -> Result<reqwest::Client, AwsError> {
    network
        .http_client()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .build()
        .map_err(AwsError::setup)
}

/// Downloads the file. Afterwards `path` holds the complete, verified file, or is unchanged.
pub(super) async fn fetch(
    http: &reqwest::Client,
    arn: &LayerVersionArn,
    download: &Download<'_>,
) -> Result<(), AwsError> {
    if digest_of(download.path).is_ok_and(|found| found == download.sha256) {
        return Ok(());
    }
    let partial = partial(download.path);
    let policy = RetryPolicy::default().attempts(ATTEMPTS);
    for number in 1.. {
        let (source, outcome) = match resume(http, download, &partial).await {
            Ok(()) => break,
            Err(AttemptError::File(error)) => return Err(AwsError::file(&partial, error)),
            Err(AttemptError::Transfer { source, outcome }) => (source, outcome),
        };
        let random = fastrand::f64();
        let attempt = Attempt { number, outcome, time_left: LONGEST_PAUSE, random };
        let Some(pause) = policy.next_delay(&attempt) else {
            return Err(AwsError::Interrupted { arn: Box::new(arn.clone()), source });
        };
        tokio::time::sleep(pause).await;
    }
    let found = digest_of(&partial).map_err(io_error(&partial))?;
    if found != download.sha256 {
        let _ = fs::remove_file(&partial);
        return Err(AwsError::DigestMismatch {
            arn: Box::new(arn.clone()),
            expected: download.sha256.to_owned(),
            found,
        });
    }
    fs::rename(&partial, download.path).map_err(io_error(download.path))
}

enum AttemptError {
    File(std::io::Error),
    Transfer { source: Cause, outcome: Outcome },
}

impl AttemptError {
    fn interrupted(reason: &str) -> Self {
        let outcome = Outcome::Failure(TransportFailure::Interrupted);
        Self::Transfer { source: reason.into(), outcome }
    }

    /// The error of an answer with an error status.
    fn status(response: &Response, source: reqwest::Error) -> Self {
        let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
        let retry_after =
            header(RETRY_AFTER).and_then(|value| parse_retry_after(value, header(DATE), now()));
        let outcome = Outcome::Status { status: response.status().as_u16(), retry_after };
        Self::Transfer { source: Box::new(source.without_url()), outcome }
    }
}

impl From<std::io::Error> for AttemptError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<reqwest::Error> for AttemptError {
    // The signed address works like a password for some time, so it is not shown.
    fn from(error: reqwest::Error) -> Self {
        let outcome = Outcome::Failure(transport_failure(&error));
        Self::Transfer { source: Box::new(error.without_url()), outcome }
    }
}

/// Requests the missing part of the file and appends it to the partial file.
async fn resume(
    http: &reqwest::Client,
    download: &Download<'_>,
    partial: &Path,
) -> Result<(), AttemptError> {
    let mut file =
        File::options().create(true).append(false).truncate(false).write(true).open(partial)?;
    let mut written = file.seek(SeekFrom::End(0))?;
    if written > download.size {
        written = 0;
    }
    if written == download.size {
        return Ok(());
    }
    let mut request = http.get(download.url);
    if written > 0 {
        request = request.header(RANGE, format!("bytes={written}-"));
    }
    let mut response = request.send().await?;
    if let Err(error) = response.error_for_status_ref() {
        return Err(AttemptError::status(&response, error));
    }
    if response.status() != StatusCode::PARTIAL_CONTENT {
        written = 0;
    }
    file.set_len(written)?;
    file.seek(SeekFrom::Start(written))?;
    while let Some(chunk) = response.chunk().await? {
        written += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if written > download.size {
            file.set_len(0)?;
            return Err(AttemptError::interrupted("the file is longer than AWS says"));
        }
        file.write_all(&chunk)?;
    }
    if written < download.size {
        return Err(AttemptError::interrupted("the connection broke off"));
    }
    Ok(file.sync_all()?)
}

/// The path of the partial file, in the same folder as the complete file.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

fn digest_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(BASE64.encode(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}
