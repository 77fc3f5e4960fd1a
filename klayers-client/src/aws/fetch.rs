//! Downloads a file from an address that AWS signed: streams, resumes and verifies it.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use reqwest::StatusCode;
use reqwest::header::RANGE;
use sha2::{Digest, Sha256};

use super::{AwsError, io_error};
use crate::LayerVersionArn;
use crate::network::Network;

/// How often a download is tried. Each attempt resumes the one before.
const ATTEMPTS: u32 = 5;

const PAUSE: Duration = Duration::from_millis(300);

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
    for attempt in 1.. {
        match resume(http, download, &partial).await {
            Ok(()) => break,
            Err(AttemptError::File(error)) => return Err(AwsError::file(&partial, error)),
            Err(AttemptError::Transfer(source)) if attempt == ATTEMPTS => {
                return Err(AwsError::Interrupted { arn: Box::new(arn.clone()), source });
            }
            Err(AttemptError::Transfer(_)) => tokio::time::sleep(PAUSE * attempt).await,
        }
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
    Transfer(Cause),
}

impl From<std::io::Error> for AttemptError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<reqwest::Error> for AttemptError {
    // The signed address works like a password for some time, so it is not shown.
    fn from(error: reqwest::Error) -> Self {
        Self::Transfer(Box::new(error.without_url()))
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
    let mut response = request.send().await?.error_for_status()?;
    if response.status() != StatusCode::PARTIAL_CONTENT {
        written = 0;
    }
    file.set_len(written)?;
    file.seek(SeekFrom::Start(written))?;
    while let Some(chunk) = response.chunk().await? {
        written += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if written > download.size {
            file.set_len(0)?;
            return Err(AttemptError::Transfer("the file is longer than AWS says".into()));
        }
        file.write_all(&chunk)?;
    }
    if written < download.size {
        return Err(AttemptError::Transfer("the connection broke off".into()));
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
