//! Cases 38 to 41: the destinations of files, and their other meanings.

use super::{Case, Verdict, accepted, noticed, refused};
use crate::raw_zip::{Entry, RawZip, extra};
use crate::rules;
use crate::wheel::{DATA, DIST_INFO, MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [spread(), entry_points(), noticeable(), tar()].concat()
}

fn sample() -> Wheel {
    Wheel::sample()
}

fn spread() -> Vec<Case> {
    let data = |path: &str| sample().file(format!("sample-1.0.data/{path}"), "other\n");
    vec![
        accepted(38, "purelib", &data("purelib/sample/pure.py")),
        accepted(
            38,
            "all of its parts",
            &data("platlib/sample/plat.py")
                .file("sample-1.0.data/scripts/tool", "#!python\nprint(1)\n")
                .file("sample-1.0.data/headers/sample.h", "//\n")
                .file("sample-1.0.data/data/share/sample.txt", "x\n"),
        ),
        refused(38, "an unknown part", &data("unknown/x"), rules::DATA_SCHEME),
        refused(38, "a file in no part", &data("x"), rules::DATA_SCHEME),
        refused(38, "scripts/../../x", &data("scripts/../../x"), rules::DOTS),
        refused(
            38,
            "purelib over a file at the root",
            &data(&format!("purelib/{MODULE}")),
            rules::DATA_CONFLICT,
        ),
        refused(
            38,
            "data over a file at the root",
            &data(&format!("data/{DATA}")),
            rules::DATA_CONFLICT,
        ),
        refused(
            38,
            "platlib over purelib",
            &data("purelib/x.py").file("sample-1.0.data/platlib/x.py", "x\n"),
            rules::DATA_CONFLICT,
        ),
        refused(
            38,
            "purelib over METADATA",
            &data(&format!("purelib/{DIST_INFO}/METADATA")),
            rules::DATA_CONFLICT,
        ),
        refused(
            38,
            "purelib over RECORD",
            &data(&format!("purelib/{DIST_INFO}/RECORD")),
            rules::DATA_CONFLICT,
        ),
        refused(
            38,
            "platlib below INSTALLER",
            &data(&format!("platlib/{DIST_INFO}/INSTALLER/x.py")),
            rules::DATA_CONFLICT,
        ),
        refused(
            38,
            "scripts below an entry point",
            &data("scripts/tool/x")
                .dist_info("entry_points.txt", "[console_scripts]\ntool = sample:main\n"),
            rules::DATA_CONFLICT,
        ),
        refused(
            38,
            "the data folder of another wheel",
            &sample().file("other-1.0.data/purelib/x.py", "x\n"),
            rules::DATA_SCHEME,
        ),
    ]
}

fn entry_points() -> Vec<Case> {
    let script = |line: &str| {
        sample().dist_info("entry_points.txt", &format!("[console_scripts]\n{line}\n"))
    };
    let wrong = |name, line| refused(39, name, &script(line), rules::ENTRY_POINT);
    vec![
        accepted(39, "a script", &script("tool = sample:main")),
        accepted(39, "a script with extras", &script("tool = sample:main [extra]")),
        wrong("../x", "../x = sample:main"),
        wrong("/x", "/tmp/x = sample:main"),
        wrong("a folder", "sub/x = sample:main"),
        wrong("a backslash", "..\\x = sample:main"),
        wrong("..", ".. = sample:main"),
        wrong("right-to-left override", "\u{202e}x = sample:main"),
        wrong("no name", "= sample:main"),
        wrong("no function", "tool = sample"),
        wrong("code instead of a function", "tool = sample:main();import os"),
        wrong("code instead of a module", "tool = os;os.system('x'):main"),
        wrong("two scripts of a name", "tool = sample:main\ntool = sample:other"),
        wrong("no =", "tool"),
        refused(
            39,
            "a name of 256 bytes",
            &script(&format!("{} = sample:main", "x".repeat(256))),
            rules::ENTRY_POINT,
        ),
        refused(
            39,
            "a heading that is not closed",
            &sample().dist_info("entry_points.txt", "[console_scripts\ntool = sample:main\n"),
            rules::ENTRY_POINT,
        ),
        refused(
            39,
            "a script in the place of another file",
            &script("tool = sample:main").file("sample-1.0.data/scripts/tool", "#!python\n"),
            rules::DATA_CONFLICT,
        ),
    ]
}

