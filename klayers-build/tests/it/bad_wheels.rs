//! Tests that wheels which break a rule are refused for that rule, and that valid but unusual
//! wheels are accepted.
//!
//! The wheels come from the crate `bad-wheels`, numbered by rule. Rules 15, 32 and 42 to 45 need
//! more than one wheel's bytes: `mangled_wheels` tests every prefix and flipped bit, `supply` the
//! others.

mod supply;

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use bad_wheels::raw_zip::{Entry, deflated, deflated_without_end};
use bad_wheels::{Case, Verdict, Wheel as Sample, cases};
use klayers_wheel::{Wheel, WheelFilename};

use crate::support::layers::Layers;

/// The notices about a wheel, or the rule that it breaks.
fn verdict(bytes: &[u8], filename: &str) -> Result<Vec<String>, String> {
    let filename: WheelFilename = filename.parse().expect(filename);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    match Wheel::verify(file.path(), &filename) {
        Ok(wheel) => Ok(wheel.inventory().notices.iter().map(ToString::to_string).collect()),
        Err(error) => {
            assert_eq!(error.wheel(), filename.to_string());
            Err(error.rule().to_string())
        }
    }
}

/// Describes an unexpected verdict about a case.
fn complaint(case: &Case) -> Option<String> {
    let said = verdict(&case.bytes, &case.filename);
    let as_expected = match (&said, case.verdict) {
        (Ok(notices), Verdict::Accepted) => notices.is_empty(),
        (Ok(notices), Verdict::Noticed(part)) => notices.len() == 1 && notices[0].contains(part),
        (Err(rule), Verdict::Refused(part)) => rule.contains(part),
        _ => false,
    };
    let Case { number, name, verdict, .. } = case;
    (!as_expected).then(|| format!("{number}, {name}: expected {verdict:?}, got {said:?}"))
}

#[track_caller]
fn all_as_expected(numbers: std::ops::RangeInclusive<u8>) {
    let cases = cases().into_iter().filter(|case| numbers.contains(&case.number));
    let complaints: Vec<String> = cases.filter_map(|case| complaint(&case)).collect();
    assert!(complaints.is_empty(), "{} cases:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn framing_of_the_archive_is_checked() {
    all_as_expected(1..=15);
}

#[test]
fn every_byte_of_the_content_is_checked() {
    all_as_expected(16..=21);
}

#[test]
fn entry_names_are_checked() {
    all_as_expected(22..=31);
}

#[test]
fn metadata_and_record_are_checked() {
    all_as_expected(33..=41);
}

#[test]
fn unusual_valid_wheels_give_the_layer_of_the_plain_wheel() {
    let sample = Sample::sample();
    let layers = Layers::of(bad_wheels::FILENAME);
    let plain = installed(&layers.bytes(&sample.bytes()).expect("a layer"));
    let same = |case: &Case| {
        let accepted = !matches!(case.verdict, Verdict::Refused(_));
        // The wheels of later rules contain other files, listed or not.
        accepted && case.number <= 31 && case.listed == sample.listed()
    };
    let mut tried = 0;
    for case in cases().into_iter().filter(same) {
        let layer = layers.bytes(&case.bytes);
        let layer = layer.unwrap_or_else(|error| panic!("{}, {}: {error}", case.number, case.name));
        // Of the mode, only the executable bits affect the layer.
        if !matches!(case.name, "mode 0755" | "setuid" | "mode 07777") {
            assert!(installed(&layer) == plain, "{}, {}", case.number, case.name);
        }
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}

/// The files below `python` in a layer: name, mode, and the stored content. The lock beside that
/// folder states the size of the wheel, which may differ.
fn installed(layer: &[u8]) -> Vec<(String, Option<u32>, bool, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(layer)).expect("a zip");
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index_raw(index).expect("an entry");
        let name = entry.name().expect("a name").into_owned();
        assert!(entry.extra_data().is_none_or(|extra| extra.is_empty()), "{name}");
        let mut stored = Vec::new();
        entry.read_to_end(&mut stored).expect("its content");
        let compressed = entry.compression() != zip::CompressionMethod::Stored;
        files.push((name, entry.unix_mode(), compressed, stored));
    }
    files.retain(|(name, ..)| name.starts_with("python/"));
    files
}

/// A library that is not detected would not be checked against the runtime.
#[test]
fn library_is_detected_however_its_stream_splits_the_first_bytes() {
    let library = b"\x7fELF and nothing else";
    // More empty blocks than are read at once.
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(40_000);
    for first in 0..4 {
        let (one, rest) = library.split_at(first);
        let stream = [&deflated_without_end(one)[..], &nothing, &deflated(rest)].concat();
        let entry = Entry::new("sample/x.so", library, 8, stream);
        let said = verdict(&Sample::sample().entry(entry).bytes(), bad_wheels::FILENAME);
        let [notice] = &said.as_ref().unwrap()[..] else { panic!("{first}: {said:?}") };
        assert!(notice.starts_with("sample/x.so is not a valid ELF file"), "{notice}");
    }
}

#[test]
fn every_accepted_wheel_gives_a_layer() {
    for case in cases() {
        if !matches!(case.verdict, Verdict::Refused(_)) {
            let layer = Layers::of(&case.filename).bytes(&case.bytes);
            assert!(layer.is_ok(), "{}, {}: {layer:?}", case.number, case.name);
        }
    }
}

#[test]
fn each_rule_has_a_case_and_case_names_are_unique() {
    let cases = cases();
    let numbers: BTreeSet<u8> = cases.iter().map(|case| case.number).collect();
    let expected: BTreeSet<u8> = (1..=41).filter(|&number| number != 32).collect();
    assert_eq!(numbers, expected);
    let names: BTreeSet<(u8, &str)> = cases.iter().map(|case| (case.number, case.name)).collect();
    assert_eq!(names.len(), cases.len());
    // A case equal to the sample would test nothing.
    let sample = Sample::sample().bytes();
    for case in cases.iter().filter(|case| case.filename == bad_wheels::FILENAME) {
        assert!(case.bytes != sample, "{}, {}", case.number, case.name);
    }
}
