//! Cases 22 to 31: names and modes.

use super::{Case, accepted, noticed, refused};
use crate::raw_zip::{Entry, FLAG_DESCRIPTOR, FLAG_UTF8, Header, extra};
use crate::rules;
use crate::wheel::{MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [leaving(), odd(), repeated(), colliding(), modes()].concat()
}

fn named(name: impl AsRef<[u8]>) -> Wheel {
    Wheel::sample().file(name, "x = 1\n")
}

fn leaving() -> Vec<Case> {
    let folder = |name: &str| Wheel::sample().entry(Entry::folder(name));
    vec![
        refused(22, "../x", &named("../x"), rules::DOTS),
        refused(22, "../ in the middle", &named("sample/../../x"), rules::DOTS),
        refused(22, "../ that stays inside", &named("sample/../x"), rules::DOTS),
        refused(22, "./x", &named("./x"), rules::DOTS),
        refused(22, "..", &named(".."), rules::DOTS),
        refused(22, "a folder ../", &folder("../x/"), rules::DOTS),
        refused(22, "/x", &named("/tmp/klayers-x"), rules::ABSOLUTE),
        refused(22, "//x", &named("//x"), rules::ABSOLUTE),
        refused(22, "a folder /", &folder("/"), rules::EMPTY_PART),
        refused(22, "C:/x", &named("C:/x"), rules::DRIVE),
        refused(22, "C:x", &named("C:x"), rules::DRIVE),
        refused(22, "C:\\x", &named("C:\\x"), rules::BACKSLASH),
        refused(22, "\\\\server\\share\\x", &named("\\\\server\\share\\x"), rules::BACKSLASH),
        refused(22, "//server/share/x", &named("//server/share/x"), rules::ABSOLUTE),
        refused(23, "a backslash", &named("sample\\x.py"), rules::BACKSLASH),
        refused(23, "..\\x", &named("..\\x"), rules::BACKSLASH),
        refused(23, "a folder with a backslash", &folder("sample\\x/"), rules::BACKSLASH),
    ]
}

fn odd() -> Vec<Case> {
    let control = rules::CONTROL;
    let bidirectional = rules::BIDIRECTIONAL;
    let folders = format!("{}/", "x".repeat(199)).repeat(19);
    vec![
        refused(24, "NUL", &named("sample/a\0b.py"), control),
        refused(24, "NUL before the extension", &named("sample/x.py\0.txt"), control),
        refused(24, "a newline", &named("sample/a\nb.py"), control),
        refused(24, "a carriage return", &named("sample/a\rb.py"), control),
        refused(24, "an escape sequence", &named("sample/\x1b[31m.py"), control),
        refused(24, "DEL", &named("sample/\x7f.py"), control),
        refused(24, "a C1 control character", &named("sample/\u{85}.py"), control),
        refused(24, "a line separator", &named("sample/\u{2028}.py"), control),
        refused(25, "right-to-left override", &named("sample/\u{202e}yp.txt"), bidirectional),
        refused(25, "left-to-right embedding", &named("sample/\u{202a}x.py"), bidirectional),
        refused(25, "right-to-left isolate", &named("sample/\u{2067}x.py"), bidirectional),
        refused(25, "right-to-left mark", &named("sample/\u{200f}x.py"), bidirectional),
        accepted(25, "Hebrew, which needs none of these", &named("sample/שלום.py")),
        refused(26, "not UTF-8", &named(b"sample/\xff.py"), rules::NOT_UTF8),
        refused(26, "UTF-8 that is cut", &named(b"sample/\xc3"), rules::NOT_UTF8),
        refused(
            26,
            "UTF-8 that is too long for its character",
            &named(b"sample/\xc0\xaf"),
            rules::NOT_UTF8,
        ),
        refused(26, "a surrogate", &named(b"sample/\xed\xa0\x80.py"), rules::NOT_UTF8),
        accepted(26, "UTF-8, flagged", &named("sample/ünï.py")),
        refused(
            26,
            "UTF-8, not flagged",
            &named("sample/ünï.py")
                .change("sample/ünï.py", |entry| entry.both(|header| header.flags &= !FLAG_UTF8)),
            rules::NAME_ENCODING,
        ),
        refused(26, "an empty name", &named(""), rules::EMPTY_PART),
        refused(26, "an empty part", &named("sample//x.py"), rules::EMPTY_PART),
        accepted(26, "a part of 255 bytes", &named(format!("sample/{}.py", "x".repeat(252)))),
        refused(
            26,
            "a part of 256 bytes",
            &named(format!("sample/{}.py", "x".repeat(253))),
            rules::LONG_PART,
        ),
        refused(
            26,
            "a part of 256 bytes in 128 characters",
            &named(format!("sample/{}", "ü".repeat(128))),
            rules::LONG_PART,
        ),
        accepted(26, "a name of 4,000 bytes", &named(format!("{folders}{}", "y".repeat(200)))),
        refused(
            26,
            "a name of 4,001 bytes",
            &named(format!("{folders}{}", "y".repeat(201))),
            rules::LONG_NAME,
        ),
        refused(26, "a name of 32,000 parts", &named("a/".repeat(32_000) + "a"), rules::LONG_NAME),
    ]
}

