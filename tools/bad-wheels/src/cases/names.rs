//! Cases 22 to 31: names and modes.

use super::{Case, accepted, noticed, refused};
use crate::raw_zip::{Entry, FLAG_UTF8};
use crate::rules;
use crate::wheel::{MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [leaving(), odd(), colliding(), modes()].concat()
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

fn colliding() -> Vec<Case> {
    let twice =
        |content: &str| Wheel::sample().file("sample/x.py", "x = 1\n").file("sample/x.py", content);
    let two = |one: &str, other: &str| Wheel::sample().file(one, "x = 1\n").file(other, "x = 2\n");
    vec![
        refused(27, "two files of a name, identical", &twice("x = 1\n"), rules::DUPLICATE),
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
