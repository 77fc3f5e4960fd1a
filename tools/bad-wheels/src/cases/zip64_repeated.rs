//! More of case 9: ZIP64 fields that repeat values of the header.

use super::{Case, accepted, refused};
use crate::raw_zip::{EXTRA_ZIP64, Entry, FLAG_DESCRIPTOR, Header, extra, zip64_sizes};
use crate::rules;
use crate::wheel::{MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [agreeing(), contradicting(), described(), with_disk()].concat()
}

fn module(change: impl FnOnce(Entry) -> Entry) -> Wheel {
    Wheel::sample().change(MODULE, change)
}

fn field(values: &[u32]) -> Vec<u8> {
    let wide = values.iter().flat_map(|&value| u64::from(value).to_le_bytes());
    extra(EXTRA_ZIP64, &wide.collect::<Vec<u8>>())
}

/// Adds a ZIP64 field with these values to the local header.
fn local(values: fn(&Header) -> Vec<u32>) -> Wheel {
    module(|entry| entry.local(|header| header.extra = field(&values(header))))
}

/// Adds a ZIP64 field with these values to the central header.
fn central(values: fn(&Header) -> Vec<u32>) -> Wheel {
    module(|entry| entry.central(|header| header.extra = field(&values(header))))
}

fn wrong(name: &'static str, wheel: &Wheel) -> Case {
    refused(9, name, wheel, rules::ZIP64_EXTRA)
}

/// A field of 28 bytes: both sizes, the offset and the number of the disk.
fn whole_field(values: [u32; 3], disk: u32) -> Vec<u8> {
    let wide = values.iter().flat_map(|&value| u64::from(value).to_le_bytes());
    let bytes: Vec<u8> = wide.chain(disk.to_le_bytes()).collect();
    extra(EXTRA_ZIP64, &bytes)
}

/// The first entry, whose local header is at 0, with such a field in its central header.
fn whole(values: fn(&Header) -> [u32; 3], disk: u32) -> Wheel {
    module(|entry| entry.central(|header| header.extra = whole_field(values(header), disk)))
}

/// With the number of the disk, which is 0 in all headers.
fn with_disk() -> Vec<Case> {
    let sizes_and = |change: fn(&mut Header)| {
        module(|entry| {
            entry.central(|header| {
                header.extra = whole_field([header.size, header.compressed_size, 0], 0);
                change(header);
            })
        })
    };
    vec![
        accepted(
            9,
            "a central ZIP64 field that repeats sizes, offset and disk",
            &whole(|header| [header.size, header.compressed_size, 0], 0),
        ),
        accepted(
            9,
            "a central ZIP64 field with the sizes, which repeats offset and disk",
            &sizes_and(|header| (header.compressed_size, header.size) = (u32::MAX, u32::MAX)),
        ),
        wrong(
            "a central ZIP64 field with another disk than its header",
            &whole(|header| [header.size, header.compressed_size, 0], 1),
        ),
        wrong(
            "a central ZIP64 field with disk 2^32 - 1",
            &whole(|header| [header.size, header.compressed_size, 0], u32::MAX),
        ),
        wrong(
            "a central ZIP64 field with a disk, which repeats another size",
            &whole(|header| [header.size + 1, header.compressed_size, 0], 0),
        ),
        wrong(
            "a central ZIP64 field with a disk, which repeats another compressed size",
            &whole(|header| [header.size, header.compressed_size + 1, 0], 0),
        ),
        wrong(
            "a central ZIP64 field with a disk, which repeats another offset",
            &whole(|header| [header.size, header.compressed_size, 1], 0),
        ),
        refused(
            9,
            "a central ZIP64 field with disk 0, where the header has another",
            &sizes_and(|header| header.disk = 1),
            rules::OTHER_DISK,
        ),
        refused(
            9,
            "a central ZIP64 field with disk 0, where the header leaves the disk to it",
            &sizes_and(|header| header.disk = u16::MAX),
            rules::OTHER_DISK,
        ),
        wrong(
            "a central ZIP64 field with sizes and a disk, without an offset",
            &module(|entry| {
                entry.central(|header| {
                    let mut bytes = zip64_sizes(header);
                    bytes.extend([0; 4]);
                    header.extra = extra(EXTRA_ZIP64, &bytes);
                })
            }),
        ),
        wrong(
            "a local ZIP64 field that repeats sizes, offset and disk",
            &module(|entry| {
                entry.local(|header| {
                    header.extra = whole_field([header.size, header.compressed_size, 0], 0);
                })
            }),
        ),
        wrong(
            "a local ZIP64 field that repeats sizes and disk",
            &module(|entry| {
                entry.local(|header| {
                    let mut bytes = zip64_sizes(header);
                    bytes.extend([0; 4]);
                    header.extra = extra(EXTRA_ZIP64, &bytes);
                })
            }),
        ),
    ]
}

