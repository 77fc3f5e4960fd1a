//! Cases 8 and 9: records and fields for archives above 4 GiB.

use super::{Case, accepted, refused};
use crate::raw_zip::{EXTRA_ZIP64, Ends, Entry, Header, Zip64, extra, zip64_sizes};
use crate::rules;
use crate::wheel::{MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [records(), fields()].concat()
}

fn zip64() -> Wheel {
    Wheel::sample().archive(|zip| zip.zip64 = true)
}

fn spoilt(spoil: fn(&mut Ends)) -> Wheel {
    zip64().archive(|zip| zip.spoil.push(spoil))
}

/// The classic record with the values of the ZIP64 record instead of the marker values.
fn plain(ends: &mut Ends) {
    if let Some(zip64) = &ends.zip64 {
        let narrow = |value: u64| u32::try_from(value).expect("a small archive");
        (ends.size, ends.offset) = (narrow(zip64.size), narrow(zip64.offset));
        ends.count = u16::try_from(zip64.count).expect("a small archive");
        ends.count_here = ends.count;
    }
}

fn wide(ends: &mut Ends) -> &mut Zip64 {
    ends.zip64.as_mut().expect("a ZIP64 record")
}

fn records() -> Vec<Case> {
    let wrong = |name, spoil, rule| refused(8, name, &spoilt(spoil), rule);
    let (locator, disagrees) = (rules::ZIP64_LOCATOR, rules::ZIP64_DISAGREES);
    vec![
        accepted(8, "ZIP64 that is not needed", &zip64()),
        accepted(8, "ZIP64 beside a classic record with the same values", &spoilt(plain)),
        wrong("a locator that points elsewhere", |ends| wide(ends).locator_offset -= 1, locator),
        wrong("a locator that points to 0", |ends| wide(ends).locator_offset = 0, locator),
        wrong(
            "a locator that points past the end",
            |ends| wide(ends).locator_offset = u64::MAX - 20,
            locator,
        ),
        wrong(
            "a gap between record and locator",
            |ends| wide(ends).gap = b"hidden".to_vec(),
            locator,
        ),
        wrong("a record of another size", |ends| wide(ends).record_size = 45, disagrees),
        wrong(
            "a record with more data",
            |ends| {
                wide(ends).data = b"\x01\0\0\0\0\0".to_vec();
                wide(ends).record_size = 50;
            },
            locator,
        ),
        wrong("two disks", |ends| wide(ends).locator_disks = 2, locator),
        wrong("another disk", |ends| wide(ends).disk = 1, disagrees),
        wrong("fewer entries on this disk", |ends| wide(ends).count_here -= 1, disagrees),
        wrong(
            "a classic count that disagrees",
            |ends| {
                plain(ends);
                (ends.count, ends.count_here) = (ends.count - 1, ends.count_here - 1);
            },
            disagrees,
        ),
        wrong(
            "a classic size that disagrees",
            |ends| {
                plain(ends);
                ends.size -= 1;
            },
            disagrees,
        ),
        wrong(
            "a classic offset that disagrees",
            |ends| {
                plain(ends);
                ends.offset -= 1;
            },
            disagrees,
        ),
        wrong(
            "a ZIP64 count that disagrees",
            |ends| {
                let zip64 = wide(ends);
                (zip64.count, zip64.count_here) = (zip64.count + 1, zip64.count_here + 1);
            },
            rules::TOO_MANY_SAID,
        ),
        wrong(
            "a ZIP64 count of 2^64 - 1",
            |ends| {
                let zip64 = wide(ends);
                (zip64.count, zip64.count_here) = (u64::MAX, u64::MAX);
            },
            rules::TOO_MANY,
        ),
        wrong(
            "a ZIP64 offset that disagrees",
            |ends| wide(ends).offset -= 1,
            rules::DIRECTORY_PLACE,
        ),
        wrong(
            "a ZIP64 offset that overflows",
            |ends| wide(ends).offset = u64::MAX,
            rules::DIRECTORY_PLACE,
        ),
        wrong("a ZIP64 size that disagrees", |ends| wide(ends).size -= 1, rules::DIRECTORY_PLACE),
        refused(
            8,
            "full classic values without ZIP64",
            &Wheel::sample().archive(|zip| {
                zip.spoil.push(|ends| (ends.size, ends.offset) = (u32::MAX, u32::MAX));
            }),
            rules::ZIP64_MISSING,
        ),
    ]
}

