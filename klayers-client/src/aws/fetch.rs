//! A file from an address that AWS signed: streamed, resumed, checked.

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
use crate::proxy::Proxies;
use crate::transport::{prepared, variable};
use crate::trust::Trust;

/// How often it is gone on with before it is given up.
const ATTEMPTS: u32 = 5;

const PAUSE: Duration = Duration::from_millis(300);

type Cause = Box<dyn StdError + Send + Sync>;

pub(super) struct Wanted<'a> {
    pub(super) address: &'a str,
    /// In Base64.
    pub(super) sha256: &'a str,
    pub(super) size: u64,
    pub(super) path: &'a Path,
}

pub(super) fn client() -> Result<reqwest::Client, Cause> {
    let builder = prepared(&Proxies::new(variable), Trust::new(variable)?)
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30));
    Ok(builder.build()?)
}

/// Brings the file, whole and right, or not at all.
pub(super) async fn fetch(
    http: &reqwest::Client,
    arn: &LayerVersionArn,
    wanted: &Wanted<'_>,
) -> Result<(), AwsError> {
    if digest_of(wanted.path).is_ok_and(|found| found == wanted.sha256) {
        return Ok(());
    }
    let partial = partial(wanted.path);
    for attempt in 1.. {
        match go_on(http, wanted, &partial).await {
            Ok(()) => break,
            Err(Failed::File(error)) => return Err(AwsError::file(&partial, error)),
            Err(Failed::Sent(source)) if attempt == ATTEMPTS => {
                return Err(AwsError::Interrupted { arn: Box::new(arn.clone()), source });
            }
            Err(Failed::Sent(_)) => tokio::time::sleep(PAUSE * attempt).await,
        }
    }
    let found = digest_of(&partial).map_err(io_error(&partial))?;
    if found != wanted.sha256 {
        let _ = fs::remove_file(&partial);
        return Err(AwsError::Digest {
            arn: Box::new(arn.clone()),
            expected: wanted.sha256.to_owned(),
            found,
        });
    }
    fs::rename(&partial, wanted.path).map_err(io_error(wanted.path))
}

enum Failed {
    File(std::io::Error),
    Sent(Cause),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<reqwest::Error> for Failed {
    // The address is signed, and so as good as a password for a while.
    fn from(error: reqwest::Error) -> Self {
        Self::Sent(Box::new(error.without_url()))
    }
}

/// Asks for what is missing of the file, and writes what comes behind what is there.
async fn go_on(http: &reqwest::Client, wanted: &Wanted<'_>, partial: &Path) -> Result<(), Failed> {
    let mut file =
        File::options().create(true).append(false).truncate(false).write(true).open(partial)?;
    let mut there = file.seek(SeekFrom::End(0))?;
    if there > wanted.size {
        there = 0;
    }
    if there == wanted.size {
        return Ok(());
    }
    let mut request = http.get(wanted.address);
    if there > 0 {
        request = request.header(RANGE, format!("bytes={there}-"));
    }
    let mut response = request.send().await?.error_for_status()?;
    if response.status() != StatusCode::PARTIAL_CONTENT {
        there = 0;
    }
    file.set_len(there)?;
    file.seek(SeekFrom::Start(there))?;
    while let Some(chunk) = response.chunk().await? {
        there += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if there > wanted.size {
            file.set_len(0)?;
            return Err(Failed::Sent("it is longer than AWS says".into()));
        }
        file.write_all(&chunk)?;
    }
    if there < wanted.size {
        return Err(Failed::Sent("it broke off".into()));
    }
    Ok(file.sync_all()?)
}

/// Beside the file that it becomes.
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