/// Entries that are listed twice, identical or almost.
fn repeated() -> Vec<Case> {
    let sample = Wheel::sample();
    let module = sample.zip.entries[0].clone();
    let same = |name, again: &[Entry]| {
        let mut wheel = Wheel::sample();
        wheel.zip.entries.extend_from_slice(again);
        noticed(27, name, &wheel, rules::NOTICE_REPEATED)
    };
    let almost = |name, again: Entry| {
        refused(27, name, &Wheel::sample().last(again.unlisted()), rules::DUPLICATE)
    };
    let header = |name, change: fn(&mut Header)| almost(name, module.clone().both(change));
    let content = "answer = 42\n".repeat(20);
    let (stored, shorter) = (Entry::stored(MODULE, &content), Entry::stored(MODULE, ""));
    let blocks = [&[0, 0, 0, 0xff, 0xff][..], &module.data].concat();
    let mut described = module.clone().both(|header| header.flags |= FLAG_DESCRIPTOR);
    described.descriptor = described.descriptor_bytes();
    let folder = Entry::folder("sample/");
    vec![
        same("two files of a name, identical", std::slice::from_ref(&module)),
        same("three files of a name, identical", &[module.clone(), module.clone()]),
        same("two folders of a name, identical", &[folder.clone(), folder.clone()]),
        same("two files called METADATA, identical", std::slice::from_ref(&sample.zip.entries[2])),
        almost("two files of a name, one empty", shorter),
        almost("two files of a name, one compressed", stored),
        almost("two files of a name, one compressed in another way", module.clone().data(blocks)),
        almost("two files of a name, one with a descriptor", described),
        almost("two files of a name, one executable", module.clone().mode(0o100_755)),
        almost(
            "two files of a name, one with an extra field",
            module.clone().extra(0xcafe, b"hello"),
        ),
        almost(
            "two files of a name, one with an extra field in the directory alone",
            module.clone().central(|header| header.extra = extra(0xcafe, b"hello")),
        ),
        almost(
            "two files of a name, one with an extra field in its local header alone",
            module.clone().local(|header| header.extra = extra(0xcafe, b"hello")),
        ),
        almost(
            "two files of a name, one of another time in its local header alone",
            module.clone().local(|header| header.time += 1),
        ),
        header("two files of a name, one with other flags", |header| header.flags |= 2),
        header("two files of a name, one marked as UTF-8", |header| header.flags |= FLAG_UTF8),
        header("two files of a name, one of another time", |header| header.time += 1),
        header("two files of a name, one of another version", |header| header.version_needed = 10),
        header("two files of a name, one made by DOS", |header| header.version_made = 20),
        refused(
            27,
            "two folders of a name, different",
            &Wheel::sample().entry(folder.clone()).entry(folder.mode(0o040_700)),
            rules::DUPLICATE,
        ),
        refused(
            27,
            "three files of a name, the last different",
            &Wheel::sample().entry(module.clone()).last(module.clone().unlisted().mode(0)),
            rules::DUPLICATE,
        ),
    ]
}

