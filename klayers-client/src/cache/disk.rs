//! Answers in a folder, shared by processes. A file is written whole or not at all, and says with
//! its first line what the rest of it must be, so that no lock is needed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use klayers_core::Digest;
use serde::{Deserialize, Serialize};

use crate::freshness::Fields;
use crate::transport::{LONGEST_BODY, now};

/// A process that writes a file needs less time than this.
const ABANDONED: Duration = Duration::from_hours(1);

const SUFFIX: &str = "answer";

/// How the names of files begin that become an answer when they are whole. Nothing else that lies
/// in the folder is ours, whatever folder a user named.
const PARTIAL: &str = ".klayers-answer-";

#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    limit: u64,
}

/// What is kept of an answer, beside its body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The route that it answers, in the spelling that was asked for.
    pub(crate) route: String,
    pub(crate) url: String,
    pub(crate) fields: Fields,
    pub(crate) sent: SystemTime,
    pub(crate) received: SystemTime,
}

impl Disk {
    pub(crate) fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(Digest::of(key.as_bytes()).to_string()).with_extension(SUFFIX)
    }

    /// What is kept under a key; nothing if it cannot be read. A file that is damaged goes.
    pub(crate) fn read(&self, key: &str) -> Option<(Kept, Vec<u8>)> {
        let path = self.path(key);
        // What is no file, as a pipe, would be waited for, and is not ours.
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut content = Vec::new();
        let longest = u64::try_from(LONGEST_BODY).unwrap_or(u64::MAX).saturating_mul(2);
        File::open(&path).ok()?.take(longest).read_to_end(&mut content).ok()?;
        let kept = parse(&content);
        if kept.is_none() {
            let _ = fs::remove_file(&path);
        }
        kept
    }

    /// Keeps an answer; a folder that takes none is done without.
    pub(crate) fn write(&self, key: &str, kept: &Kept, body: &[u8]) {
        let _ = self.try_write(key, kept, body);
    }

    fn try_write(&self, key: &str, kept: &Kept, body: &[u8]) -> io::Result<()> {
        let mut rest = serde_json::to_vec(kept)?;
        rest.push(b'\n');
        rest.extend_from_slice(body);
        let path = self.path(key);
        if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(&self.folder)?;
        writeln!(file, "{}", Digest::of(&rest))?;
        file.write_all(&rest)?;
        file.persist(path)?;
        self.trim()
    }

    pub(crate) fn remove(&self, key: &str) {
        let path = self.path(key);
        if fs::symlink_metadata(&path).is_ok_and(|there| there.is_file()) {
            let _ = fs::remove_file(path);
        }
    }

    /// Removes the files that were written first until the others fit, and what writers that were
    /// killed left behind.
    fn trim(&self) -> io::Result<()> {
        let now = now();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (path, Ok(meta)) = (entry.path(), entry.metadata()) else { continue };
            let Ok(written) = meta.modified() else { continue };
            if !meta.is_file() {
                continue;
            }
            if is_answer(&path) {
                files.push((written, meta.len(), path));
            } else if is_temporary(&path)
                && now.duration_since(written).is_ok_and(|age| age > ABANDONED)
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

/// Whether a file has the name of an answer: a digest, and the ending.
fn is_answer(path: &Path) -> bool {
    let stem = path.file_stem().and_then(OsStr::to_str);
    path.extension().is_some_and(|suffix| suffix == SUFFIX)
        && stem.is_some_and(|stem| stem.parse::<Digest>().is_ok())
}

/// Whether a file is one of those that become an answer when they are whole.
fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL))
}

