//! Decompresses bodies.

use std::error::Error as StdError;
use std::io::{self, Read};

use reqwest::header::{self, HeaderMap};
use url::Url;

use crate::Error;
use crate::display::{server_text, without_login};

/// The accepted encodings, the preferred one first.
pub(crate) const ACCEPTED: &str = "br, gzip";

/// Why a body could not be decompressed.
#[derive(Debug)]
pub(crate) enum EncodingError {
    /// The encoding was not in `Accept-Encoding`.
    Unknown(String),
    /// The body does not have the encoding that the header names.
    Damaged(String, io::Error),
    /// The decompressed body is longer than this limit, in bytes.
    TooLarge(usize),
}

impl EncodingError {
    /// The error for the answer of `url`.
    pub(crate) fn into_error(self, url: &Url) -> Error {
        let (reason, source): (_, Cause) = match self {
            Self::Unknown(name) => (
                format!("it is compressed as {}, which was not requested", server_text(&name)),
                format!("the request accepts {ACCEPTED}").into(),
            ),
            Self::Damaged(name, error) => (
                format!("its header says {name}, but the body is damaged or not {name}"),
                Box::new(error),
            ),
            Self::TooLarge(limit) => return Error::TooLarge { url: without_login(url), limit },
        };
        Error::Body { url: without_login(url), reason, source: Some(source.into()) }
    }
}

type Cause = Box<dyn StdError + Send + Sync>;

/// Decompresses a body to at most `limit` bytes. Several encodings are undone in reverse order, as
/// [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-8.4) requires.
pub(crate) fn decode(
    headers: &HeaderMap,
    mut body: Vec<u8>,
    limit: usize,
) -> Result<Vec<u8>, EncodingError> {
    // An empty body needs no decompression, whatever the header says.
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
    let longest = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .take(longest)
        .read_to_end(&mut whole)
        .map_err(|error| EncodingError::Damaged(name.to_owned(), error))?;
    if whole.len() > limit {
        return Err(EncodingError::TooLarge(limit));
    }
    Ok(whole)
}
