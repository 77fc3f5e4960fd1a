//! A wheel with a byte that is not as it was gives the same layer or none: nothing panics, and
//! nobody is given other content.
//!
//! Fetched wheels have the SHA-256 of their lock, so this is what stands behind that.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use klayers_build::assemble::Layer;
use klayers_build::fetch::FetchedWheel;
use klayers_build::lock::Lock;
use klayers_build::recipe::Recipe;
use klayers_build::wheel::{Rule, Wheel};
use klayers_core::LayerName;
use proptest::prelude::*;

use crate::samples::target;
use crate::support::{WheelFile, lock_of};

fn wheel() -> WheelFile {
    WheelFile::new("small", "1")
        .file("small/__init__.py", "answer = 42\n")
        .data("scripts/small", "#!python\nprint(42)\n")
        .dist_info("entry_points.txt", "[console_scripts]\nother = small:main\n")
}

/// A wheel that changes, and the lock it stays under.
struct Mangled {
    folder: tempfile::TempDir,
    fetched: FetchedWheel,
    lock: Lock,
    whole: BTreeMap<String, Vec<u8>>,
}

impl Mangled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_of(&[wheel()], folder.path(), target("p3.12"));
        let locked = lock.wheels()[0].clone();
        let path = folder.path().join(wheel().filename());
        let fetched = FetchedWheel { wheel: locked, path };
        let mut mangled = Self { folder, fetched, lock, whole: BTreeMap::new() };
        mangled.whole = mangled.layer(&wheel().bytes()).expect("a layer");
        mangled
    }

    /// What is in the layer of a wheel of these bytes; none if the layer is refused, by us or by
    /// whoever unpacks it.
    fn layer(&self, bytes: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
        fs::write(&self.fetched.path, bytes).unwrap();
        let name = LayerName::new("Klayers", target("p3.12"), "small").unwrap();
        let wheel = Wheel::verify(&self.fetched.path, &self.fetched.wheel.filename).ok();
        let zip =
            wheel.and_then(|wheel| assemble(&name, &self.lock, &[wheel], self.folder.path()).ok());
        let contents = zip.and_then(|zip| unpacked(&zip.file));
        // Whatever happened, nothing is left of it.
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1);
        contents
    }
}

/// The files of a zip; none if it cannot be unpacked.
fn unpacked(path: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).ok()?;
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        files.insert(entry.name().ok()?.into_owned(), content);
    }
    Some(files)
}

#[test]
fn a_wheel_that_is_cut_anywhere_is_refused() {
    let mangled = Mangled::new();
    let whole = wheel().bytes();
    for length in 0..whole.len() {
        fs::write(&mangled.fetched.path, &whole[..length]).unwrap();
        let error = Wheel::verify(&mangled.fetched.path, &mangled.fetched.wheel.filename);
        let error = error.map(drop).unwrap_err();
        assert_eq!(error.wheel(), "small-1-py3-none-any.whl");
        assert!(matches!(error.rule(), Rule::Framing(_)), "{length}: {error:?}");
    }
}

#[test]
fn a_wheel_with_a_bit_flipped_anywhere_gives_the_same_layer_or_none() {
    let mangled = Mangled::new();
    let whole = wheel().bytes();
    let mut refused = 0;
    for at in 0..whole.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            match mangled.layer(&bytes) {
                None => refused += 1,
                Some(layer) => assert!(layer == mangled.whole, "byte {at}, bit {bit:#x}"),
            }
        }
    }
    // Times, modes and the like are not taken over; all the rest is missed.
    assert!(refused > whole.len() * 2, "{refused} of {}", whole.len() * 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wheel_with_some_bytes_written_over_gives_the_same_layer_or_none(
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mangled = Mangled::new();
        let mut bytes = wheel().bytes();
        for (at, value) in patches {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(layer) = mangled.layer(&bytes) {
            prop_assert_eq!(layer, mangled.whole);
        }
    }
}
