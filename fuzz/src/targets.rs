//! What the fuzzer calls. The tests of `klayers-build` call the same functions with the seeds, so
//! all of this goes through what is public.

#![allow(dead_code, reason = "each target calls one of these")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

use bad_wheels::{DIST_INFO, FILENAME, Wheel as Sample};
use klayers_build::assemble::Layer;
use klayers_build::lock::Lock;
use klayers_build::recipe::Recipe;
use klayers_build::wheel::Wheel;
use klayers_core::{LayerName, Runtimes, Target};

/// The largest entry that is compared, in bytes: a bomb is the reader's business.
const LARGEST: u64 = 1 << 24;

type Tree = BTreeMap<String, Vec<u8>>;

/// A wheel of any bytes is read or refused.
pub(crate) fn reader(wheel: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    read(folder.path(), wheel);
}

/// A wheel with any `RECORD` is read or refused, and what is read holds the files that it held.
pub(crate) fn record(text: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let record = bad_wheels::raw_zip::Entry::stored(format!("{DIST_INFO}/RECORD"), text);
    read(folder.path(), &Sample::sample().without_record().entry(record).bytes());
}

/// A wheel with any `METADATA` is read or refused; its `RECORD` is true.
pub(crate) fn metadata(text: &[u8]) {
    let path = format!("{DIST_INFO}/METADATA");
    let file = bad_wheels::raw_zip::Entry::stored(&path, text);
    let wheel = Sample::sample().without(&path).entry(file).bytes();
    let folder = tempfile::tempdir().expect("a folder");
    read(folder.path(), &wheel);
}

/// A wheel that is taken gives a layer that another reader unpacks, with every file of the wheel as
/// that reader finds it there.
pub(crate) fn assembly(wheel: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(layer) = layer(folder.path(), wheel) else { return };
    let layer = unpacked(&layer).expect("a layer can be unpacked");
    let Some(found) = unpacked(wheel) else { return };
    for (path, content) in found {
        let written_anew = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"]
            .iter()
            .any(|file| path == format!("{DIST_INFO}/{file}"));
        if written_anew || path.starts_with("sample-1.0.data/") {
            continue;
        }
        let installed = layer.get(&format!("python/{path}"));
        assert_eq!(installed, Some(&content), "{path} is another file in the layer");
    }
}

fn read(folder: &Path, wheel: &[u8]) -> Option<Wheel> {
    let path = folder.join(FILENAME);
    fs::write(&path, wheel).expect("written");
    Wheel::verify(&path, &FILENAME.parse().expect("a file name")).ok()
}

fn layer(folder: &Path, wheel: &[u8]) -> Option<Vec<u8>> {
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
    let wheel = read(folder, wheel)?;
    let recipe = Recipe::new(LayerName::new("Klayers", target, "sample").expect("a name"));
    let zip = Layer::new(&recipe, &lock, &[wheel], &[], &[]).ok()?.write(folder).ok()?;
    Some(fs::read(&zip.file).expect("the layer"))
}

/// The files of a zip as another reader finds them; none if it does not take the zip.
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
