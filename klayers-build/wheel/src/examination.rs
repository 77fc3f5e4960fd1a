//! Reads every byte of a wheel and checks it against the rules of wheels.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use klayers_core::{Digest, PackageName, PackageVersion};

use super::archive::{Archive, Entry};
use super::installation::Installation;
use super::read_through::{Read, Reader};
use super::record::{PrefixedPath, Record};
use super::{
    Checksum, Content, EntryError, EntryPath, Inventory, Metadata, NativeLibrary,
    NativeLibraryError, Notice, RecordFaults, RecordFlaw, RuleError, WheelFile, WheelFilename,
    console_scripts, modules, standard_library,
};
use crate::name_collisions::name_collisions;

/// Largest total size of the unpacked files, in bytes: eight times the limit of a layer, since a
/// layer may leave out files of a wheel.
const MOST_UNPACKED: u64 = 2 << 30;
/// The first bytes of native libraries.
const ELF: [u8; 4] = *b"\x7fELF";
/// Largest native library that is inspected, in bytes: it is held in memory. The limit of a layer
/// is smaller.
const LARGEST_LIBRARY: u64 = 256 << 20;

/// Reads a whole archive, on all cores, and checks it as the wheel of that file name. Faults of its
/// `RECORD` become part of the inventory and are not an error here.
pub(super) fn examine(archive: &Archive, filename: &WheelFilename) -> Result<Inventory, RuleError> {
    // A ZIP64 field may state any size.
    let sizes = archive.entries().iter().map(|entry| entry.size);
    let unpacked = sizes.fold(0, u64::saturating_add);
    if unpacked > MOST_UNPACKED {
        return Err(RuleError::TooLarge { size: unpacked, limit: MOST_UNPACKED });
    }
    let dist_info = dist_info(archive, filename)?;
    let in_dist_info = |file: &str| format!("{dist_info}/{file}");
    let record = Record::parse(&text_of(archive, &in_dist_info("RECORD"))?)?;
    refuse_unknown_spellings(archive, &record)?;

    let kept_names = ["METADATA", "WHEEL", "entry_points.txt"].map(in_dist_info);
    let mut files = read_all(archive, &record, &kept_names, LARGEST_LIBRARY)?;
    let record_faults = record_faults(&files, &record, &dist_info);
    let text = |name: &str| -> Result<Option<&str>, RuleError> {
        let kept = files.iter().find(|(entry, _)| entry.path.as_str() == name);
        let kept = kept.and_then(|(entry, read)| Some((entry, read.kept.as_ref()?)));
        kept.map(|(entry, bytes)| {
            std::str::from_utf8(bytes).map_err(|_| fault(entry, EntryError::NotText))
        })
        .transpose()
    };
    let [metadata, wheel, entry_points] = &kept_names;
    let missing = |name: &String| RuleError::Missing(name.clone());
    let metadata = Metadata::parse(text(metadata)?.ok_or_else(|| missing(metadata))?)?;
    if metadata.name != *filename.name() || metadata.version != *filename.version() {
        return Err(RuleError::OtherMetadata(format!("{} {}", metadata.name, metadata.version)));
    }
    let mut notices = metadata.notices;
    note_redundancies(archive, &record, &mut notices);
    check_wheel_version(text(wheel)?.ok_or_else(|| missing(wheel))?, &mut notices)?;
    let scripts = match text(entry_points)? {
        Some(text) => console_scripts(text)?,
        None => Vec::new(),
    };

    let installation = Installation { dist_info: &dist_info, package: filename.name() };
    let paths = files.iter().map(|(entry, _)| &entry.path);
    let destinations = installation.destinations(paths, &scripts)?;
    check_spread(&destinations, &dist_info)?;

    let modules = modules::at_root(files.iter().map(|(entry, _)| &entry.path), &dist_info);
    note_names(destinations.keys().map(String::as_str), &modules, &mut notices);
    let mut libraries = Vec::new();
    for (entry, read) in &mut files {
        match read.library.take() {
            None => {}
            Some(Library::Read(library)) => libraries.push(library),
            Some(Library::Unsound(error)) => {
                notices.push(Notice::UnsoundLibrary(error.to_string()));
            }
            Some(Library::Large) => notices.push(Notice::LargeLibrary(entry.path.to_string())),
        }
    }
    let files = files.into_iter().map(|(entry, read)| wheel_file(entry, &read)).collect();
    let license = metadata.license;
    Ok(Inventory { files, dist_info, license, scripts, modules, libraries, notices, record_faults })
}

/// Reads a metadata file of the wheel as text. It must exist.
fn text_of(archive: &Archive, name: &str) -> Result<String, RuleError> {
    let found = archive.entries().iter().find(|entry| entry.path.as_str() == name);
    let entry = found.ok_or_else(|| RuleError::Missing(name.to_owned()))?;
    String::from_utf8(archive.read(entry)?).map_err(|_| fault(entry, EntryError::NotText))
}