fn agreeing() -> Vec<Case> {
    vec![
        accepted(
            9,
            "ZIP64 fields that repeat the sizes",
            &Wheel::sample().each(Entry::with_zip64_sizes_again),
        ),
        accepted(
            9,
            "a local ZIP64 field that repeats the sizes",
            &local(|header| vec![header.size, header.compressed_size]),
        ),
        accepted(
            9,
            "a central ZIP64 field that repeats the sizes",
            &central(|header| vec![header.size, header.compressed_size]),
        ),
        accepted(
            9,
            "a central ZIP64 field that repeats sizes and offset",
            &central(|header| vec![header.size, header.compressed_size, 0]),
        ),
        accepted(
            9,
            "a central ZIP64 field with the sizes, which repeats the offset",
            &module(|entry| {
                entry.central(|header| {
                    header.extra = field(&[header.size, header.compressed_size, 0]);
                    (header.compressed_size, header.size) = (u32::MAX, u32::MAX);
                })
            }),
        ),
        accepted(
            9,
            "ZIP64 fields with one size, which repeat the other",
            &module(|entry| {
                entry.both(|header| {
                    header.extra = field(&[header.size, header.compressed_size]);
                    header.size = u32::MAX;
                })
            }),
        ),
    ]
}

fn contradicting() -> Vec<Case> {
    vec![
        wrong(
            "a local ZIP64 field that repeats another size",
            &local(|header| vec![header.size + 1, header.compressed_size]),
        ),
        wrong(
            "a local ZIP64 field that repeats another compressed size",
            &local(|header| vec![header.size, header.compressed_size - 1]),
        ),
        wrong(
            "a local ZIP64 field that repeats the sizes the other way round",
            &local(|header| vec![header.compressed_size, header.size]),
        ),
        wrong("a local ZIP64 field that repeats one size", &local(|header| vec![header.size])),
        wrong(
            "a local ZIP64 field that repeats sizes and offset",
            &local(|header| vec![header.size, header.compressed_size, 0]),
        ),
        wrong(
            "a central ZIP64 field that repeats another size",
            &central(|header| vec![header.size - 1, header.compressed_size]),
        ),
        wrong(
            "a central ZIP64 field that repeats another offset",
            &central(|header| vec![header.size, header.compressed_size, 1]),
        ),
        wrong(
            "a central ZIP64 field that repeats four values",
            &central(|header| vec![header.size, header.compressed_size, 0, 0]),
        ),
        wrong(
            "ZIP64 fields that repeat one size before the other, which readers expect first",
            &module(|entry| {
                entry.both(|header| {
                    header.extra = field(&[header.size, header.compressed_size]);
                    header.compressed_size = u32::MAX;
                })
            }),
        ),
        wrong(
            "two ZIP64 fields that repeat the sizes",
            &Wheel::sample()
                .each(Entry::with_zip64_sizes_again)
                .each(Entry::with_zip64_sizes_again),
        ),
        refused(
            9,
            "a ZIP64 field that repeats zeros without a descriptor",
            &local(|_| vec![0, 0]),
            rules::ZIP64_EXTRA,
        ),
        refused(
            9,
            "a ZIP64 field that repeats the sizes of a local header alone",
            &module(|entry| {
                entry.local(|header| {
                    header.size += 1;
                    header.extra = field(&[header.size, header.compressed_size]);
                })
            }),
            rules::LOCAL_DIFFERS,
        ),
    ]
}

/// Before a data descriptor.
fn described() -> Vec<Case> {
    // Python's form for an output that cannot seek: zeros, and all values after the content.
    let streamed = |change: fn(&mut Entry)| {
        module(|entry| {
            let mut entry = entry.with_descriptor();
            entry.descriptor = entry.wide_descriptor_bytes();
            let mut entry = entry.local(|header| header.extra = extra(EXTRA_ZIP64, &[0; 16]));
            change(&mut entry);
            entry
        })
    };
    vec![
        accepted(9, "a ZIP64 field that repeats zeros before a descriptor", &streamed(|_| ())),
        accepted(
            9,
            "a ZIP64 field that repeats the sizes before a descriptor",
            &module(|entry| {
                let mut entry = entry.both(|header| header.flags |= FLAG_DESCRIPTOR);
                entry.descriptor = entry.wide_descriptor_bytes();
                entry.with_zip64_sizes_again()
            }),
        ),
        wrong(
            "a ZIP64 field with sizes where the header has zeros",
            &streamed(|entry| {
                let sizes = entry.central.as_ref().map(zip64_sizes).expect("a header");
                let local = entry.local.as_mut().expect("a header");
                local.extra = extra(EXTRA_ZIP64, &sizes);
            }),
        ),
        refused(
            9,
            "a ZIP64 field that repeats zeros before a descriptor of 4-byte sizes",
            &streamed(|entry| entry.descriptor = entry.descriptor_bytes()),
            rules::DESCRIPTOR,
        ),
        refused(
            9,
            "a ZIP64 field that repeats zeros before a descriptor with another size",
            &streamed(|entry| entry.descriptor[16] ^= 1),
            rules::DESCRIPTOR,
        ),
    ]
}
