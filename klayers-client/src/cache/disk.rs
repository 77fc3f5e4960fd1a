//! Answers in a folder that several processes share. Each file is written atomically, and its first
//! line is the digest of the rest, so no lock is needed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use klayers_core::Digest;
use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::freshness::CacheHeaders;
use crate::transport::MAX_BODY;

/// A partial file of this age belongs to a process that was killed. Writing takes far less time.
const ABANDONED_AFTER: Duration = Duration::from_secs(3_600);

const EXTENSION: &str = "answer";

/// The prefix of partial files. The user may have named any folder, so other files in the folder are
/// never touched.
const PARTIAL_PREFIX: &str = ".klayers-answer-";

#[derive(Debug)]
pub(crate) struct CacheFolder {
    path: PathBuf,
    /// The size limit, in bytes.
    limit: u64,
}

/// A stored answer, without its body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CacheEntry {
    /// The route that was requested, in the caller's spelling of the package.
    pub(crate) route: String,
    pub(crate) url: String,
    #[serde(rename = "fields")]
    pub(crate) headers: CacheHeaders,
    pub(crate) sent: SystemTime,
    pub(crate) received: SystemTime,
}

impl CacheFolder {
    pub(crate) fn new(path: PathBuf, limit: u64) -> Self {
        Self { path, limit }
    }

    fn file(&self, key: &str) -> PathBuf {
        self.path.join(Digest::of(key.as_bytes()).to_string()).with_extension(EXTENSION)
    }

    /// Reads the answer for a key; none if there is no readable answer. Removes a damaged file.
    pub(crate) fn read(&self, key: &str) -> Option<(CacheEntry, Vec<u8>)> {
        let path = self.file(key);
        // Reading a pipe would block, and a pipe is not one of our files.
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut content = Vec::new();
        let longest = u64::try_from(MAX_BODY).unwrap_or(u64::MAX).saturating_mul(2);
        File::open(&path).ok()?.take(longest).read_to_end(&mut content).ok()?;
        let answer = parse(&content);
        if answer.is_none() {
            let _ = fs::remove_file(&path);
        }
        answer
    }

    /// Stores an answer. If the folder cannot be written, the answer is not stored.
    pub(crate) fn write(&self, key: &str, entry: &CacheEntry, body: &[u8]) {
        let _ = self.try_write(key, entry, body);
    }

    fn try_write(&self, key: &str, entry: &CacheEntry, body: &[u8]) -> io::Result<()> {
        let mut rest = serde_json::to_vec(entry)?;
        rest.push(b'\n');
        rest.extend_from_slice(body);
        let path = self.file(key);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(());
        }
        fs::create_dir_all(&self.path)?;
        let mut file = tempfile::Builder::new().prefix(PARTIAL_PREFIX).tempfile_in(&self.path)?;
        writeln!(file, "{}", Digest::of(&rest))?;
        file.write_all(&rest)?;
        file.persist(path)?;
        self.trim()
    }

    pub(crate) fn remove(&self, key: &str) {
        let path = self.file(key);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            let _ = fs::remove_file(path);
        }
    }

    /// Removes the oldest answers until the others fit the limit, and the partial files of writers
    /// that were killed.
    fn trim(&self) -> io::Result<()> {
        let now = now();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let (path, Ok(meta)) = (entry.path(), entry.metadata()) else { continue };
            let Ok(written) = meta.modified() else { continue };
            if !meta.is_file() {
                continue;
            }
            if is_answer(&path) {
                files.push((written, meta.len(), path));
            } else if is_partial(&path)
                && now.duration_since(written).is_ok_and(|age| age > ABANDONED_AFTER)
            {
                let _ = fs::remove_file(path);
            }
        }
        let mut size: u64 = files.iter().map(|(_, length, _)| length).sum();
        files.sort();
        for (_, length, path) in files {
            if size <= self.limit {
                break;
            }
            let _ = fs::remove_file(path);
            size -= length;
        }
        Ok(())
    }
}

/// Whether a file name is that of an answer: a digest and the extension.
fn is_answer(path: &Path) -> bool {
    let stem = path.file_stem().and_then(OsStr::to_str);
    path.extension().is_some_and(|extension| extension == EXTENSION)
        && stem.is_some_and(|stem| stem.parse::<Digest>().is_ok())
}

/// Whether a file name is that of a partial file.
fn is_partial(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL_PREFIX))
}

