use std::io::{self, Write as _};

use axum::http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, VARY,
};
use bytes::Bytes;
use klayers_core::Digest;

use super::encoding::{Accepted, Encoding};
use crate::Document;
use crate::gzip::Gzip;

/// A document in all available encodings, each with its header fields.
#[derive(Debug)]
pub(super) struct EncodedDocument {
    brotli: Option<Variant>,
    gzip: Option<Variant>,
    identity: Variant,
}

/// A body in one encoding.
#[derive(Debug)]
pub(super) struct Variant {
    /// The header fields of a response with the whole body.
    pub(super) headers: HeaderMap,
    pub(super) etag: HeaderValue,
    pub(super) body: Bytes,
}

/// Bodies below this size, in bytes, fit into one packet and are not encoded.
const WORTH_ENCODING: usize = 1024;
/// The number of hexadecimal digits of the digest in an entity tag: 128 bits, enough to tell any two
/// documents apart.
const HALF: usize = 32;
/// The size, in bytes, above which a higher quality takes longer than it saves the client.
const LARGE: usize = 1 << 20;

impl EncodedDocument {
    /// Encodes a document. This takes milliseconds for a long list.
    pub(super) fn new(document: &Document, compressor: &mut Gzip) -> Self {
        let digest = Digest::of(&document.body).to_string();
        let digest = &digest[..HALF];
        let plain = &document.body;
        let worth = plain.len() >= WORTH_ENCODING;
        let smaller = |encoded: io::Result<Vec<u8>>| {
            encoded.ok().filter(|encoded| encoded.len() < plain.len()).map(Bytes::from)
        };
        let brotli = worth.then(|| brotli(plain)).and_then(smaller);
        let gzip = worth.then(|| compressor.compress(plain)).and_then(smaller);
        let variant = |encoding, body| Variant::new(document, digest, encoding, body);
        Self {
            brotli: brotli.map(|body| variant(Encoding::Brotli, body)),
            gzip: gzip.map(|body| variant(Encoding::Gzip, body)),
            identity: variant(Encoding::Identity, document.body.clone()),
        }
    }

    /// Prepares a small document without encoding it.
    pub(super) fn plain(document: &Document) -> Self {
        let digest = Digest::of(&document.body).to_string();
        let body = document.body.clone();
        let identity = Variant::new(document, &digest[..HALF], Encoding::Identity, body);
        Self { brotli: None, gzip: None, identity }
    }

    /// The variant for a client; `None` if it accepts no available encoding.
    pub(super) fn choose(&self, accepted: Accepted) -> Option<&Variant> {
        self.variant(accepted.choose(|encoding| self.variant(encoding).is_some())?)
    }

    fn variant(&self, encoding: Encoding) -> Option<&Variant> {
        match encoding {
            Encoding::Brotli => self.brotli.as_ref(),
            Encoding::Gzip => self.gzip.as_ref(),
            Encoding::Identity => Some(&self.identity),
        }
    }

    /// The total size of the bodies, in bytes.
    pub(super) fn size(&self) -> usize {
        Encoding::ALL.iter().filter_map(|e| self.variant(*e)).map(|v| v.body.len()).sum()
    }
}

impl Variant {
    fn new(document: &Document, digest: &str, encoding: Encoding, body: Bytes) -> Self {
        let etag = match encoding {
            Encoding::Identity => format!("\"{digest}\""),
            _ => format!("\"{digest}-{}\"", encoding.token()),
        };
        let mut headers = HeaderMap::with_capacity(12);
        let mut add = |name: HeaderName, value: &str| insert(&mut headers, name, value);
        for (name, value) in document.headers() {
            add(HeaderName::from_static(name), &value);
        }
        add(VARY, "accept-encoding");
        add(ETAG, &etag);
        add(ACCEPT_RANGES, "bytes");
        add(CONTENT_LENGTH, &body.len().to_string());
        if encoding != Encoding::Identity {
            add(CONTENT_ENCODING, encoding.token());
        }
        let etag = headers.get(ETAG).cloned().unwrap_or(HeaderValue::from_static("\"\""));
        Self { headers, etag, body }
    }
}

/// Sets a header field. Logs an error if its value is not valid in HTTP.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(error) => {
            tracing::error!(%name, %error, "a header field has a value that is not valid in HTTP");
        }
    }
}

fn brotli(body: &[u8]) -> io::Result<Vec<u8>> {
    let quality = if body.len() > LARGE { 5 } else { 9 };
    let mut encoded = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut encoded, 1 << 16, quality, 22);
    writer.write_all(body)?;
    drop(writer);
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn encoded(body: &str) -> EncodedDocument {
        EncodedDocument::new(&Document::new("application/json", body.to_owned()), &mut Gzip::new())
    }

    #[test]
    fn every_encoding_decodes_to_the_same_body() {
        let rows: Vec<String> = (0..5000).map(|number| format!("row {number}")).collect();
        for count in [100, 5000] {
            let body = rows[..count].join("\n").repeat(100);
            let encoded = encoded(&body);
            let chosen = |field| encoded.choose(Accepted::parse(field)).unwrap();
            let (brotli, gzip, plain) = (chosen("br"), chosen("gzip"), chosen(""));
            assert_eq!(plain.body, body);
            let mut decoded = String::new();
            flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut decoded).unwrap();
            assert_eq!(decoded, body);
            decoded.clear();
            brotli::Decompressor::new(&brotli.body[..], 4096).read_to_string(&mut decoded).unwrap();
            assert_eq!(decoded, body);
            let etags = [&brotli.etag, &gzip.etag, &plain.etag];
            assert!(etags[0] != etags[1] && etags[1] != etags[2] && etags[0] != etags[2]);
            assert_eq!(gzip.headers[CONTENT_ENCODING], "gzip");
            assert_eq!(gzip.headers[CONTENT_LENGTH], gzip.body.len().to_string());
            assert!(!plain.headers.contains_key(CONTENT_ENCODING));
            let all = brotli.body.len() + gzip.body.len() + plain.body.len();
            assert_eq!(encoded.size(), all);
        }
    }

    #[test]
    fn bodies_that_would_not_shrink_are_not_encoded() {
        let encoded = encoded("[]");
        let chosen = encoded.choose(Accepted::parse("br, gzip")).unwrap();
        assert_eq!(chosen.body, "[]");
        assert!(encoded.choose(Accepted::parse("br, identity;q=0")).is_none());
    }

    #[test]
    fn etags_are_equal_exactly_for_equal_bodies() {
        let etag = |body: &str| encoded(body).choose(Accepted::IDENTITY).unwrap().etag.clone();
        assert_eq!(etag("a"), etag("a"));
        assert_ne!(etag("a"), etag("b"));
    }
}