fn colliding() -> Vec<Case> {
    let twice =
        |content: &str| Wheel::sample().file("sample/x.py", "x = 1\n").file("sample/x.py", content);
    let two = |one: &str, other: &str| Wheel::sample().file(one, "x = 1\n").file(other, "x = 2\n");
    vec![
        refused(27, "two files of a name, different", &twice("x = 2\n"), rules::DUPLICATE),
        refused(
            27,
            "two files called METADATA",
            &Wheel::sample()
                .file("sample-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: other\n"),
            rules::DUPLICATE,
        ),
        refused(
            27,
            "a second RECORD",
            &Wheel::sample().last(Entry::stored("sample-1.0.dist-info/RECORD", "").unlisted()),
            rules::DUPLICATE,
        ),
        noticed(
            28,
            "names that differ by case",
            &two("sample/X.py", "sample/x.py"),
            rules::NOTICE_COLLISION,
        ),
        noticed(
            28,
            "folders that differ by case",
            &two("sample/sub/x.py", "sample/Sub/y.py"),
            rules::NOTICE_COLLISION,
        ),
        noticed(
            28,
            "names that differ by Unicode normalisation",
            &two("sample/\u{e9}.py", "sample/e\u{301}.py"),
            rules::NOTICE_COLLISION,
        ),
        refused(29, "a file and a file below it", &two("p", "p/q.py"), rules::FILE_AND_FOLDER),
        refused(29, "a file below one that follows", &two("p/q.py", "p"), rules::FILE_AND_FOLDER),
        refused(
            29,
            "a file below one, with others between them in order",
            &two("p", "p/q.py").file("p-q", "x = 3\n").file("p.r", "x = 4\n"),
            rules::FILE_AND_FOLDER,
        ),
        refused(
            29,
            "a folder of a file's name",
            &named("p").entry(Entry::folder("p/")),
            rules::DUPLICATE,
        ),
    ]
}

fn modes() -> Vec<Case> {
    let mode = |mode: u32| Wheel::sample().change(MODULE, |entry| entry.mode(mode));
    let special = rules::SPECIAL_FILE;
    let link = Entry::stored("sample/link", "../../etc/passwd").mode(0o120_777);
    vec![
        refused(30, "a symbolic link", &Wheel::sample().entry(link.clone()), rules::SYMLINK),
        refused(
            30,
            "a symbolic link made by macOS",
            &Wheel::sample().entry(link.central(|header| header.version_made = 0x1314)),
            rules::SYMLINK,
        ),
        refused(30, "a device", &mode(0o060_644), special),
        refused(30, "a named pipe", &mode(0o010_644), special),
        refused(30, "a socket", &mode(0o140_644), special),
        accepted(31, "no mode", &mode(0)),
        accepted(31, "a mode without a file type", &mode(0o644)),
        accepted(31, "mode 0000", &mode(0o100_000)),
        accepted(31, "mode 0600", &mode(0o100_600)),
        accepted(31, "mode 0666", &mode(0o100_666)),
        accepted(31, "mode 0755", &mode(0o100_755)),
        accepted(31, "setuid", &mode(0o104_755)),
        accepted(31, "mode 07777", &mode(0o107_777)),
        accepted(
            31,
            "made by DOS",
            &Wheel::sample().change(MODULE, |entry| {
                entry.central(|header| (header.version_made, header.external) = (20, 0x20))
            }),
        ),
    ]
}