/// Splits a file into entry and body; none if the digest does not match.
fn parse(content: &[u8]) -> Option<(CacheEntry, Vec<u8>)> {
    let (digest, rest) = split_line(content)?;
    if digest != Digest::of(rest).to_string().as_bytes() {
        return None;
    }
    let (entry, body) = split_line(rest)?;
    Some((serde_json::from_slice(entry).ok()?, body.to_vec()))
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> CacheEntry {
        CacheEntry {
            route: "/api/v2/targets".to_owned(),
            url: "https://layers.example/api/v2/targets".to_owned(),
            headers: CacheHeaders::default(),
            sent: SystemTime::UNIX_EPOCH,
            received: SystemTime::UNIX_EPOCH,
        }
    }

    fn cache_folder(limit: u64) -> (tempfile::TempDir, CacheFolder) {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = CacheFolder::new(folder.path().join("made/when/needed"), limit);
        (folder, cache)
    }

    #[test]
    fn stored_answers_are_found_by_their_key_only() {
        let (_folder, cache) = cache_folder(1 << 20);
        assert_eq!(cache.read("a"), None);
        cache.write("a", &entry(), b"[\n]");
        assert_eq!(cache.read("a"), Some((entry(), b"[\n]".to_vec())));
        assert_eq!(cache.read("b"), None);
        cache.write("a", &entry(), b"[]");
        assert_eq!(cache.read("a"), Some((entry(), b"[]".to_vec())));
        cache.remove("a");
        assert_eq!(cache.read("a"), None);
    }

    #[test]
    fn file_damaged_in_any_byte_is_ignored_and_removed() {
        let (_folder, cache) = cache_folder(1 << 20);
        cache.write("a", &entry(), b"[]");
        let good = fs::read(cache.file("a")).expect("a file");
        let cut = (0..good.len()).map(|end| good[..end].to_vec());
        let flipped = (0..good.len()).map(|at| {
            let mut bad = good.clone();
            bad[at] ^= 1;
            bad
        });
        let mut damaged = 0;
        for bad in cut.chain(flipped) {
            fs::write(cache.file("a"), &bad).expect("written");
            assert_eq!(cache.read("a"), None, "{}", String::from_utf8_lossy(&bad));
            assert!(!cache.file("a").exists());
            damaged += 1;
        }
        println!("damaged files {damaged}, used 0");
        assert_eq!(damaged, 2 * good.len());
    }

    #[test]
    fn oldest_answers_and_abandoned_files_are_removed() {
        let (_folder, cache) = cache_folder(3_000);
        let old = now() - Duration::from_hours(2);
        for (number, key) in ["a", "b", "c"].into_iter().enumerate() {
            cache.write(key, &entry(), &[b' '; 500]);
            let age = Duration::from_secs(u64::try_from(number).expect("small"));
            let file = File::options().write(true).open(cache.file(key)).expect("a file");
            file.set_modified(old + age).expect("a time");
        }
        let others = [".tmpabc", "not-ours", "the.answer", "notes.txt"];
        let abandoned = format!("{PARTIAL_PREFIX}abc");
        for name in others.into_iter().chain([abandoned.as_str()]) {
            let file = File::create(cache.path.join(name)).expect("a file");
            file.set_modified(old).expect("a time");
        }
        cache.write("d", &entry(), &[b' '; 500]);
        let found = ["a", "b", "c", "d"].map(|key| cache.read(key).is_some());
        assert_eq!(found, [false, true, true, true]);
        assert!(!cache.path.join(abandoned).exists());
        // The user may have named any folder for the cache, so other files stay.
        for name in others {
            assert!(cache.path.join(name).exists(), "{name}");
        }
    }

    /// A pipe is neither read, which would block, nor replaced.
    #[cfg(unix)]
    #[test]
    fn pipe_in_the_cache_folder_is_left_alone() {
        use std::os::unix::fs::FileTypeExt;
        let (_folder, cache) = cache_folder(1 << 20);
        fs::create_dir_all(&cache.path).expect("a folder");
        let made = std::process::Command::new("mkfifo").arg(cache.file("a")).status();
        assert!(made.expect("mkfifo").success());
        assert_eq!(cache.read("a"), None);
        cache.write("a", &entry(), b"[]");
        cache.remove("a");
        let metadata = fs::symlink_metadata(cache.file("a")).expect("the pipe");
        assert!(metadata.file_type().is_fifo());
    }

    #[test]
    fn unwritable_folder_stores_nothing() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let cache = CacheFolder::new(file.path().join("below a file"), 1 << 20);
        cache.write("a", &entry(), b"[]");
        assert_eq!(cache.read("a"), None);
    }
}
