//! The targets of the fuzzer. The tests of `klayers-build` run the same functions on the seeds, so
//! they use only public functions.

#![allow(dead_code, reason = "each target calls one of these")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

use bad_wheels::{DIST_INFO, FILENAME, Wheel as Sample};
use klayers_core::{Digest, LayerName, Runtimes, Target};
use klayers_layer::assemble::Layer;
use klayers_layer::lock::Lock;
use klayers_layer::recipe::Recipe;
use klayers_wheel::{
    Acceptance, Acceptances, EntryPath, Hash, Metadata, NativeLibrary, Record, Wheel,
};

/// Largest entry that is compared, in bytes. Zip bombs are tested by the reader target.
const LARGEST: u64 = 1 << 24;

type Tree = BTreeMap<String, Vec<u8>>;

/// Any bytes are read as a wheel or refused.
pub(crate) fn reader(wheel: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    read(folder.path(), wheel);
}

/// Any `RECORD` is parsed or refused, and names no file outside the wheel. One that is parsed is
/// also read in a wheel. If its faults are accepted, the layer gets a correct `RECORD`.
pub(crate) fn record(text: &[u8]) {
    let Some(record) = std::str::from_utf8(text).ok().and_then(|text| Record::parse(text).ok())
    else {
        return;
    };
    for path in record.paths().map(EntryPath::as_str) {
        let mut parts = path.split('/');
        assert!(parts.all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let record = bad_wheels::raw_zip::Entry::stored(format!("{DIST_INFO}/RECORD"), text);
    let wheel = Sample::sample().without_record().entry(record).bytes();
    read(folder.path(), &wheel);
    let mut accepted = Acceptances::default();
    accepted.insert("sample".parse().expect("a name"), Acceptance::Record);
    let Some(verified) = read_accepting(folder.path(), &wheel, &accepted) else { return };
    let layer = layer(folder.path(), verified).expect("a layer");
    check_record(&unpacked(&layer).expect("a layer can be unpacked"), DIST_INFO);
}

/// Any `METADATA` is parsed or refused. If it is valid and names its own package, the wheel is
/// accepted, since its `RECORD` is correct.
pub(crate) fn metadata(text: &[u8]) {
    let Ok(metadata) = Metadata::parse(text) else { return };
    let path = format!("{DIST_INFO}/METADATA");
    let file = bad_wheels::raw_zip::Entry::stored(&path, text);
    let wheel = Sample::sample().without(&path).entry(file).bytes();
    let folder = tempfile::tempdir().expect("a folder");
    let taken = read(folder.path(), &wheel).is_some();
    let own = metadata.name.normalized() == "sample" && metadata.version.to_string() == "1.0";
    assert!(taken || !own, "{metadata:?} is read alone, but not in a wheel");
}

/// Any file with the first bytes of a native library is read or refused.
pub(crate) fn library(bytes: &[u8]) {
    let file = [b"\x7fELF", bytes].concat();
    let _ = NativeLibrary::read("library.so", &file);
}

/// The checks of [`assembly`] hold for a wheel with any files that its `RECORD` lists. Bytes of
/// 0xff end each name and each content.
pub(crate) fn files(names_and_contents: &[u8]) {
    let mut wheel = Sample::sample();
    let mut parts = names_and_contents.split(|&byte| byte == 0xff);
    while let (Some(path), Some(content)) = (parts.next(), parts.next()) {
        // Replacing a file of the sample changes its metadata.
        wheel = wheel.without(&String::from_utf8_lossy(path));
        wheel = wheel.entry(bad_wheels::raw_zip::Entry::stored(path, content));
    }
    assembly(&wheel.bytes());
}

/// The layer of an accepted wheel can be unpacked by another reader, has every file of the wheel as
/// that reader extracts it from the wheel, and has a `RECORD` of its content.
pub(crate) fn assembly(wheel: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(verified) = read(folder.path(), wheel) else { return };
    let dist_info = verified.inventory().dist_info.clone();
    let Some(layer) = layer(folder.path(), verified) else { return };
    let layer = unpacked(&layer).expect("a layer can be unpacked");
    check_record(&layer, &dist_info);
    let Some(found) = unpacked(wheel) else { return };
    let data = format!("{}.data/", dist_info.trim_end_matches(".dist-info"));
    for (path, content) in found {
        let written_anew = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"]
            .iter()
            .any(|file| path == format!("{dist_info}/{file}"));
        if written_anew || path.starts_with(&data) {
            continue;
        }
        let installed = layer.get(&format!("python/{path}"));
        assert_eq!(installed, Some(&content), "{path} is another file in the layer");
    }
}

/// Checks that the layer's own `RECORD` lists the files of the wheel correctly.
fn check_record(layer: &Tree, dist_info: &str) {
    let own = format!("{dist_info}/RECORD");
    let text = String::from_utf8_lossy(&layer[&format!("python/{own}")]);
    let record = Record::parse(&text).expect("the layer's RECORD can be read");
    let listed: BTreeSet<&str> = record.paths().map(EntryPath::as_str).collect();
    let there: BTreeSet<&str> =
        layer.keys().filter_map(|path| path.strip_prefix("python/")).collect();
    assert_eq!(listed, there, "the layer's RECORD");
    for path in record.paths().filter(|path| path.as_str() != own) {
        let content = &layer[&format!("python/{path}")];
        let said = record.get(path).and_then(|line| line.hash.clone());
        assert_eq!(said, Some(Hash::Sha256(Digest::of(content))), "{path} in the layer's RECORD");
    }
}

fn read(folder: &Path, wheel: &[u8]) -> Option<Wheel> {
    read_accepting(folder, wheel, &Acceptances::default())
}

fn read_accepting(folder: &Path, wheel: &[u8], accepted: &Acceptances) -> Option<Wheel> {
    let path = folder.join(FILENAME);
    fs::write(&path, wheel).expect("written");
    Wheel::verify_accepting(&path, &FILENAME.parse().expect("a file name"), accepted).ok()
}

fn layer(folder: &Path, wheel: Wheel) -> Option<Vec<u8>> {
    let target: Target = "p3.12".parse().expect("a target");
    let lock = format!(
        "lock-version = \"1.0\"\n[[packages]]\nname = \"sample\"\nversion = \"1.0\"\n\
         wheels = [{{ url = \"http://index.example/{FILENAME}\", \
         hashes = {{ sha256 = \"{:064}\" }} }}]\n",
        0
    );
    let runtimes = Runtimes::default();
    let runtime = runtimes.get(target.python).expect("a runtime");
    let lock = Lock::parse(&lock, None, target, runtime).expect("a lock");
    let name = LayerName::new("Klayers", target, "sample").expect("a name");
    let recipe = Recipe::new(name, target);
    let zip = Layer::new(&recipe, &lock, &[wheel], &[], &[]).ok()?.write(folder).ok()?;
    Some(fs::read(&zip.file).expect("the layer"))
}

/// The files of a zip according to another reader. None if it refuses the zip.
fn unpacked(bytes: &[u8]) -> Option<Tree> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut files = Tree::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).ok()?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().ok()?.into_owned();
        let mut content = Vec::new();
        entry.take(LARGEST).read_to_end(&mut content).ok()?;
        files.insert(name, content);
    }
    Some(files)
}
