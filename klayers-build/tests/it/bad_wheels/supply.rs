//! Tests rules 42 to 45: the lock, the source and the metadata of a wheel.
//!
//! Tested elsewhere: locks (43) in `lock/tests.rs`; other bytes, other sizes and broken answers
//! (42) in `fetch/answers.rs`; formulas and markup in what the API writes (45) in `api/format.rs`
//! of core and `serve/bodies.rs`; one path in two wheels (32) in `assemble.rs`.

use std::error::Error as _;

use klayers_core::Runtimes;
use klayers_layer::fetch::{FetchError, Fetcher};
use klayers_layer::lock::{Lock, LockError};

use super::{Sample, cases};
use crate::samples::target;
use crate::support::layers::Layers;
use crate::support::{parse, zip_files};

/// The SHA-256 of no wheel.
const SHA: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

fn lock(url: &str, rest: &str) -> String {
    format!(
        "lock-version = \"1.0\"\n[[packages]]\nname = \"sample\"\nversion = \"1.0\"\n\
         wheels = [{{ url = \"{url}\", {rest} }}]\n"
    )
}

fn parsed(text: &str) -> Result<Lock, LockError> {
    let runtimes = Runtimes::default();
    let target = target("p3.12");
    Lock::parse(text, None, target, runtimes.get(target.python).unwrap())
}

/// Rule 42: a wheel with another SHA-256 than in the lock is refused before it is read.
#[tokio::test]
async fn wheel_with_other_digest_than_locked_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let small = cases().into_iter().filter(|case| case.bytes.len() < 10_000);
    for case in small.filter(|case| case.filename == bad_wheels::FILENAME) {
        let path = folder.path().join(&case.filename);
        std::fs::write(&path, &case.bytes).unwrap();
        let url = url::Url::from_file_path(&path).unwrap();
        let text = lock(url.as_str(), &format!("hashes = {{ sha256 = \"{SHA}\" }}"));
        let fetcher = Fetcher::new(&folder.path().join("cache"), None).unwrap();
        let fetched = fetcher.fetch(&parse(&text, target("p3.12"))).await;
        let error = fetched.unwrap_err();
        assert!(matches!(error, FetchError::WrongDigest { .. }), "{}: {error:?}", case.name);
    }
}

/// Rule 42: a lock must identify each wheel by SHA-256.
#[test]
fn lock_without_sha256_is_refused() {
    let url = "http://index.example/sample-1.0-py3-none-any.whl";
    for rest in [
        "hashes = {}",
        "hashes = { md5 = \"d41d8cd98f00b204e9800998ecf8427e\" }",
        "hashes = { sha512 = \"cf83e1\" }",
        "hashes = { SHA256 = \"e3b0c442\" }",
        "hashes = { sha256 = \"\" }",
        "size = 0",
    ] {
        let error = parsed(&lock(url, rest)).expect_err(rest);
        let said = format!("{error} {:?}", error.source());
        assert!(said.contains("SHA-256") || said.contains("hashes"), "{rest}: {said}");
    }
}

/// Rule 44: file names are untrusted, and must be plain names of wheels.
#[test]
fn urls_with_unsafe_file_names_are_refused() {
    let hashes = format!("hashes = {{ sha256 = \"{SHA}\" }}");
    for file in [
        "%2e%2e",
        "%2e%2e/",
        "..%2f..%2fsample-1.0-py3-none-any.whl",
        "%2e%2e%2fsample-1.0-py3-none-any.whl",
        "..%5csample-1.0-py3-none-any.whl",
        "sample-1.0-py3-none-any.whl%00",
        "sample-1.0-py3-none-any%00.whl",
        "sample-1.0-py3-none-any.whl%0a",
        "sample-1.0-py3-none-any.whl/",
        "sample-1.0-py3-none-%2fany.whl",
        "%ff-1.0-py3-none-any.whl",
        "?sample-1.0-py3-none-any.whl",
        "#sample-1.0-py3-none-any.whl",
        "",
    ] {
        let lock = parsed(&lock(&format!("http://index.example/{file}"), &hashes));
        assert!(lock.is_err(), "{file:?}: {lock:?}");
    }
    for name in ["..", "../sample-1.0-py3-none-any.whl", "/sample-1.0-py3-none-any.whl"] {
        let url = "http://index.example/sample-1.0-py3-none-any.whl";
        let lock = parsed(&lock(url, &format!("name = \"{name}\", {hashes}")));
        assert!(lock.is_err(), "{name:?}: {lock:?}");
    }
}

/// Rule 45: metadata of a package is treated as data wherever it is written.
#[test]
fn metadata_text_appears_only_in_the_sbom() {
    let head = "Metadata-Version: 2.4\nName: sample\nVersion: 1.0\n";
    let long = "x".repeat(600);
    for (field, expected) in [
        ("=cmd|'/C calc'!A0", "=cmd|'/C calc'!A0"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("one\r\n two", "one\ntwo"),
        ("\u{202e}TIM", "\u{202e}TIM"),
        (long.as_str(), long.as_str()),
    ] {
        let wheel = Sample::sample().dist_info("METADATA", &format!("{head}License: {field}\n"));
        let layers = Layers::of(bad_wheels::FILENAME);
        let zip = layers.zip(&wheel.bytes()).expect(field);
        assert_eq!(zip.license(&"sample".parse().unwrap()), Some(expected));
        let files = zip_files(&zip.file);
        let mut seen = 0;
        for (path, content) in files.iter().filter(|(path, _)| path.starts_with("klayers/")) {
            if path.ends_with("/sbom.cdx.json") {
                let sbom: serde_json::Value = serde_json::from_slice(content).expect("JSON");
                let license = &sbom["components"][0]["licenses"][0]["license"];
                // The first line of a longer text is the name.
                let said = license.get("text").map_or(&license["name"], |text| &text["content"]);
                assert_eq!(said, expected);
                seen += 1;
            } else {
                let text = String::from_utf8_lossy(content);
                assert!(!text.contains(field), "{path}: {text}");
            }
        }
        assert_eq!(seen, 1);
    }
    // Some readers of METADATA end a field here, others do not.
    let wheel = Sample::sample().dist_info("METADATA", &format!("{head}License: one\r two\n"));
    let error = Layers::of(bad_wheels::FILENAME).zip(&wheel.bytes()).map(drop).unwrap_err();
    let rule = std::error::Error::source(&error).unwrap().to_string();
    assert!(rule.contains("METADATA") && rule.contains("line 4"), "{rule}");
}
