//! Cases 36 and 37: the distribution that a wheel claims to be.

use super::{Case, accepted, noticed, refused};
use crate::rules;
use crate::wheel::{DIST_INFO, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [identity(), metadata()].concat()
}

fn sample() -> Wheel {
    Wheel::sample()
}

/// A redundant additional suffix of the folder.
const DOUBLED: &str = ".dist-info.dist-info";

fn identity() -> Vec<Case> {
    let version = |text: &str| {
        sample().dist_info("WHEEL", &format!("{text}Root-Is-Purelib: true\nTag: py3-none-any\n"))
    };
    let other = rules::OTHER_DISTRIBUTION;
    let hidden = |name, path: &str| {
        let wheel = sample().file(format!("sample-1.0.data/{path}"), "Name: other\n");
        refused(36, name, &wheel, rules::SECOND_DIST_INFO)
    };
    let doubled = sample().record(|text| text.replace(".dist-info", DOUBLED)).each(|entry| {
        entry.both(|header| {
            let name = String::from_utf8_lossy(&header.name);
            header.name = name.replace(".dist-info", DOUBLED).into_bytes();
        })
    });
    let mut none = sample();
    none.zip.entries.truncate(2);
    vec![
        refused(36, "no .dist-info", &none.without_record(), rules::DIST_INFO_COUNT),
        refused(
            36,
            "two .dist-info",
            &sample().file("other-1.0.dist-info/METADATA", "Name: other\n"),
            rules::DIST_INFO_COUNT,
        ),
        refused(
            36,
            "two .dist-info that differ by case",
            &sample().file("Sample-1.0.dist-info/METADATA", "Name: other\n"),
            rules::DIST_INFO_COUNT,
        ),
        refused(
            36,
            "two .dist-info, the ending of one in capitals",
            &sample().file("other-1.0.DIST-INFO/METADATA", "Name: other\n"),
            rules::DIST_INFO_COUNT,
        ),
        hidden("a second .dist-info in purelib", "purelib/other-1.0.dist-info/METADATA"),
        hidden("a second .dist-info in platlib", "platlib/other-1.0.dist-info/METADATA"),
        hidden("a second .dist-info in data", "data/other-1.0.dist-info/METADATA"),
        hidden("a second .dist-info in purelib, in capitals", "purelib/Sample-1.0.Dist-Info/x"),
        accepted(
            36,
            "a file of its own .dist-info in purelib",
            &sample().file(format!("sample-1.0.data/purelib/{DIST_INFO}/more.txt"), "x\n"),
        ),
        refused(36, "another name", &sample().named("other-1.0-py3-none-any.whl"), other),
        refused(36, "another version", &sample().named("sample-1.1-py3-none-any.whl"), other),
        refused(36, ".dist-info.dist-info", &doubled, other),
        accepted(
            36,
            "the name spelled differently",
            &sample().named("Sample-1.0-py3-none-any.whl"),
        ),
        accepted(
            36,
            "the version spelled differently",
            &sample().named("sample-1.0.0-py3-none-any.whl"),
        ),
        refused(37, "Wheel-Version 2.0", &version("Wheel-Version: 2.0\n"), rules::WHEEL_VERSION),
        refused(37, "Wheel-Version 10.0", &version("Wheel-Version: 10.0\n"), rules::WHEEL_VERSION),
        refused(37, "no Wheel-Version", &version(""), rules::WHEEL_VERSION),
        refused(37, "Wheel-Version 1.x", &version("Wheel-Version: 1.x\n"), rules::WHEEL_VERSION),
        noticed(37, "Wheel-Version 1.9", &version("Wheel-Version: 1.9\n"), rules::NOTICE_VERSION),
    ]
}

/// The beginning of the sample's METADATA.
const NAMED: &str = "Metadata-Version: 2.4\nName: sample\nVersion: 1.0\n";

fn metadata() -> Vec<Case> {
    let metadata = |text: &str| sample().dist_info("METADATA", text);
    let metadata_rule = rules::METADATA_DISAGREES;
    vec![
        refused(
            36,
            "another name in METADATA",
            &metadata("Metadata-Version: 2.4\nName: other\nVersion: 1.0\n"),
            metadata_rule,
        ),
        refused(
            36,
            "another version in METADATA",
            &metadata("Metadata-Version: 2.4\nName: sample\nVersion: 1.1\n"),
            metadata_rule,
        ),
        refused(36, "METADATA without a name", &metadata("Version: 1.0\n"), metadata_rule),
        refused(
            36,
            "METADATA with two names",
            &metadata("Metadata-Version: 2.4\nName: sample\nName: other\nVersion: 1.0\n"),
            metadata_rule,
        ),
        refused(36, "an empty METADATA", &metadata(""), metadata_rule),
        refused(
            36,
            "no METADATA",
            &sample().without("sample-1.0.dist-info/METADATA"),
            "it has no sample-1.0.dist-info/METADATA",
        ),
        refused(
            36,
            "no WHEEL",
            &sample().without("sample-1.0.dist-info/WHEEL"),
            "it has no sample-1.0.dist-info/WHEEL",
        ),
        noticed(
            36,
            "METADATA with two authors",
            &metadata(&format!("{NAMED}Author: one\nAuthor: two\n")),
            rules::NOTICE_FIELDS,
        ),
        noticed(
            36,
            "METADATA with a name twice, the same",
            &metadata(&format!("{NAMED}Name: sample\n")),
            rules::NOTICE_FIELDS,
        ),
        noticed(
            36,
            "METADATA with a licence that is not indented",
            &metadata(&format!("{NAMED}License: one\nAll rights reserved.\nKeywords: x\n")),
            rules::NOTICE_HEADERS,
        ),
        refused(
            36,
            "METADATA with another version after a line that is not indented",
            &metadata(&format!("{NAMED}License: one\nAll rights reserved.\nVersion: 1.1\n")),
            metadata_rule,
        ),
        refused(
            36,
            "METADATA with a requirement after a line that is not indented",
            &metadata(&format!("{NAMED}License: one\nMIT\nRequires-Dist: other\n")),
            metadata_rule,
        ),
        refused(
            36,
            "METADATA with a name after a line that is no header",
            &metadata("Metadata-Version: 2.4\nsample\nName: sample\nVersion: 1.0\n"),
            metadata_rule,
        ),
        refused(
            36,
            "METADATA for two ranges of Python",
            &metadata(&format!("{NAMED}Requires-Python: >=3\nRequires-Python: <3\n")),
            metadata_rule,
        ),
        refused(
            36,
            "METADATA with a carriage return in a line",
            &metadata(&format!("{NAMED}Author: one\rVersion: 1.1\n")),
            metadata_rule,
        ),
    ]
}