fn noticeable() -> Vec<Case> {
    vec![
        noticed(
            40,
            ".pth at the root",
            &sample().file("sample.pth", "import sys\n"),
            rules::NOTICE_PTH,
        ),
        noticed(
            40,
            ".pth in purelib",
            &sample().file("sample-1.0.data/purelib/sample.pth", "import sys\n"),
            rules::NOTICE_PTH,
        ),
        accepted(40, ".pth below the root", &sample().file("sample/x.pth", "import sys\n")),
        noticed(
            40,
            "json.py at the root",
            &sample().file("json.py", "x = 1\n"),
            rules::NOTICE_SHADOW,
        ),
        noticed(
            40,
            "json at the root",
            &sample().file("json/__init__.py", "x = 1\n"),
            rules::NOTICE_SHADOW,
        ),
        accepted(40, "json.py below the root", &sample().file("sample/json.py", "x = 1\n")),
    ]
}

fn tar() -> Vec<Case> {
    let archive = tar_header(b"x.txt").into_iter().chain([0; 1024]).collect();
    vec![
        refused(41, "a tar in the first extra field", &in_an_extra_field(), rules::TAR),
        refused(41, "a tar in the first file", &in_content(), rules::TAR),
        refused(41, "a tar in front", &sample().archive(|zip| zip.before = archive), rules::TAR),
        Case::of_bytes(
            41,
            "a tar and nothing else",
            &sample(),
            [tar_header(b"x.txt"), [0; 512], [0; 512]].concat(),
            Verdict::Refused(rules::TAR),
        ),
    ]
}

/// A tar header of an empty file (POSIX.1-1988, ustar) that begins with these bytes.
fn tar_header(beginning: &[u8]) -> [u8; 512] {
    let mut header = [0; 512];
    header[..beginning.len()].copy_from_slice(beginning);
    for (at, field) in [
        (100, &b"0000644\0"[..]),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, b"00000000000\0"),
        (136, b"00000000000\0"),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ] {
        header[at..at + field.len()].copy_from_slice(field);
    }
    summed(header)
}

/// A wheel whose first local header, with its extra field, is also a tar header.
fn in_an_extra_field() -> Wheel {
    let padded = |field: &[u8]| {
        sample().change(MODULE, |entry| entry.local(|header| header.extra = extra(0xcafe, field)))
    };
    let begins_at = 30 + MODULE.len() + 4;
    let beginning = padded(&vec![0; 512 - begins_at]).bytes();
    let header = tar_header(&beginning[..begins_at]);
    padded(&header[begins_at..])
}

/// A wheel whose first file, stored, makes the beginning of the wheel a tar header. The file's CRC
/// is among the bytes of the header's checksum, so bytes are tried until both are right.
fn in_content() -> Wheel {
    let name = "a.txt";
    let first = |content: &[u8]| {
        let mut wheel = sample();
        wheel.zip.entries.insert(0, Entry::stored(name, content));
        wheel
    };
    let begins_at = 30 + name.len();
    let sum_at = 148 - begins_at..156 - begins_at;
    let mut content = tar_header(&[])[begins_at..].to_vec();
    (0..u16::MAX)
        .find_map(|filler| {
            // The last bytes of a tar header are unused.
            content[470..472].copy_from_slice(&filler.to_le_bytes());
            // Most checksums are in a range of a few thousand: start from the one found last.
            let alone =
                RawZip { entries: vec![Entry::stored(name, &content)], ..RawZip::default() };
            let header: [u8; 512] = *alone.bytes().first_chunk().expect("a long file");
            let wanted = summed(header)[148..156].to_vec();
            let fits = content[sum_at.clone()] == wanted[..];
            content[sum_at.clone()].copy_from_slice(&wanted);
            fits.then(|| first(&content))
        })
        .expect("a filler whose sum and CRC agree")
}

/// The header with its checksum recomputed.
fn summed(mut header: [u8; 512]) -> [u8; 512] {
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
