//! Cases 16 to 21: content that does not match the headers, or is too large.

use super::{Case, accepted, refused};
use crate::raw_zip::{Entry, Header, deflated, deflated_without_end};
use crate::rules;
use crate::wheel::{DATA, MODULE, Wheel};

/// Most entries of a wheel.
const MOST_ENTRIES: usize = 65_535;
/// Number of files of `ZEROS` zero bytes that exceed the limit of the unpacked size.
const TOO_MANY_ZEROS: usize = 129;
const ZEROS: usize = 16 << 20;

pub(super) fn cases() -> Vec<Case> {
    [checks(), streams(), methods(), bombs()].concat()
}

fn module(change: impl FnOnce(Entry) -> Entry) -> Wheel {
    Wheel::sample().change(MODULE, change)
}

fn checks() -> Vec<Case> {
    let wrong_crc = |header: &mut Header| header.crc ^= 1;
    let resized = |by: i32| {
        module(|entry| entry.both(|header| header.size = header.size.wrapping_add_signed(by)))
    };
    vec![
        refused(16, "a wrong CRC, deflated", &module(|entry| entry.both(wrong_crc)), rules::CRC),
        refused(
            16,
            "a wrong CRC, stored",
            &Wheel::sample().change(DATA, |entry| entry.both(wrong_crc)),
            rules::CRC,
        ),
        refused(16, "a CRC of 0", &module(|entry| entry.both(|header| header.crc = 0)), rules::CRC),
        refused(17, "a size one byte too short", &resized(-1), rules::SIZE),
        refused(17, "a size one byte too long", &resized(1), rules::SIZE),
        refused(
            17,
            "a size of 0",
            &module(|entry| entry.both(|header| header.size = 0)),
            rules::SIZE,
        ),
        refused(
            17,
            "a stored file with two sizes",
            &Wheel::sample().change(DATA, |entry| entry.both(|header| header.size -= 1)),
            rules::STORED_SIZES,
        ),
    ]
}

fn streams() -> Vec<Case> {
    let stream = |name, change: fn(Vec<u8>) -> Vec<u8>, rule| {
        let wheel = module(|entry| {
            let data = change(entry.data.clone());
            entry.data(data)
        });
        refused(18, name, &wheel, rule)
    };
    vec![
        stream("a byte after the stream", |data| [data, vec![0]].concat(), rules::STREAM_TAIL),
        stream(
            "a text after the stream",
            |data| [data, b"hidden".to_vec()].concat(),
            rules::STREAM_TAIL,
        ),
        stream("two streams", |data| [data.clone(), data].concat(), rules::STREAM_TAIL),
        stream(
            "no final block",
            |_| deflated_without_end("answer = 42\n".repeat(20).as_bytes()),
            rules::STREAM_CUT,
        ),
        stream(
            "a stream that is cut by a byte",
            |data| data[..data.len() - 1].to_vec(),
            rules::STREAM_CUT,
        ),
        stream("half a stream", |data| data[..data.len() / 2].to_vec(), rules::STREAM_CUT),
        stream("no stream", |_| Vec::new(), rules::STREAM_CUT),
        stream("a block of the reserved type", |_| vec![0b111, 0, 0, 0], rules::STREAM),
        stream("a stored block with a wrong length", |_| vec![1, 5, 0, 5, 0, 0], rules::STREAM),
        stream("a match before the beginning", |_| vec![0x4b, 0x04, 0x12, 0x00], rules::STREAM),
        accepted(
            18,
            "an empty file, deflated",
            &Wheel::sample().entry(Entry::deflated("sample/empty.py", "")),
        ),
    ]
}

