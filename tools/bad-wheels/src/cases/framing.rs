//! Cases 1 to 7, 11 and 15: bytes around the entries, and their positions.

use super::{Case, Verdict, accepted, refused};
use crate::raw_zip::{Entry, RawZip};
use crate::rules;
use crate::wheel::{DATA, DIST_INFO, MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [around(), directory(), overlaps(), cut()].concat()
}

fn sample() -> Wheel {
    Wheel::sample()
}

/// Another valid wheel with the same name and other content.
fn impostor() -> Wheel {
    sample().without(MODULE).file(MODULE, "answer = 43\n")
}

fn with(change: impl FnOnce(&mut RawZip)) -> Wheel {
    sample().archive(change)
}

fn around() -> Vec<Case> {
    let commented = |comment: Vec<u8>| with(|zip| zip.comment = comment);
    let prefixed = [b"#!/bin/sh\n".to_vec(), sample().bytes()].concat();
    let nested = [impostor().bytes(), sample().bytes()].concat();
    vec![
        refused(
            1,
            "another archive appended",
            &with(|zip| zip.after = impostor().bytes()),
            rules::DIRECTORY_PLACE,
        ),
        refused(
            1,
            "another end record appended",
            &with(|zip| zip.after = RawZip::default().bytes()),
            rules::DIRECTORY_PLACE,
        ),
        Case::of_bytes(
            1,
            "another archive in front",
            &sample(),
            nested,
            Verdict::Refused(rules::DIRECTORY_PLACE),
        ),
        refused(2, "a byte after the end", &with(|zip| zip.after = vec![0]), rules::AFTER_END),
        refused(
            2,
            "a text after the end",
            &with(|zip| zip.after = b"and more\n".to_vec()),
            rules::AFTER_END,
        ),
        refused(
            2,
            "64 KiB after the end",
            &with(|zip| zip.after = vec![0; 1 << 16]),
            rules::NO_END,
        ),
        refused(
            3,
            "a script in front, offsets right",
            &with(|zip| zip.before = b"#!/bin/sh\n".to_vec()),
            rules::BEFORE_START,
        ),
        Case::of_bytes(
            3,
            "a script in front, offsets from before",
            &sample(),
            prefixed,
            Verdict::Refused(rules::DIRECTORY_PLACE),
        ),
        accepted(4, "a plain comment", &commented(b"made by hand".to_vec())),
        accepted(4, "the longest comment", &commented(vec![b'x'; 0xffff])),
        refused(
            4,
            "an archive in the comment",
            &commented(impostor().bytes()),
            rules::DIRECTORY_PLACE,
        ),
        refused(
            4,
            "an end record's signature in the comment",
            &commented(b"PK\x05\x06, it says".to_vec()),
            rules::TWO_ENDS,
        ),
        refused(
            4,
            "a comment longer than the file",
            &with(|zip| zip.spoil.push(|ends| ends.comment_length = 10)),
            rules::AFTER_END,
        ),
        refused(
            5,
            "an entry's comment",
            &sample()
                .change(MODULE, |entry| entry.central(|header| header.comment = b"hello".to_vec())),
            rules::ENTRY_COMMENT,
        ),
    ]
}

