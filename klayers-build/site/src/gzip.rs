//! Compression of bodies with gzip.

use std::io;

use flate2::{Compress, Compression, FlushCompress, Status};

/// A reusable gzip compressor.
///
/// Its tables take about 300 KiB and are allocated once. Allocating them takes longer than
/// compressing a small body. Also, glibc before 2.38 rarely reuses freed aligned memory
/// ([bug 14581](https://sourceware.org/bugzilla/show_bug.cgi?id=14581)), so a process that allocated
/// tables for each body would grow without bound.
#[derive(Debug)]
pub(crate) struct Gzip(Compress);

/// The size, in bytes, above which the best compression takes longer than it saves the client.
const LARGE: usize = 1 << 20;
/// The largest window of deflate, as the number of bits of a distance.
const WINDOW: u8 = 15;

impl Gzip {
    pub(crate) fn new() -> Self {
        Self(Compress::new_gzip(Compression::best(), WINDOW))
    }

    /// Compresses a body to a gzip file of one member, without time stamp and name.
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
    fn reused_compressor_gives_the_same_bytes_as_a_new_one() {
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
