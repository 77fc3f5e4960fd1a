//! Cases 33 to 35: the lines of `RECORD`.

use klayers_core::Digest;

use super::{Case, accepted, noticed, refused};
use crate::raw_zip::Entry;
use crate::rules;
use crate::wheel::{DATA, DIST_INFO, MODULE, Wheel};

pub(super) fn cases() -> Vec<Case> {
    [listing(), spelling(), hashes(), spelt_otherwise()].concat()
}

/// The SHA-256 of no bytes.
const EMPTY: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

fn sample() -> Wheel {
    Wheel::sample()
}

fn wrong(number: u8, name: &'static str, change: fn(String) -> String, rule: &'static str) -> Case {
    refused(number, name, &sample().record(change), rule)
}

/// Which files are listed.
fn listing() -> Vec<Case> {
    let signature = |file: &str| {
        sample().entry(Entry::deflated(format!("{DIST_INFO}/{file}"), "{}").unlisted())
    };
    vec![
        refused(
            33,
            "a file that RECORD does not list",
            &sample().entry(Entry::deflated("sample/extra.py", "x = 1\n").unlisted()),
            rules::UNLISTED,
        ),
        refused(
            33,
            "METADATA not in RECORD",
            &sample().change("sample-1.0.dist-info/METADATA", Entry::unlisted),
            rules::UNLISTED,
        ),
        wrong(
            33,
            "a line without a file",
            |text| text + "sample/gone.py,,\n",
            rules::LISTED_MISSING,
        ),
        wrong(33, "../ in RECORD", |text| text + "../x,,\n", rules::RECORD_PATH),
        wrong(33, "/ in RECORD", |text| text + "/etc/passwd,,\n", rules::RECORD_PATH),
        wrong(33, "a backslash in RECORD", |text| text + "sample\\x.py,,\n", rules::RECORD_PATH),
        wrong(33, "an empty RECORD", |_| String::new(), rules::UNLISTED),
        wrong(
            33,
            "a line twice, different",
            |text| format!("{MODULE},sha256={EMPTY},0\n{text}"),
            rules::CONTRADICTION,
        ),
        wrong(33, "a quote that is not closed", |text| format!("\"{text}"), rules::RECORD_PATH),
        wrong(33, "more than three fields", |text| format!("x,,,\n{text}"), rules::RECORD_PATH),
        accepted(33, "a line twice, the same", &sample().record(|text| format!("{text}{text}"))),
        accepted(33, "RECORD.jws is exempt", &signature("RECORD.jws")),
        accepted(33, "RECORD.p7s is exempt", &signature("RECORD.p7s")),
        accepted(33, "RECORD with CRLF", &sample().record(|text| text.replace('\n', "\r\n"))),
        accepted(
            33,
            "RECORD without its own line",
            &sample().record(|text| text.replace("sample-1.0.dist-info/RECORD,,\n", "")),
        ),
        refused(35, "no RECORD", &sample().without_record(), rules::NO_RECORD),
        refused(
            35,
            "RECORD.jws alone",
            &signature("RECORD.jws").without_record(),
            rules::NO_RECORD,
        ),
    ]
}

/// How their paths are spelled.
fn spelling() -> Vec<Case> {
    vec![
        noticed(
            33,
            "./ before a path in RECORD",
            &sample().record(|text| format!("./{text}")),
            rules::NOTICE_PATHS,
        ),
        noticed(
            33,
            "/ before a path in RECORD",
            &sample().record(|text| format!("/{text}")),
            rules::NOTICE_PATHS,
        ),
        noticed(
            33,
            "a path in RECORD with ./ and without, the same",
            &sample().record(|text| format!("./{text}{text}")),
            rules::NOTICE_PATHS,
        ),
        wrong(
            33,
            "a path in RECORD with ./ and without, different",
            |text| format!("./{MODULE},,1\n{text}"),
            rules::CONTRADICTION,
        ),
        wrong(
            33,
            "a path in RECORD with / and without, different",
            |text| format!("{text}/{DATA},,1\n"),
            rules::CONTRADICTION,
        ),
        wrong(
            33,
            "./ before a path that is not there",
            |text| text + "./x,,\n",
            rules::RECORD_PATH,
        ),
        wrong(33, "./../ in RECORD", |text| text + "./../x,,\n", rules::RECORD_PATH),
        wrong(33, "/../ in RECORD", |text| format!("/../{text}"), rules::RECORD_PATH),
        wrong(33, "/./ before a path in RECORD", |text| format!("/./{text}"), rules::RECORD_PATH),
        wrong(33, "././ before a path in RECORD", |text| format!("././{text}"), rules::RECORD_PATH),
        wrong(33, "// before a path in RECORD", |text| format!("//{text}"), rules::RECORD_PATH),
    ]
}

