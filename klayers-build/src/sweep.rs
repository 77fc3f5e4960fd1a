//! What runs leave behind that were killed: files that would have got their names when they were
//! whole, and now get none.

use std::fs::{self, DirEntry, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// What was not changed for so long is nobody's work any more.
const AGE: Duration = Duration::from_hours(24);

/// Removes what lies in a folder since a day before `now`, unless a process holds a lock on it.
/// What cannot be looked at or removed is left: it is in nobody's way.
pub(crate) fn sweep(folder: &Path, now: Timestamp) {
    each(folder, &|entry| remove_if_left(entry, now));
}

/// Removes such files from a folder and those below it whose names begin in one of these ways.
pub(crate) fn sweep_below(folder: &Path, beginnings: &[&str], now: Timestamp) {
    each(folder, &|entry| {
        let name = entry.file_name();
        let is_meant = |start: &&str| name.as_encoded_bytes().starts_with(start.as_bytes());
        if entry.file_type()?.is_dir() {
            sweep_below(&entry.path(), beginnings, now);
        } else if beginnings.iter().any(is_meant) {
            remove_if_left(entry, now)?;
        }
        Ok(())
    });
}

fn each(folder: &Path, look: &dyn Fn(&DirEntry) -> io::Result<()>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if let Err(error) = look(&entry) {
            tracing::debug!(path = %entry.path().display(), %error, "left where it is");
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
        // The lock is held until the file is gone.
        let file = metadata.is_file().then(|| File::open(&path)).transpose()?;
        if let Some(file) = &file
            && file.try_lock().is_err()
        {
            return Ok(());
        }
        fs::remove_file(&path)?;
    }
    tracing::debug!(path = %path.display(), "swept away");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// Later than any clock that a test runs by.
    fn now() -> Timestamp {
        "2100-01-01T00:00:00Z".parse().expect("a time")
    }

    /// A file that was changed so long before `now`.
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
    fn what_is_old_and_not_held_is_removed() {
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
    fn only_names_that_are_meant_are_removed_below() {
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
