//! Removes files that killed runs left behind: temporary files, which would have been renamed once
//! they were complete.

use std::fs::{self, DirEntry, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// A file unchanged for this long is no longer in use.
const AGE: Duration = Duration::from_hours(24);

/// Removes the entries of a folder that were last changed a day before `now` or earlier, unless a
/// process holds a lock on them. Entries that cannot be read or removed stay: they do no harm.
pub fn sweep(folder: &Path, now: Timestamp) {
    each(folder, &|entry| remove_if_left(entry, now));
}

/// Removes such files below a folder, at any depth, if their names start with one of these
/// prefixes.
pub fn sweep_below(folder: &Path, prefixes: &[&str], now: Timestamp) {
    each(folder, &|entry| {
        let name = entry.file_name();
        let has_prefix = |start: &&str| name.as_encoded_bytes().starts_with(start.as_bytes());
        if entry.file_type()?.is_dir() {
            sweep_below(&entry.path(), prefixes, now);
        } else if prefixes.iter().any(has_prefix) {
            remove_if_left(entry, now)?;
        }
        Ok(())
    });
}

fn each(folder: &Path, look: &dyn Fn(&DirEntry) -> io::Result<()>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if let Err(error) = look(&entry) {
            tracing::debug!(path = %entry.path().display(), %error, "could not sweep");
        }
    }
}

fn remove_if_left(entry: &DirEntry, now: Timestamp) -> io::Result<()> {
    let (metadata, path) = (entry.metadata()?, entry.path());
    let age = SystemTime::from(now).duration_since(metadata.modified()?);
    if age.is_err() || age.is_ok_and(|age| age < AGE) {
        return Ok(());
    }
    if metadata.is_dir() {
        fs::remove_dir_all(&path)?;
    } else {
        // The lock is held until the file is removed.
        let file = metadata.is_file().then(|| File::open(&path)).transpose()?;
        if let Some(file) = &file
            && file.try_lock().is_err()
        {
            return Ok(());
        }
        fs::remove_file(&path)?;
    }
    tracing::debug!(path = %path.display(), "swept");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// A time later than any clock that a test reads.
    fn now() -> Timestamp {
        "2100-01-01T00:00:00Z".parse().expect("a time")
    }

    /// Creates a file that was last changed this long before `now`.
    fn old(path: &Path, age: Duration, now: Timestamp) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let file = File::create(path).expect("a file");
        file.set_modified(SystemTime::from(now) - age).expect("a time");
    }

    fn left(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn old_entries_are_removed_unless_locked() {
        let folder = tempfile::tempdir().expect("a folder");
        let (folder, now) = (folder.path(), now());
        let outside = folder.join("outside");
        let work = folder.join("work");
        old(&outside, 9 * DAY, now);
        old(&work.join("left"), Duration::from_hours(25), now);
        old(&work.join("held"), Duration::from_hours(25), now);
        old(&work.join("young"), Duration::from_hours(23), now);
        old(&work.join("of the future"), Duration::ZERO, now + DAY);
        old(&work.join("tree/below/file"), 9 * DAY, now);
        std::os::unix::fs::symlink(&outside, work.join("link")).expect("a link");
        let held = File::open(work.join("held")).expect("a file");
        held.lock().expect("a lock");

        sweep(&work, now);
        assert_eq!(left(&work), ["held", "of the future", "young"]);
        drop(held);
        sweep(&work, now + Duration::from_hours(1_000_000));
        assert_eq!(left(&work), [""; 0]);
        assert!(outside.is_file());
        sweep(&folder.join("missing"), now);
    }

    #[test]
    fn only_files_with_the_prefixes_are_removed_below() {
        let folder = tempfile::tempdir().expect("a folder");
        let (folder, now) = (folder.path(), now());
        for name in ["a/b/.pack-1", "a/b/kept", "a/.sealed-1", ".sealed-2", "a/.other"] {
            old(&folder.join(name), 2 * DAY, now);
        }
        sweep_below(folder, &[".pack-", ".sealed-"], now);
        assert_eq!(left(folder), ["a"]);
        assert_eq!(left(&folder.join("a")), [".other", "b"]);
        assert_eq!(left(&folder.join("a/b")), ["kept"]);
    }
}
