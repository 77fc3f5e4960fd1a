//! The body of `PublishLayerVersion`, read chunk by chunk.

use data_encoding::BASE64;
use memchr::memchr;
use sha2::{Digest as _, Sha256};

/// The field of the body that contains the zip in Base64.
const FIELD: &[u8] = b"\"ZipFile\"";

/// A body whose zip is hashed on arrival and not kept.
#[derive(Default)]
pub(super) struct Upload {
    place: Place,
    rest: Vec<u8>,
    /// Base64 that is not yet a complete group of four.
    pending: Vec<u8>,
    hash: Sha256,
    size: u64,
}

/// Position of the next chunk relative to the zip.
#[derive(Default)]
enum Place {
    #[default]
    Before,
    Inside,
    After,
}

impl Upload {
    pub(super) fn push(&mut self, piece: &[u8]) {
        match self.place {
            Place::Before => {
                self.rest.extend_from_slice(piece);
                let Some(begin) = self.begin() else { return };
                let zip = self.rest.split_off(begin);
                self.place = Place::Inside;
                self.push(&zip);
            }
            Place::Inside => match memchr(b'"', piece) {
                None => self.decode(piece),
                Some(end) => {
                    self.decode(&piece[..end]);
                    self.place = Place::After;
                    self.rest.extend_from_slice(&piece[end..]);
                }
            },
            Place::After => self.rest.extend_from_slice(piece),
        }
    }

    /// Returns the offset at which the zip begins, after the opening quote.
    fn begin(&self) -> Option<usize> {
        let field = self.rest.windows(FIELD.len()).position(|window| window == FIELD)?;
        let after = field + FIELD.len();
        let quote = self.rest[after..].iter().position(|byte| *byte == b'"')?;
        Some(after + quote + 1)
    }

    fn decode(&mut self, base64: &[u8]) {
        self.pending.extend_from_slice(base64);
        let later = self.pending.split_off(self.pending.len() / 4 * 4);
        let bytes = BASE64.decode(&self.pending).unwrap();
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        self.pending = later;
    }

    /// Returns the body with an empty field in place of the zip.
    pub(super) fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Returns the SHA-256 of the zip in Base64, as Lambda does, and its size.
    pub(super) fn code(self) -> (String, u64) {
        (BASE64.encode(&self.hash.finalize()), self.size)
    }
}
