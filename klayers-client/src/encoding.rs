//! Bodies that were compressed on their way.

use std::error::Error as StdError;
use std::io::{self, Read};

use reqwest::header::{self, HeaderMap};
use url::Url;

use crate::Error;
use crate::error::{printable, shown};

/// The encodings that are asked for, the best first.
pub(crate) const ACCEPTED: &str = "br, gzip";

/// Why a body cannot be read as it was sent.
#[derive(Debug)]
pub(crate) enum EncodingError {
    /// In an encoding that was not asked for.
    Unknown(String),
    /// Not what the header says.
    Damaged(String, io::Error),
    /// Longer than this limit in bytes.
    TooLarge(usize),
}

impl EncodingError {
    /// The error that an answer is of which the body cannot be read.
    pub(crate) fn of(self, url: &Url) -> Error {
        let (reason, source): (_, Cause) = match self {
            Self::Unknown(name) => (
                format!("it is compressed as {}, which was not asked for", printable(&name)),
                format!("asked for was {ACCEPTED}").into(),
            ),
            Self::Damaged(name, error) => {
                (format!("it is not the {name} that it is said to be"), Box::new(error))
            }
            Self::TooLarge(limit) => return Error::TooLarge { url: shown(url), limit },
        };
        Error::Body { url: shown(url), reason, source: Some(source.into()) }
    }
}

type Cause = Box<dyn StdError + Send + Sync>;

/// A body as it was before it was compressed, of at most `limit` bytes. Encodings are undone in
/// reverse order, as [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-8.4) says.
pub(crate) fn decode(
    headers: &HeaderMap,
    mut body: Vec<u8>,
    limit: usize,
) -> Result<Vec<u8>, EncodingError> {
    // An answer without a body has nothing to undo, whatever its header says.
    if body.is_empty() {
        return Ok(body);
    }
    let values: Vec<String> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase())
        .collect();
    let names = values.iter().flat_map(|value| value.split(',')).map(str::trim);
    for name in names.filter(|name| !name.is_empty()).collect::<Vec<_>>().into_iter().rev() {
        body = match name {
            "identity" => body,
            "gzip" | "x-gzip" => {
                read(name, flate2::read::MultiGzDecoder::new(body.as_slice()), limit)?
            }
            "br" => {
                let reader = brotli_decompressor::Decompressor::new(body.as_slice(), 4096);
                read(name, reader, limit)?
            }
            other => return Err(EncodingError::Unknown(other.to_owned())),
        };
    }
    Ok(body)
}

fn read(name: &str, reader: impl Read, limit: usize) -> Result<Vec<u8>, EncodingError> {
    let mut whole = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .take(most)
        .read_to_end(&mut whole)
        .map_err(|error| EncodingError::Damaged(name.to_owned(), error))?;
    if whole.len() > limit {
        return Err(EncodingError::TooLarge(limit));
    }
    Ok(whole)
}
