//! Compressing bodies with gzip.

use std::io;

use flate2::{Compress, Compression, FlushCompress, Status};

/// Compresses bodies, one after the other.
///
/// Its tables take some 300 KiB. They are made once: for a small body that takes longer than to
/// compress it, and the allocator of glibc before 2.38 hardly finds such aligned memory again when
/// it was freed ([bug 14581](https://sourceware.org/bugzilla/show_bug.cgi?id=14581)), so that a
/// process that made them for each of many bodies would grow without end.
#[derive(Debug)]
pub(crate) struct Gzip(Compress);

/// Beyond, more effort takes longer than a client would save.
const LARGE: usize = 1 << 20;
/// As far back as deflate can look, in bits of a distance.
const WINDOW: u8 = 15;

impl Gzip {
    pub(crate) fn new() -> Self {
        Self(Compress::new_gzip(Compression::best(), WINDOW))
    }

    /// The body as a gzip file of one member, without a time or a name.
    pub(crate) fn compress(&mut self, body: &[u8]) -> io::Result<Vec<u8>> {
        let level = if body.len() > LARGE { Compression::default() } else { Compression::best() };
        self.0.reset();
        self.0.set_level(level)?;
        let mut compressed = Vec::with_capacity(body.len() / 4 + 64);
        loop {
            let done = usize::try_from(self.0.total_in()).unwrap_or(body.len());
            let rest = body.get(done..).unwrap_or_default();
            match self.0.compress_vec(rest, &mut compressed, FlushCompress::Finish)? {
                Status::StreamEnd => return Ok(compressed),
                Status::Ok | Status::BufError => compressed.reserve(compressed.capacity()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_compressed_is_read_again_and_leaves_no_trace() {
        let mut gzip = Gzip::new();
        let rows: Vec<String> = (0..300_000_u32)
            .map(|number| format!("row {}", number.wrapping_mul(2_654_435_761)))
            .collect();
        let long = rows.join("\n");
        assert!(long.len() > LARGE);
        let once = gzip.compress(b"a body").unwrap();
        for body in ["", "a body", &long, &long[..LARGE], "a body"] {
            let compressed = gzip.compress(body.as_bytes()).unwrap();
            let mut read = String::new();
            flate2::read::GzDecoder::new(&compressed[..]).read_to_string(&mut read).unwrap();
            assert!(read == body, "{} bytes", body.len());
        }
        assert_eq!(gzip.compress(b"a body").unwrap(), once);
    }
}
