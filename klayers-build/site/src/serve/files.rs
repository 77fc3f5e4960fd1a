//! Bodies that also lie in files, from which the kernel sends them without copying.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::HeaderValue;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// A part of a prepared body, which a response brings along to say that it may be sent from a file.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    /// Tells the prepared body from all others.
    pub(super) etag: HeaderValue,
    /// All of that body.
    pub(super) whole: Bytes,
    /// Where in it the part begins.
    pub(super) offset: usize,
    /// The part itself: the very bytes that are sent.
    pub(super) part: Bytes,
}

impl Excerpt {
    /// To send less from a file takes as long as to copy it.
    pub(super) const SMALLEST: usize = 16 << 10;
}

/// What is about to be sent, and the file that holds it from an offset on.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) part: Bytes,
    pub(super) file: Arc<OwnedFd>,
    pub(super) offset: usize,
}

/// The bodies that are asked for most, in files.
#[derive(Debug)]
pub(super) struct Files {
    kept: Cache<HeaderValue, (Arc<OwnedFd>, usize), Size>,
    missed: AtomicU32,
}

impl Files {
    /// How much all of them hold, in bytes.
    const ROOM: u64 = 64 << 20;
    /// What a file counts for at least, so that there are never more than 256.
    const LEAST: u64 = 256 << 10;
    /// A larger body would take the place of too many others.
    const LARGEST: usize = 4 << 20;
    /// One miss in so many makes a file. What is asked for often soon has one, and where each request
    /// is for another body, hardly any time goes into files that nobody needs.
    const ONE_IN: u32 = 16;

    pub(super) fn new() -> Self {
        let most = usize::try_from(Self::ROOM / Self::LEAST).unwrap_or(usize::MAX);
        Self { kept: Cache::with_weighter(most, Self::ROOM, Size), missed: AtomicU32::new(0) }
    }

    /// The part with its file, if it has one by now.
    pub(super) async fn find(&self, excerpt: Excerpt) -> Option<Filed> {
        let Excerpt { etag, whole, offset, part } = excerpt;
        if whole.len() > Self::LARGEST {
            return None;
        }
        if let Some((file, _)) = self.kept.get(&etag) {
            return Some(Filed { part, file, offset });
        }
        if self.missed.fetch_add(1, Ordering::Relaxed) % Self::ONE_IN != Self::ONE_IN - 1 {
            return None;
        }
        // The disk may be busy, and others are to be answered meanwhile.
        let size = whole.len();
        let made = tokio::task::spawn_blocking(move || file(&whole)).await;
        match made.map_err(io::Error::other).and_then(|made| made) {
            Ok(file) => {
                let file = Arc::new(file);
                self.kept.insert(etag, (Arc::clone(&file), size));
                Some(Filed { part, file, offset })
            }
            Err(error) => {
                tracing::debug!(%error, "a body is sent without a file");
                None
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Size;

impl Weighter<HeaderValue, (Arc<OwnedFd>, usize)> for Size {
    fn weight(&self, _: &HeaderValue, (_, size): &(Arc<OwnedFd>, usize)) -> u64 {
        Files::LEAST.max(*size as u64)
    }
}

/// A file of these bytes that has no name any more, so that nobody else can change it and it is gone
/// with the process. It is on the disk, where the kernel keeps large pieces of a file together: of
/// one that is in memory alone it looks up each page, and an answer takes a twentieth longer.
#[cfg(target_os = "linux")]
pub(super) fn file(bytes: &[u8]) -> io::Result<OwnedFd> {
    use std::io::Write as _;

    let (mut file, path) =
        tempfile::Builder::new().prefix("klayers-body-").tempfile()?.into_parts();
    path.close()?;
    file.write_all(bytes)?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn file(_: &[u8]) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::*;

    fn excerpt(name: &str, body: &Bytes, offset: usize) -> Excerpt {
        Excerpt {
            etag: HeaderValue::from_str(name).unwrap(),
            whole: body.clone(),
            offset,
            part: body.slice(offset..),
        }
    }

    #[tokio::test]
    async fn what_is_asked_for_again_and_again_has_a_file_soon() {
        let (files, body) = (Files::new(), Bytes::from(vec![7; 20_000]));
        let mut found = Vec::new();
        for _ in 0..100 {
            found.extend(files.find(excerpt("a", &body, 100)).await);
        }
        assert_eq!(found.len(), 100 - (Files::ONE_IN as usize - 1));
        let Filed { part, file, offset } = &found[0];
        assert_eq!((part.len(), *offset), (19_900, 100));
        assert!(found.iter().all(|other| Arc::ptr_eq(&other.file, file)), "one is enough");
        let file = File::from(file.try_clone().unwrap());
        let mut bytes = vec![0; body.len()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, body);
        assert_eq!(file.metadata().unwrap().len(), body.len() as u64);
        assert_eq!(file.metadata().unwrap().nlink(), 0, "nobody finds it");
    }

    #[tokio::test]
    async fn there_are_never_many() {
        let (files, body) = (Files::new(), Bytes::from(vec![7; 300_000]));
        let mut open = Vec::new();
        for number in 0..10_000 {
            let found = files.find(excerpt(&number.to_string(), &body, 0)).await;
            open.extend(found.map(|filed| Arc::downgrade(&filed.file)));
        }
        assert_eq!(open.len(), 10_000 / Files::ONE_IN as usize);
        let open = open.iter().filter(|file| file.strong_count() > 0).count();
        assert!((100..=256).contains(&open), "{open}");
        assert!(files.kept.weight() <= Files::ROOM);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_has_none() {
        let (files, body) = (Files::new(), Bytes::from(vec![7; Files::LARGEST + 1]));
        for _ in 0..100 {
            assert!(files.find(excerpt("a", &body, 0)).await.is_none());
        }
    }
}