fn parse(content: &[u8]) -> Option<(Kept, Vec<u8>)> {
    let (digest, rest) = split_line(content)?;
    if digest != Digest::of(rest).to_string().as_bytes() {
        return None;
    }
    let (kept, body) = split_line(rest)?;
    Some((serde_json::from_slice(kept).ok()?, body.to_vec()))
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept {
            route: "/api/v2/targets".to_owned(),
            url: "https://layers.example/api/v2/targets".to_owned(),
            fields: Fields::default(),
            sent: SystemTime::UNIX_EPOCH,
            received: SystemTime::UNIX_EPOCH,
        }
    }

    fn disk(limit: u64) -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::new(folder.path().join("made/when/needed"), limit);
        (folder, disk)
    }

    #[test]
    fn what_is_kept_is_found_under_its_key_alone() {
        let (_folder, disk) = disk(1 << 20);
        assert_eq!(disk.read("a"), None);
        disk.write("a", &kept(), b"[\n]");
        assert_eq!(disk.read("a"), Some((kept(), b"[\n]".to_vec())));
        assert_eq!(disk.read("b"), None);
        disk.write("a", &kept(), b"[]");
        assert_eq!(disk.read("a"), Some((kept(), b"[]".to_vec())));
        disk.remove("a");
        assert_eq!(disk.read("a"), None);
    }

    #[test]
    fn a_file_that_is_damaged_in_any_byte_is_nothing_and_goes() {
        let (_folder, disk) = disk(1 << 20);
        disk.write("a", &kept(), b"[]");
        let good = fs::read(disk.path("a")).expect("a file");
        let cut = (0..good.len()).map(|end| good[..end].to_vec());
        let flipped = (0..good.len()).map(|at| {
            let mut bad = good.clone();
            bad[at] ^= 1;
            bad
        });
        let mut damaged = 0;
        for bad in cut.chain(flipped) {
            fs::write(disk.path("a"), &bad).expect("written");
            assert_eq!(disk.read("a"), None, "{}", String::from_utf8_lossy(&bad));
            assert!(!disk.path("a").exists());
            damaged += 1;
        }
        println!("damaged files {damaged}, taken 0");
        assert_eq!(damaged, 2 * good.len());
    }

    #[test]
    fn the_oldest_files_make_room_and_what_was_abandoned_goes() {
        let (_folder, disk) = disk(3_000);
        let old = now() - Duration::from_hours(2);
        for (number, key) in ["a", "b", "c"].into_iter().enumerate() {
            disk.write(key, &kept(), &[b' '; 500]);
            let age = Duration::from_secs(u64::try_from(number).expect("small"));
            let file = File::options().write(true).open(disk.path(key)).expect("a file");
            file.set_modified(old + age).expect("a time");
        }
        let others = [".tmpabc", "not-ours", "the.answer", "notes.txt"];
        let abandoned = format!("{PARTIAL}abc");
        for name in others.into_iter().chain([abandoned.as_str()]) {
            let file = File::create(disk.folder.join(name)).expect("a file");
            file.set_modified(old).expect("a time");
        }
        disk.write("d", &kept(), &[b' '; 500]);
        let found = ["a", "b", "c", "d"].map(|key| disk.read(key).is_some());
        assert_eq!(found, [false, true, true, true]);
        assert!(!disk.folder.join(abandoned).exists());
        // Whatever folder a user named for the cache, what others put there stays.
        for name in others {
            assert!(disk.folder.join(name).exists(), "{name}");
        }
    }

    /// It is neither read, which would never end, nor replaced.
    #[cfg(unix)]
    #[test]
    fn a_pipe_is_no_answer() {
        use std::os::unix::fs::FileTypeExt;
        let (_folder, disk) = disk(1 << 20);
        fs::create_dir_all(&disk.folder).expect("a folder");
        let made = std::process::Command::new("mkfifo").arg(disk.path("a")).status();
        assert!(made.expect("mkfifo").success());
        assert_eq!(disk.read("a"), None);
        disk.write("a", &kept(), b"[]");
        disk.remove("a");
        let there = fs::symlink_metadata(disk.path("a")).expect("it is there");
        assert!(there.file_type().is_fifo());
    }

    #[test]
    fn where_nothing_can_be_written_nothing_is_kept() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let disk = Disk::new(file.path().join("below a file"), 1 << 20);
        disk.write("a", &kept(), b"[]");
        assert_eq!(disk.read("a"), None);
    }
}