fn fields() -> Vec<Case> {
    let resized = |change: fn(&mut Vec<u8>)| {
        Wheel::sample().change(MODULE, move |entry| {
            entry.both(|header| {
                let mut field = zip64_sizes(header);
                change(&mut field);
                header.extra = extra(EXTRA_ZIP64, &field);
                (header.compressed_size, header.size) = (u32::MAX, u32::MAX);
            })
        })
    };
    let rule = rules::ZIP64_EXTRA;
    vec![
        accepted(9, "sizes in ZIP64 fields", &zip64().each(Entry::with_zip64_sizes)),
        accepted(9, "offsets in ZIP64 fields", &zip64().each(Entry::with_zip64_offset)),
        accepted(
            9,
            "descriptors with 8-byte sizes",
            &zip64().change(MODULE, |entry| {
                let mut entry = entry.with_descriptor();
                entry.descriptor = entry.wide_descriptor_bytes();
                let entry = entry.with_zip64_sizes();
                entry.local(|header| header.extra = extra(EXTRA_ZIP64, &[0; 16]))
            }),
        ),
        refused(9, "no ZIP64 field for a full size", &module(|entry| entry.both(full)), rule),
        refused(
            9,
            "no ZIP64 field for a full size, in the directory alone",
            &module(|entry| entry.central(full)),
            rule,
        ),
        refused(
            9,
            "no ZIP64 field for a full offset",
            &module(|mut entry| {
                entry.locate = |header, _| header.offset = u32::MAX;
                entry
            }),
            rule,
        ),
        refused(9, "an empty ZIP64 field", &resized(Vec::clear), rule),
        refused(9, "a ZIP64 field of 7 bytes", &resized(|field| field.truncate(7)), rule),
        refused(9, "a ZIP64 field with one size of two", &resized(|field| field.truncate(8)), rule),
        refused(9, "a ZIP64 field that is too long", &resized(|field| field.push(0)), rule),
        refused(9, "a ZIP64 field with 8 bytes more", &resized(|field| field.extend([0; 8])), rule),
        refused(
            9,
            "two ZIP64 fields",
            &module(|entry| {
                let entry = entry.with_zip64_sizes();
                entry.both(|header| header.extra.extend(extra(EXTRA_ZIP64, &[9; 16])))
            }),
            rule,
        ),
        refused(
            9,
            "a ZIP64 field that nothing asks for, with other values",
            &module(|entry| entry.extra(EXTRA_ZIP64, &[9; 16])),
            rule,
        ),
        refused(
            9,
            "other sizes in the local ZIP64 field",
            &module(|entry| {
                let entry = entry.with_zip64_sizes();
                entry.local(|header| header.extra[4] ^= 1)
            }),
            rules::LOCAL_DIFFERS,
        ),
        refused(9, "a file behind 2^63 bytes", &behind_2_63(), rules::CUT),
        refused(
            9,
            "two sizes that add up to more than 2^64",
            &module(|entry| with_wide_size(entry, u64::MAX))
                .file("sample/other.py", "other\n")
                .change("sample/other.py", |entry| with_wide_size(entry, u64::MAX)),
            rules::TOO_LARGE,
        ),
    ]
}

/// An entry with this unpacked size in its headers.
fn with_wide_size(entry: Entry, size: u64) -> Entry {
    entry.both(|header| {
        header.extra = extra(EXTRA_ZIP64, &size.to_le_bytes());
        header.size = u32::MAX;
    })
}

/// A wheel with an entry whose stated size reaches to offset 2^63, and an entry at that offset.
fn behind_2_63() -> Wheel {
    const FAR: u64 = 1 << 63;
    let long = "sample/long.py";
    let directory = Wheel::sample().bytes().windows(4).position(|bytes| bytes == b"PK\x01\x02");
    let header = 30 + long.len() + extra(EXTRA_ZIP64, &[0; 8]).len();
    let begins_at = directory.expect("a directory") + header;
    let length = FAR - begins_at as u64;
    let reaching = Entry::deflated(long, "").unlisted().both(|header| {
        header.extra = extra(EXTRA_ZIP64, &length.to_le_bytes());
        header.compressed_size = u32::MAX;
    });
    let mut far = Entry::stored("sample/far.py", "").unlisted();
    far.locate = |header, _| {
        header.offset = u32::MAX;
        header.extra = extra(EXTRA_ZIP64, &FAR.to_le_bytes());
    };
    Wheel::sample().last(reaching).last(far)
}

fn module(change: impl FnOnce(Entry) -> Entry) -> Wheel {
    Wheel::sample().change(MODULE, change)
}

/// Sizes that require a ZIP64 extra field.
fn full(header: &mut Header) {
    (header.compressed_size, header.size) = (u32::MAX, u32::MAX);
}