/// Finds the one `.dist-info` folder. Its name must match the file name of the wheel.
fn dist_info(archive: &Archive, filename: &WheelFilename) -> Result<String, RuleError> {
    let mut folders: Vec<&str> = archive
        .entries()
        .iter()
        .filter_map(|entry| entry.path.as_str().split_once('/'))
        .map(|(folder, _)| folder)
        .filter(|folder| is_dist_info(folder))
        .collect();
    folders.dedup();
    let [folder] = folders.as_slice() else {
        return Err(RuleError::DistInfo { found: folders.len() });
    };
    let stem = folder.strip_suffix(".dist-info").unwrap_or(folder);
    let agrees = stem.split_once('-').is_some_and(|(name, version)| {
        let name: Result<PackageName, _> = name.parse();
        let version: Result<PackageVersion, _> = version.parse();
        name.is_ok_and(|name| name == *filename.name())
            && version.is_ok_and(|version| version == *filename.version())
    });
    if agrees {
        Ok((*folder).to_owned())
    } else {
        Err(RuleError::OtherDistribution((*folder).to_owned()))
    }
}

/// Whether Python treats a top-level folder as that of a distribution.
fn is_dist_info(folder: &str) -> bool {
    folder.to_ascii_lowercase().ends_with(".dist-info")
}

/// Refuses files in a `.data` folder that would be installed as another distribution.
fn check_spread(destinations: &BTreeMap<String, &str>, dist_info: &str) -> Result<(), RuleError> {
    let mut folders = destinations.iter().filter_map(|(path, entry)| {
        let (folder, _) = path.split_once('/')?;
        Some((folder, *entry))
    });
    match folders.find(|(folder, _)| is_dist_info(folder) && *folder != dist_info) {
        Some((folder, entry)) => {
            Err(RuleError::SecondDistInfo { entry: entry.to_owned(), folder: folder.to_owned() })
        }
        None => Ok(()),
    }
}

/// Refuses a path of `RECORD` with `./` or `/` at its beginning unless it is the path of an entry:
/// taken alone, it would lead out of the wheel.
fn refuse_unknown_spellings(archive: &Archive, record: &Record) -> Result<(), RuleError> {
    let unknown =
        record.prefixed_paths().iter().find(|prefixed| !is_there(archive, &prefixed.path));
    match unknown {
        Some(PrefixedPath { line, spelling, .. }) => {
            let reason = format!("{spelling:?} is not the path of a file in the wheel");
            Err(RuleError::Record { line: *line, reason })
        }
        None => Ok(()),
    }
}

fn is_there(archive: &Archive, path: &EntryPath) -> bool {
    archive.entries().binary_search_by(|entry| entry.path.cmp(path)).is_ok()
}

/// Returns the faults of `RECORD`. It must list every file except itself and its signatures, each
/// with a hash and the right size, and nothing else.
fn record_faults(files: &[(&Entry, ReadEntry)], record: &Record, dist_info: &str) -> RecordFaults {
    let is_exempt = |path: &EntryPath| {
        let file = path.as_str().strip_prefix(dist_info).and_then(|rest| rest.strip_prefix('/'));
        file.is_some_and(|file| matches!(file, "RECORD" | "RECORD.jws" | "RECORD.p7s"))
    };
    let mut flaws: BTreeMap<&EntryPath, RecordFlaw> =
        record.paths().map(|path| (path, RecordFlaw::NotInWheel)).collect();
    for (entry, read) in files {
        let path = &entry.path;
        flaws.remove(path);
        let flaw = match record.get(path) {
            None => (!is_exempt(path)).then_some(RecordFlaw::NotListed),
            Some(line) if line.flaw.is_some() => line.flaw,
            Some(line) if line.size.is_some_and(|size| size != entry.size) => {
                Some(RecordFlaw::OtherSize)
            }
            Some(line) if line.hash.is_none() => (!is_exempt(path)).then_some(RecordFlaw::NoHash),
            Some(_) => (!read.is_as_listed).then_some(RecordFlaw::OtherHash),
        };
        flaws.extend(flaw.map(|flaw| (path, flaw)));
    }
    RecordFaults::new(flaws.into_iter().map(|(path, flaw)| (path.clone(), flaw)))
}

/// Adds notices for statements that are repeated or unusually written, but agree.
fn note_redundancies(archive: &Archive, record: &Record, notices: &mut Vec<Notice>) {
    if let Some(first) = archive.repeated().first() {
        let (first, count) = (first.to_string(), archive.repeated().len());
        notices.push(Notice::RepeatedEntries { first, count });
    }
    if record.unusual_hashes() > 0 {
        notices.push(Notice::HashSpelling(record.unusual_hashes()));
    }
    if let Some(first) = record.prefixed_paths().first() {
        let (first, count) = (first.spelling.clone(), record.prefixed_paths().len());
        notices.push(Notice::RecordPaths { first, count });
    }
}

/// The result of reading an entry.
struct ReadEntry {
    sha256: Digest,
    checksum: Checksum,
    is_as_listed: bool,
    kept: Option<Vec<u8>>,
    /// The native library, if the entry is one.
    library: Option<Library>,
}