fn methods() -> Vec<Case> {
    let method = |name, method: u16| {
        refused(
            19,
            name,
            &module(|entry| entry.both(|header| header.method = method)),
            rules::METHOD,
        )
    };
    let flagged = |name, flags: u16, rule| {
        refused(20, name, &module(|entry| entry.both(|header| header.flags |= flags)), rule)
    };
    let version =
        |version: u16| module(|entry| entry.both(|header| header.version_needed = version));
    vec![
        method("shrunk", 1),
        method("imploded", 6),
        method("Deflate64", 9),
        method("bzip2", 12),
        method("LZMA", 14),
        method("Zstandard", 93),
        method("XZ", 95),
        method("AES", 99),
        method("a method that nobody knows", 0xffff),
        flagged("encrypted", 1, rules::ENCRYPTED),
        flagged("strongly encrypted", 1 | 1 << 6, rules::ENCRYPTED),
        flagged("a masked directory", 1 << 13, rules::ENCRYPTED),
        flagged("patched data", 1 << 5, rules::PATCHED),
        accepted(20, "version 4.5 needed", &version(45)),
        refused(20, "version 4.6 needed", &version(46), rules::VERSION_NEEDED),
        refused(20, "version 6.3 needed", &version(63), rules::VERSION_NEEDED),
    ]
}

fn bombs() -> Vec<Case> {
    let zeros = Entry::deflated("sample/zeros0.bin", vec![0; ZEROS]);
    let many = |count: usize| {
        let entries = (0..count).map(|index| {
            let name = format!("sample/zeros{index}.bin").into_bytes();
            zeros.clone().both(|header| header.name.clone_from(&name))
        });
        let mut wheel = Wheel::sample();
        wheel.zip.entries.extend(entries);
        wheel
    };
    let claimed =
        |size: u32| Wheel::sample().entry(zeros.clone().both(|header| header.size = size));
    let files = |count: usize| {
        let empty = Entry::stored("x", "");
        let entries = (0..count).map(|index| {
            let name = format!("sample/{index:x}").into_bytes();
            empty.clone().both(|header| header.name.clone_from(&name))
        });
        let mut wheel = Wheel::sample().archive(|zip| zip.zip64 = true);
        wheel.zip.entries.extend(entries);
        wheel
    };
    // The entries of the sample: four files and RECORD.
    let own = 5;
    vec![
        accepted(21, "16 MiB of zeros", &many(1)),
        refused(
            21,
            "64 MiB of zeros",
            &Wheel::sample().entry(Entry::deflated("sample/zeros.bin", vec![0; 4 * ZEROS])),
            rules::RATIO,
        ),
        refused(21, "more than 2 GiB in all", &many(TOO_MANY_ZEROS), rules::TOO_LARGE),
        refused(21, "16 MiB that say they are 100 bytes", &claimed(100), rules::SIZE),
        refused(
            21,
            "a few bytes that say they are 4 GiB",
            &module(|entry| entry.both(|header| header.size = u32::MAX - 1)),
            rules::TOO_LARGE,
        ),
        refused(
            21,
            "a few bytes that say they are 1 GiB",
            &module(|entry| entry.both(|header| header.size = 1 << 30)),
            rules::SIZE,
        ),
        refused(21, "one entry too many", &files(MOST_ENTRIES + 1 - own), rules::TOO_MANY),
        refused(21, "1,000 names for 16 MiB", &shared(&zeros, 1_000), rules::OVERLAP),
        refused(
            21,
            "16 MiB and another stream behind them",
            &Wheel::sample().entry(zeros.clone().data([zeros.data, deflated(b"x")].concat())),
            rules::STREAM_TAIL,
        ),
    ]
}

/// Many directory entries that share the content of one entry.
fn shared(entry: &Entry, count: usize) -> Wheel {
    let mut wheel = Wheel::sample();
    wheel.zip.entries.insert(0, entry.clone());
    wheel.zip.entries.extend((1..count).map(|index| {
        let name = format!("sample/zeros{index}.bin").into_bytes();
        let mut entry = entry.clone().both(|header| header.name.clone_from(&name));
        entry.local = None;
        entry.locate = |header, _| header.offset = 0;
        entry
    }));
    wheel
}