/// Their hashes and sizes.
fn hashes() -> Vec<Case> {
    vec![
        wrong(
            34,
            "a hash that is too long",
            |text| text.replacen("sha256=", "sha256=A", 1),
            rules::NOT_SHA256,
        ),
        wrong(34, "the hash of other content", |text| of_other_content(&text), rules::RECORD_HASH),
        wrong(34, "another size", |text| text.replacen(",240\n", ",241\n", 1), rules::RECORD_SIZE),
        wrong(
            34,
            "a size that is no number",
            |text| text.replacen(",240\n", ",many\n", 1),
            rules::NOT_A_SIZE,
        ),
        wrong(
            34,
            "a negative size",
            |text| text.replacen(",240\n", ",-240\n", 1),
            rules::NOT_A_SIZE,
        ),
        wrong(
            34,
            "md5",
            |text| in_first_line(&text, "md5=1B2M2Y8AsgTpgAmY7PhCfg"),
            rules::NOT_SHA256,
        ),
        wrong(
            34,
            "sha1",
            |text| in_first_line(&text, "sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk"),
            rules::NOT_SHA256,
        ),
        wrong(34, "no hash", |text| in_first_line(&text, ""), rules::WITHOUT_HASH),
        accepted(34, "no size", &sample().record(|text| text.replacen(",240\n", ",\n", 1))),
    ]
}

/// Hashes that are not in URL-safe Base64.
fn spelt_otherwise() -> Vec<Case> {
    vec![
        wrong(
            34,
            "a hexadecimal hash of other content",
            |text| in_first_line(&text, &format!("sha256={}", Digest::of(b""))),
            rules::RECORD_HASH,
        ),
        wrong(
            34,
            "a hexadecimal hash that is cut",
            |text| in_first_line(&text, &format!("sha256={:.62}", own_hash(&text))),
            rules::NOT_SHA256,
        ),
        wrong(
            34,
            "a hexadecimal hash under another name",
            |text| in_first_line(&text, &format!("sha384={}", own_hash(&text))),
            rules::RECORD_HASH,
        ),
        wrong(
            34,
            "a hexadecimal md5",
            |text| in_first_line(&text, "md5=d41d8cd98f00b204e9800998ecf8427e"),
            rules::NOT_SHA256,
        ),
        noticed(
            34,
            "hexadecimal hashes",
            &sample().record(|text| in_first_line(&text, &format!("sha256={}", own_hash(&text)))),
            rules::NOTICE_HASHES,
        ),
        noticed(
            34,
            "hashes in plain Base64",
            // The hash of the empty file contains letters that differ between the alphabets.
            &sample()
                .entry(Entry::stored("sample/empty.py", ""))
                .record(|text| text.replace(EMPTY, &EMPTY.replace('-', "+").replace('_', "/"))),
            rules::NOTICE_HASHES,
        ),
        noticed(
            34,
            "hexadecimal hashes in capitals",
            &sample().record(|text| {
                let hash = own_hash(&text).to_uppercase();
                in_first_line(&text, &format!("sha256={hash}"))
            }),
            rules::NOTICE_HASHES,
        ),
    ]
}

/// The list with the hash of no bytes in its first line.
fn of_other_content(text: &str) -> String {
    in_first_line(text, &format!("sha256={EMPTY}"))
}

/// The list with another hash in its first line.
fn in_first_line(text: &str, hash: &str) -> String {
    let (first, rest) = text.split_once('\n').expect("a line");
    let mut fields = first.split(',');
    let path = fields.next().expect("a path");
    let size = fields.nth(1).expect("a size");
    format!("{path},{hash},{size}\n{rest}")
}

/// The SHA-256 of the first file, in hexadecimal.
fn own_hash(text: &str) -> String {
    let base64 = text.split(['=', ',']).nth(2).expect("a hash");
    let sample = sample();
    let own = sample.listed().into_values().find(|digest| digest.to_base64_url() == base64);
    own.expect("the hash of a file").to_string()
}
