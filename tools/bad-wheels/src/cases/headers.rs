//! Cases 10 and 12 to 14: the two headers of an entry, and its descriptor.

use super::{Case, accepted, refused};
use crate::raw_zip::{
    EXTRA_UNICODE_PATH, Entry, FLAG_DESCRIPTOR, FLAG_UTF8, Header, deflated, extra,
};
use crate::rules;
use crate::wheel::{MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [extras(), local_headers(), descriptors()].concat()
}

fn sample() -> Wheel {
    Wheel::sample()
}

fn extras() -> Vec<Case> {
    let unicode_path = |name: &str, of: &str| {
        let crc = crc32fast::hash(of.as_bytes());
        [&[1][..], &crc.to_le_bytes(), name.as_bytes()].concat()
    };
    let with_extra = |id, field: &[u8]| sample().change(MODULE, |entry| entry.extra(id, field));
    let raw = |bytes: &'static [u8]| {
        sample().change(MODULE, |entry| entry.both(|header| header.extra = bytes.to_vec()))
    };
    let id = EXTRA_UNICODE_PATH;
    let other = unicode_path("sample/__main__.py", MODULE);
    let central_only = extra(id, &other);
    vec![
        accepted(10, "a Unicode path that agrees", &with_extra(id, &unicode_path(MODULE, MODULE))),
        refused(10, "a Unicode path of another file", &with_extra(id, &other), rules::UNICODE_PATH),
        refused(
            10,
            "a Unicode path of another file, in the directory alone",
            &sample().change(MODULE, |entry| entry.central(|header| header.extra = central_only)),
            rules::UNICODE_PATH,
        ),
        refused(
            10,
            "a Unicode path for another name",
            &with_extra(id, &unicode_path(MODULE, "other")),
            rules::UNICODE_PATH,
        ),
        refused(10, "a Unicode path of 3 bytes", &with_extra(id, &[1, 0, 0]), rules::UNICODE_PATH),
        refused(
            10,
            "a Unicode path of version 2",
            &with_extra(id, &[&[2][..], &unicode_path(MODULE, MODULE)[1..]].concat()),
            rules::UNICODE_PATH,
        ),
        refused(10, "an extra field that is cut", &raw(b"\x75\x70\x20\0\x01"), rules::EXTRA_CUT),
        refused(10, "an extra field's header that is cut", &raw(b"\x75\x70\x01"), rules::EXTRA_CUT),
        accepted(10, "an extra field with a time", &with_extra(0x5455, b"\x01\0\0\0\0")),
        accepted(10, "an extra field that nobody knows", &with_extra(0xcafe, b"hello")),
    ]
}