/// A file with the first bytes of a native library.
enum Library {
    Read(NativeLibrary),
    Unsound(NativeLibraryError),
    Large,
}

impl ReadEntry {
    fn new(entry: &Entry, read: Read, is_elf: bool) -> Self {
        let Read { sha256, checksum, is_as_listed, kept } = read;
        let library = match &kept {
            Some(bytes) => match NativeLibrary::read(entry.path.as_str(), bytes) {
                Ok(library) => library.map(Library::Read),
                Err(error) => Some(Library::Unsound(error)),
            },
            None => is_elf.then_some(Library::Large),
        };
        // The bytes of a library may be large, and are not needed any more.
        Self { sha256, checksum, is_as_listed, kept: kept.filter(|_| !is_elf), library }
    }
}

/// Reads every entry completely, largest first, on as many threads as there are cores. Returns the
/// results in the order of the archive's list.
fn read_all<'a>(
    archive: &'a Archive,
    record: &Record,
    kept_names: &[String],
    largest_library: u64,
) -> Result<Vec<(&'a Entry, ReadEntry)>, RuleError> {
    let entries = archive.entries();
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(entries[index].size));
    let next = AtomicUsize::new(0);
    let reads: Mutex<Vec<(usize, Result<ReadEntry, RuleError>)>> = Mutex::default();
    let work = || {
        let mut reader = Reader::new(archive.file());
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let entry = &entries[index];
            let listed = record.get(&entry.path).and_then(|line| line.hash.as_ref());
            let keep = kept_names.iter().any(|name| name == entry.path.as_str())
                && entry.size <= super::LARGEST_TEXT;
            let mut is_elf = false;
            let read = reader.read(entry, listed, |beginning| {
                is_elf = beginning.starts_with(&ELF);
                keep || (is_elf && entry.size <= largest_library)
            });
            lock(&reads).push((index, read.map(|read| ReadEntry::new(entry, read, is_elf))));
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 1..cores.min(entries.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut reads = reads.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    // The error is always that of the first faulty entry, whatever the order of the threads.
    reads.sort_by_key(|(index, _)| *index);
    reads.into_iter().map(|(index, read)| read.map(|read| (&entries[index], read))).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Checks the version of the format: a newer major version may require other unpacking.
fn check_wheel_version(text: &str, notices: &mut Vec<Notice>) -> Result<(), RuleError> {
    let version = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case("Wheel-Version"))
        .map_or("", |(_, version)| version.trim());
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    if major != "1" || minor.parse::<u32>().is_err() {
        return Err(RuleError::WheelVersion(version.to_owned()));
    }
    if minor != "0" {
        notices.push(Notice::WheelVersion(version.to_owned()));
    }
    Ok(())
}

fn note_names<'a>(
    destinations: impl Iterator<Item = &'a str> + Clone,
    modules: &[String],
    notices: &mut Vec<Notice>,
) {
    let collisions = name_collisions(destinations.clone()).into_iter();
    notices.extend(
        collisions.map(|(one, other)| Notice::NamesAlike(one.to_owned(), other.to_owned())),
    );
    let is_path_file = |path: &&str| {
        !path.contains('/') && path.as_bytes().to_ascii_lowercase().ends_with(b".pth")
    };
    notices.extend(destinations.filter(is_path_file).map(|path| Notice::PathFile(path.to_owned())));
    let shadowing = modules.iter().filter(|module| standard_library::has(module));
    notices.extend(shadowing.cloned().map(Notice::ShadowsStandardLibrary));
}

fn wheel_file(entry: &Entry, read: &ReadEntry) -> WheelFile {
    let Entry { path, compression, crc, compressed_size, size, executable, offset } = entry.clone();
    let (sha256, checksum) = (read.sha256, read.checksum);
    let content = Content { offset, compressed_size, compression, size, crc, sha256, checksum };
    WheelFile { path, executable, content }
}

fn fault(entry: &Entry, fault: EntryError) -> RuleError {
    RuleError::Entry { entry: entry.path.clone(), fault }
}

#[cfg(test)]
mod tests {
    use bad_wheels::{DIST_INFO, Wheel};

    use super::*;

    #[test]
    fn a_library_is_held_in_memory_up_to_a_size() {
        let bytes = Wheel::sample().file("sample/x.so", "\x7fELF and more").bytes();
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        let archive = Archive::open(file.path()).expect("an archive");
        let list = text_of(&archive, &format!("{DIST_INFO}/RECORD")).expect("a list");
        let record = Record::parse(&list).expect("RECORD");
        let library = |largest| {
            let read = read_all(&archive, &record, &[], largest).expect("sound entries");
            let found = read.into_iter().find(|(entry, _)| entry.path.as_str() == "sample/x.so");
            found.expect("the library").1.library
        };
        assert!(matches!(library(13), Some(Library::Unsound(_))));
        assert!(matches!(library(12), Some(Library::Large)));
    }
}
