//! Tests that a wheel with changed bytes gives the same layer or none: nothing panics or hangs, no
//! other content gets into a layer, and all unpackers agree about the layer.
//!
//! Fetched wheels have the SHA-256 of their lock; these checks are the defence behind that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use bad_wheels::raw_zip::{Entry, deflated};
use bad_wheels::{FILENAME, Wheel as Sample};
use klayers_core::Digest;

use crate::support::layers::Layers;
use crate::support::random::Random;
use crate::support::unpackers::{Tree, Unpacker};
use mutation::Mutation;

mod mutation;

/// Number of wheels that are changed at random.
const MUTANTS: u64 = 10_000;
/// Seed of the changes. A wheel that fails can be made again from the seed and its number.
const SEED: u64 = 0x6b6c_6179_6572_7300;
/// Time after which a wheel counts as hanging.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Valid wheels of every kind, all with the same file name.
fn valid_wheels() -> Vec<Vec<u8>> {
    let spread = Sample::sample()
        .file("sample-1.0.data/scripts/tool", "#!python\nprint(42)\n")
        .file("sample-1.0.data/purelib/pure.py", "pure = True\n")
        .dist_info("entry_points.txt", "[console_scripts]\nother = sample:main\n");
    let large = || Sample::sample().archive(|zip| zip.zip64 = true);
    let commented = Sample::sample()
        .entry(Entry::folder("sample/"))
        .change(bad_wheels::MODULE, |entry| entry.mode(0o100_755).extra(0x5455, &[1, 0, 0, 0, 0]))
        .archive(|zip| zip.comment = b"made by hand".to_vec());
    // Redundant statements that agree.
    let repeated = Sample::sample()
        .entry(Sample::sample().zip.entries[0].clone())
        .entry(Entry::new("sample/", b"", 8, deflated(b"")).unlisted().mode(0o040_755))
        .each(Entry::with_zip64_sizes_again);
    [
        Sample::sample(),
        repeated,
        spread,
        Sample::sample().each(Entry::with_descriptor),
        large().each(Entry::with_zip64_sizes),
        large().each(Entry::with_zip64_offset).each(Entry::with_descriptor),
        commented,
    ]
    .map(|wheel| wheel.bytes())
    .to_vec()
}

/// The files of a zip. None if it cannot be unpacked.
fn unpacked(path: &Path) -> Option<Tree> {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).ok()?;
    let mut files = Tree::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        files.insert(entry.name().ok()?.into_owned(), content);
    }
    Some(files)
}

/// The files in the layer of a wheel. None if the wheel is refused.
fn tree(layers: &Layers, wheel: &[u8]) -> Option<Tree> {
    let zip = layers.zip(wheel).ok()?;
    Some(unpacked(&zip.file).expect("a layer can be unpacked"))
}

#[test]
fn truncated_wheels_are_refused() {
    let layers = Layers::of(FILENAME);
    for (kind, whole) in valid_wheels().into_iter().enumerate() {
        for length in 0..whole.len() {
            let layer = layers.zip(&whole[..length]);
            assert!(layer.is_err(), "wheel {kind}, {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn wheels_with_a_flipped_bit_give_the_same_layer_or_none() {
    let layers = Layers::of(FILENAME);
    for (kind, whole) in valid_wheels().into_iter().enumerate() {
        let expected = tree(&layers, &whole).expect("a layer");
        let mut refused = 0;
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            match tree(&layers, &bytes) {
                None => refused += 1,
                Some(tree) => assert!(tree == expected, "wheel {kind}, byte {at}"),
            }
        }
        // Times, modes and similar fields do not affect the layer; changes of all others are
        // detected.
        assert!(refused > whole.len() * 2 / 3, "wheel {kind}: {refused} of {}", whole.len());
    }
}

/// The outcome for a changed wheel.
enum Outcome {
    Refused,
    /// A layer was made: its digest and its bytes.
    Accepted(Digest, Vec<u8>),
    Panicked,
}

#[test]
fn randomly_changed_wheels_give_the_same_layers_or_none() {
    let wheels = valid_wheels();
    let layers = Layers::of(FILENAME);
    let expected: Vec<Tree> =
        wheels.iter().map(|wheel| tree(&layers, wheel).expect("a layer")).collect();
    let (sender, outcomes) = mpsc::channel();
    for worker in 0..2 {
        let (wheels, sender) = (wheels.clone(), sender.clone());
        std::thread::spawn(move || {
            let layers = Layers::of(FILENAME);
            for number in (worker..MUTANTS).step_by(2) {
                let outcome = outcome(&layers, &wheels, number);
                if sender.send((number, outcome)).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);

    let mut open: BTreeSet<u64> = (0..MUTANTS).collect();
    let mut distinct: BTreeMap<Digest, (u64, Vec<u8>)> = BTreeMap::new();
    let mut taken = 0;
    while let Some(&next) = open.first() {
        let (number, outcome) = outcomes.recv_timeout(TIMEOUT).unwrap_or_else(|error| {
            panic!("no answer ({error}) about wheel {next} or the one after it, of seed {SEED:#x}")
        });
        open.remove(&number);
        match outcome {
            Outcome::Refused => {}
            Outcome::Accepted(digest, bytes) => {
                taken += 1;
                distinct.entry(digest).or_insert((number, bytes));
            }
            Outcome::Panicked => panic!("wheel {number} of seed {SEED:#x} causes a panic"),
        }
    }
    eprintln!("{taken} of {MUTANTS} were accepted, and gave {} layers", distinct.len());
    assert!(taken > 0, "at least one changed wheel must be accepted");
    let unpackers = Unpacker::installed();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layer.zip");
    for (number, bytes) in distinct.into_values() {
        fs::write(&path, bytes).unwrap();
        let found = unpacked(&path).unwrap_or_default();
        let as_before = expected.contains(&found);
        assert!(as_before, "wheel {number} of seed {SEED:#x} has other content");
        for unpacker in &unpackers {
            let other = unpacker.unpack(&path).unwrap_or_else(|error| panic!("{number}: {error}"));
            assert!(other == found, "{unpacker:?} unpacks the layer of wheel {number} differently");
        }
    }
}

/// Changes the wheel with this number and tries to make a layer of it.
fn outcome(layers: &Layers, wheels: &[Vec<u8>], number: u64) -> Outcome {
    let mut random = Random(SEED.wrapping_add(number << 20));
    let mut bytes = random.pick(wheels).clone();
    for _ in 0..=random.below(3) {
        Mutation::random(&mut random).apply(&mut bytes, wheels, &mut random);
    }
    let made = catch_unwind(AssertUnwindSafe(|| {
        let zip = layers.zip(&bytes).ok()?;
        Some((zip.digest, fs::read(&zip.file).unwrap()))
    }));
    match made {
        Ok(None) => Outcome::Refused,
        Ok(Some((digest, bytes))) => Outcome::Accepted(digest, bytes),
        Err(_) => Outcome::Panicked,
    }
}