fn local_headers() -> Vec<Case> {
    let differs = |name, change: fn(&mut Header), rule| {
        refused(12, name, &sample().change(MODULE, |entry| entry.local(change)), rule)
    };
    let folder = |content: &str| {
        let mut entry = Entry::stored("sample/folder/", content).unlisted();
        entry = entry.both(|header| header.external = 0o040_755 << 16);
        sample().entry(entry)
    };
    let nothing = |stream: Vec<u8>| {
        let entry = Entry::new("sample/folder/", b"", 8, stream).unlisted();
        sample().entry(entry.mode(0o040_755))
    };
    let different = rules::LOCAL_DIFFERS;
    vec![
        differs(
            "another name of the same length",
            |header| header.name[0] = b'x',
            rules::LOCAL_NAME,
        ),
        differs("a longer name", |header| header.name.push(b'c'), rules::LOCAL_NAME),
        differs(
            "another length of the name",
            |header| header.name_length = Some(4),
            rules::LOCAL_NAME,
        ),
        differs("another CRC", |header| header.crc ^= 1, different),
        differs("another size", |header| header.size += 1, different),
        differs("another compressed size", |header| header.compressed_size -= 1, different),
        differs(
            "sizes of 0 without a descriptor",
            |header| (header.size, header.compressed_size) = (0, 0),
            different,
        ),
        differs("another method", |header| header.method = 0, different),
        differs("encrypted in one header alone", |header| header.flags |= 1, rules::LOCAL_DIFFERS),
        differs("UTF-8 in one header alone", |header| header.flags |= FLAG_UTF8, different),
        differs(
            "a descriptor in one header alone",
            |header| header.flags |= FLAG_DESCRIPTOR,
            different,
        ),
        differs("another signature", |header| header.signature = *b"PK\x03\x05", rules::NO_LOCAL),
        accepted(14, "a folder", &folder("")),
        accepted(14, "a folder with a stream of nothing", &nothing(deflated(b""))),
        accepted(
            14,
            "a folder with a stream of empty blocks",
            &nothing([&[0, 0, 0, 0xff, 0xff][..], &deflated(b"")].concat()),
        ),
        refused(14, "a folder with content", &folder("payload"), rules::FOLDER_CONTENT),
        refused(
            14,
            "a folder with a stream that says it is nothing",
            &nothing(deflated(b"payload")),
            rules::FOLDER_CONTENT,
        ),
        refused(
            14,
            "a folder with bytes behind its stream of nothing",
            &nothing([deflated(b""), b"payload".to_vec()].concat()),
            rules::FOLDER_CONTENT,
        ),
        refused(
            14,
            "a folder with a stream of nothing that is cut",
            &nothing(vec![3]),
            rules::FOLDER_CONTENT,
        ),
        refused(
            14,
            "a folder with a stream of nothing and a CRC",
            &Wheel::sample().entry(
                Entry::new("sample/folder/", b"", 8, deflated(b""))
                    .unlisted()
                    .mode(0o040_755)
                    .both(|header| header.crc = 1),
            ),
            rules::FOLDER_CONTENT,
        ),
        refused(
            14,
            "a folder with stored bytes that says it is empty",
            &Wheel::sample()
                .entry(Entry::new("sample/folder/", b"", 0, b"payload".to_vec()).unlisted()),
            rules::STORED_SIZES,
        ),
        refused(
            14,
            "a folder with content, deflated",
            &sample().entry(Entry::deflated("sample/folder/", "payload").unlisted()),
            rules::FOLDER_CONTENT,
        ),
        refused(
            14,
            "a file that says it is a folder",
            &sample().change(MODULE, |entry| entry.mode(0o040_755)),
            rules::SPECIAL_FILE,
        ),
    ]
}

fn descriptors() -> Vec<Case> {
    let described = |change: fn(&mut Vec<u8>)| {
        sample().change(MODULE, |entry| {
            let mut entry = entry.with_descriptor();
            change(&mut entry.descriptor);
            entry
        })
    };
    let wrong = |name, change: fn(&mut Vec<u8>), rule| refused(13, name, &described(change), rule);
    let wide = |bytes: &mut Vec<u8>| {
        let sizes = [bytes[8..12].to_vec(), vec![0; 4], bytes[12..].to_vec(), vec![0; 4]].concat();
        bytes.splice(8.., sizes);
    };
    vec![
        accepted(13, "descriptors", &sample().each(Entry::with_descriptor)),
        accepted(
            13,
            "descriptors without their signature",
            &sample().each(|entry| {
                let mut entry = entry.with_descriptor();
                entry.descriptor.drain(..4);
                entry
            }),
        ),
        accepted(
            13,
            "descriptors beside headers that are full",
            &sample().each(|entry| {
                let mut entry = entry.both(|header| header.flags |= FLAG_DESCRIPTOR);
                entry.descriptor = entry.descriptor_bytes();
                entry
            }),
        ),
        wrong("a wrong CRC in the descriptor", |bytes| bytes[4] ^= 1, rules::DESCRIPTOR),
        wrong(
            "a wrong compressed size in the descriptor",
            |bytes| bytes[8] ^= 1,
            rules::DESCRIPTOR,
        ),
        wrong("a wrong size in the descriptor", |bytes| bytes[12] ^= 1, rules::DESCRIPTOR),
        wrong("no descriptor", Vec::clear, rules::DESCRIPTOR),
        wrong("a descriptor that is cut", |bytes| bytes.truncate(9), rules::DESCRIPTOR),
        wrong("a descriptor of 8-byte sizes without ZIP64", wide, rules::DESCRIPTOR),
        wrong("bytes after the descriptor", |bytes| bytes.push(0), rules::DESCRIPTOR),
        refused(
            13,
            "a descriptor that no header announces",
            &sample().change(MODULE, |mut entry| {
                entry.descriptor = entry.descriptor_bytes();
                entry
            }),
            rules::GAP,
        ),
    ]
}