fn directory() -> Vec<Case> {
    let spoilt = |name, spoil, rule| refused(6, name, &with(|zip| zip.spoil.push(spoil)), rule);
    let hidden = |mut entry: Entry| {
        entry.central = None;
        entry.unlisted()
    };
    let absent = |mut entry: Entry| {
        entry.local = None;
        entry
    };
    vec![
        spoilt("a directory one byte later", |ends| ends.offset += 1, rules::DIRECTORY_PLACE),
        spoilt("a directory one byte earlier", |ends| ends.offset -= 1, rules::DIRECTORY_PLACE),
        spoilt("a directory at 0", |ends| ends.offset = 0, rules::DIRECTORY_PLACE),
        spoilt("a directory after the end", |ends| ends.offset = 1 << 30, rules::DIRECTORY_PLACE),
        spoilt("a directory one byte longer", |ends| ends.size += 1, rules::DIRECTORY_PLACE),
        spoilt("a directory one byte shorter", |ends| ends.size -= 1, rules::DIRECTORY_PLACE),
        spoilt("a directory of 0 bytes", |ends| ends.size = 0, rules::DIRECTORY_PLACE),
        spoilt("a directory of 2 GiB", |ends| ends.size = 1 << 31, rules::DIRECTORY_PLACE),
        spoilt(
            "one entry less",
            |ends| (ends.count, ends.count_here) = (ends.count - 1, ends.count_here - 1),
            rules::TOO_FEW,
        ),
        spoilt(
            "one entry more",
            |ends| (ends.count, ends.count_here) = (ends.count + 1, ends.count_here + 1),
            rules::TOO_MANY_SAID,
        ),
        spoilt("no entries", |ends| (ends.count, ends.count_here) = (0, 0), rules::TOO_FEW),
        spoilt("fewer entries on this disk", |ends| ends.count_here -= 1, rules::DISKS),
        spoilt("another disk", |ends| ends.disk = 1, rules::DISKS),
        spoilt("a directory on another disk", |ends| ends.directory_disk = 1, rules::DISKS),
        refused(
            6,
            "bytes in the directory that are no entry",
            &with(|zip| zip.directory_tail = b"PK\x05\x05\0\0".to_vec()),
            rules::TOO_FEW,
        ),
        refused(
            6,
            "a gap before the directory",
            &with(|zip| zip.gap = b"hidden".to_vec()),
            rules::GAP,
        ),
        refused(
            6,
            "an entry on another disk",
            &sample().change(MODULE, |entry| entry.central(|header| header.disk = 1)),
            rules::ENTRY_DISK,
        ),
        refused(
            7,
            "an entry that the directory does not have",
            &sample().entry(hidden(Entry::deflated("sample/hidden.py", "x = 1\n"))),
            rules::GAP,
        ),
        refused(
            7,
            "an entry that only the directory has",
            &sample().entry(absent(Entry::deflated("sample/absent.py", "x = 1\n"))),
            rules::LOCAL_NAME,
        ),
        refused(
            7,
            "an offset into the content of another entry",
            &sample().change(DATA, |mut entry| {
                entry.locate = |header, _| header.offset = 40;
                entry
            }),
            rules::OVERLAP,
        ),
        refused(
            7,
            "an offset after the end",
            &sample().change(DATA, |mut entry| {
                entry.locate = |header, _| header.offset = 1 << 30;
                entry
            }),
            rules::GAP,
        ),
    ]
}

fn overlaps() -> Vec<Case> {
    vec![
        refused(11, "two names for the same content", &sample().entry(twice()), rules::OVERLAP),
        refused(11, "an entry inside the content of another", &inside_another(), rules::OVERLAP),
        refused(
            11,
            "content that reaches into the next entry",
            &sample().change(DATA, |entry| {
                entry.both(|header| (header.compressed_size, header.size) = (60, 60))
            }),
            rules::OVERLAP,
        ),
        refused(
            11,
            "content that reaches into the directory",
            &sample().last(
                Entry::stored("sample/last.txt", "x")
                    .both(|header| (header.compressed_size, header.size) = (9, 9)),
            ),
            rules::OVERLAP,
        ),
    ]
}

/// A second central header for the first entry.
fn twice() -> Entry {
    let mut entry = sample().zip.entries[0].clone().central(|header| {
        header.name = b"sample/again.py".to_vec();
    });
    entry.local = None;
    entry.locate = |header, _| header.offset = 0;
    entry
}

/// A stored file that is itself a local header with content, and a directory that lists both.
fn inside_another() -> Wheel {
    let mut inner =
        RawZip { entries: vec![Entry::stored("inner.py", "x = 1\n")], ..RawZip::default() }.bytes();
    inner.truncate(30 + "inner.py".len() + "x = 1\n".len());
    let mut wheel = sample();
    wheel.zip.entries.insert(0, Entry::stored("outer", inner));
    let mut entry = Entry::stored("inner.py", "x = 1\n");
    entry.local = None;
    entry.locate = |header, _| header.offset = 30 + 5;
    wheel.entry(entry)
}

/// Other tests try every prefix and every flipped byte; these cases are for the other installers.
fn cut() -> Vec<Case> {
    let whole = sample().bytes();
    let changed = |name, bytes: Vec<u8>, rule| {
        Case::of_bytes(15, name, &sample(), bytes, Verdict::Refused(rule))
    };
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let data = sample().zip.entries[0].data.len();
    let record = format!("{DIST_INFO}/RECORD");
    let in_record = whole.windows(record.len()).position(|bytes| bytes == record.as_bytes());
    vec![
        changed("an empty file", Vec::new(), rules::NO_END),
        changed("the last byte missing", whole[..whole.len() - 1].to_vec(), rules::AFTER_END),
        changed("the second half missing", whole[..whole.len() / 2].to_vec(), rules::NO_END),
        changed("the first byte missing", whole[1..].to_vec(), rules::DIRECTORY_PLACE),
        changed(
            "a flipped bit in a deflated file",
            flip(30 + MODULE.len() + data / 2),
            rules::STREAM,
        ),
        changed(
            "a flipped bit in a stored file",
            flip(30 + MODULE.len() + data + 30 + DATA.len() + 3),
            rules::CRC,
        ),
        changed(
            "a flipped bit in a name",
            flip(in_record.expect("the name") + 3),
            rules::LOCAL_NAME,
        ),
    ]
}
