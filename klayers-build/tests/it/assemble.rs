//! Layers have the same files as an installer would lay out, and the same bytes each time.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use klayers_core::{Digest, LayerName, Target};
use klayers_layer::LayerError;
use klayers_layer::assemble::{AssembleError, LayerZip};
use klayers_layer::builder::Builder;
use klayers_layer::fetch::Fetcher;
use klayers_layer::lock::Lock;

use crate::support::{WheelFile, lock_of};

fn target() -> Target {
    "p3.12".parse().expect("a target")
}

async fn build(lock: &Lock, folder: &Path) -> Result<LayerZip, LayerError> {
    let fetcher = Fetcher::new(&folder.join("cache"), None).expect("a fetcher");
    let name = LayerName::new("Klayers", target(), "sample").expect("a name");
    Ok(Builder::new(fetcher).build(&name, lock, folder).await?.zip)
}

/// The content and mode of each file of a zip, by path, in the order of the zip.
fn contents(path: &Path) -> Vec<(String, Vec<u8>, u32)> {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).expect("a file")).expect("a zip");
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).expect("an entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("its content, with the right CRC");
            let modified = entry.last_modified().expect("a time");
            assert_eq!((modified.year(), modified.month(), modified.day()), (1980, 1, 1));
            assert_eq!(entry.comment(), "");
            assert!(entry.extra_data().is_none_or(|extra| extra.is_empty()));
            (
                entry.name().expect("a name").into_owned(),
                content,
                entry.unix_mode().expect("a mode"),
            )
        })
        .collect()
}

fn sample() -> WheelFile {
    WheelFile::new("Foo.Bar", "1.0")
        .file("foo/__init__.py", "x = 1\n")
        .file("foo/ünïcode.txt", "ü")
        .file("foo/with,comma.py", "")
        .file_with_mode("foo/tool.sh", "#!/bin/sh\n", 0o755)
        .file_with_mode("foo/odd.sh", "#!/bin/sh\n", 0o700)
        .data("scripts/tool", "#!python\nprint(1)\n")
        .data("scripts/native", "\u{7f}ELF")
        .data("data/share/doc.txt", "hi")
        .data("headers/foo.h", "//")
        .data("purelib/foo/pure.py", "")
        .data("platlib/foo/plat.py", "")
        .dist_info("entry_points.txt", "[console_scripts]\nfoo = foo:main\n")
}

#[tokio::test]
async fn binary_programs_among_scripts_may_be_large() {
    let folder = tempfile::tempdir().expect("a folder");
    // Repeated at a distance greater than the compressor's window, so that the ratio is that of
    // ordinary data and not of a zip bomb.
    let mut state = 1_u64;
    let block: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(64 << 10)
    .collect();
    let program = block.repeat(1_025);
    let wheel = WheelFile::new("foo", "1.0").data("scripts/tool", &program);
    let lock = lock_of(&[wheel], &folder.path().join("wheels"), target());
    let layer = build(&lock, folder.path()).await.expect("a layer");
    let files = contents(&layer.file);
    let (_, content, mode) =
        files.iter().find(|(path, ..)| path == "python/bin/tool").expect("the program");
    assert!(*content == program, "the program was changed");
    assert_eq!(mode & 0o777, 0o755);
}

#[tokio::test]
async fn layer_has_the_layout_of_an_installer() {
    let folder = tempfile::tempdir().expect("a folder");
    let lock = lock_of(&[sample()], &folder.path().join("wheels"), target());
    let layer = build(&lock, folder.path()).await.expect("a layer");
    let files = contents(&layer.file);
    let listing: Vec<String> =
        files.iter().map(|(path, _, mode)| format!("{mode:o} {path}")).collect();
    insta::assert_snapshot!(listing.join("\n"));
    assert!(files.is_sorted_by(|one, other| one.0.as_bytes() < other.0.as_bytes()));
    assert_eq!(layer.files, files.len());
    let unzipped: usize = files.iter().map(|(_, content, _)| content.len()).sum();
    assert_eq!(layer.unzipped_size, unzipped as u64);
    let bytes = fs::read(&layer.file).expect("the zip");
    assert_eq!(layer.size, bytes.len() as u64);
    assert_eq!(layer.digest, Digest::of(&bytes));

    let text = |path: &str| {
        let found = files.iter().find(|(name, ..)| name == path).expect(path);
        String::from_utf8(found.1.clone()).expect("text")
    };
    insta::assert_snapshot!("record", text("python/Foo_Bar-1.0.dist-info/RECORD"));
    assert!(text("python/bin/foo").starts_with("#!/var/lang/bin/python3.12\n"));
    assert_eq!(text("python/bin/tool"), "#!/var/lang/bin/python3.12\nprint(1)\n");
    assert_eq!(text("klayers/Klayers-p312-sample/requirements.txt"), "foo-bar==1.0\n");
    assert_eq!(text("klayers/Klayers-p312-sample/pylock.toml"), layer.pylock);
}

#[tokio::test]
async fn every_line_of_record_is_correct() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = WheelFile::new("other", "2").file("other.py", "y = 2\n");
    let lock = lock_of(&[sample(), other], &folder.path().join("wheels"), target());
    let layer = build(&lock, folder.path()).await.expect("a layer");
    let files: BTreeMap<String, Vec<u8>> =
        contents(&layer.file).into_iter().map(|(path, content, _)| (path, content)).collect();
    let mut listed = 0;
    for (path, record) in files.iter().filter(|(path, _)| path.ends_with("/RECORD")) {
        let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(record.as_slice());
        for row in rows.records() {
            let row = row.expect("a row");
            let named = format!("python/{}", &row[0]);
            let content = files.get(&named).expect(&named);
            listed += 1;
            if named == *path {
                assert_eq!((&row[1], &row[2]), ("", ""));
                continue;
            }
            assert_eq!(row[1], format!("sha256={}", Digest::of(content).to_base64_url()));
            assert_eq!(row[2], content.len().to_string());
        }
    }
    assert_eq!(listed, files.keys().filter(|path| path.starts_with("python/")).count());
}

#[tokio::test]
async fn the_same_lock_gives_the_same_bytes() {
    let mut digests = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = lock_of(&[sample()], &folder.path().join("wheels"), target());
        digests.push(build(&lock, folder.path()).await.expect("a layer").digest);
    }
    assert_eq!(digests[0], digests[1]);
    // If this digest changes, the format of layers has changed.
    insta::assert_snapshot!("digest_of_the_sample", digests[0]);
}

#[tokio::test]
async fn file_of_two_wheels_is_merged_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let wheels = folder.path().join("wheels");
    let one = WheelFile::new("one", "1").file("shared/__init__.py", "same\n");
    let same = WheelFile::new("two", "1").file("shared/__init__.py", "same\n");
    let lock = lock_of(&[one.clone(), same], &wheels, target());
    let layer = build(&lock, folder.path()).await.expect("a layer");
    let shared = contents(&layer.file);
    let shared = shared.iter().filter(|(path, ..)| path == "python/shared/__init__.py").count();
    assert_eq!(shared, 1);

    let other = WheelFile::new("two", "1").file("shared/__init__.py", "other\n");
    let lock = lock_of(&[one.clone(), other], &wheels, target());
    let error = build(&lock, folder.path()).await.expect_err("a conflict").to_string();
    assert_eq!(
        error,
        "shared/__init__.py has different content in one 1 and two 1, so they cannot be in one layer; \
         ask for only one of the two, or leave out files that you do not need, for example with \
         --exclude \"shared/__init__.py\""
    );

    let file = WheelFile::new("two", "1").file("shared", "a file\n");
    for wheels_in_order in [[one.clone(), file.clone()], [file, one]] {
        let lock = lock_of(&wheels_in_order, &wheels, target());
        let error = build(&lock, folder.path()).await.expect_err("a conflict");
        assert!(
            matches!(error, LayerError::Assemble(AssembleError::FileAndFolder { .. })),
            "{error}"
        );
    }
}

#[tokio::test]
async fn wheel_that_breaks_a_rule_is_refused_without_leftovers() {
    let cases = [
        (WheelFile::new("bad", "1").file("../out.py", ""), "it contains a part . or .."),
        (WheelFile::new("bad", "1").file("a\\b.py", ""), "it contains a backslash"),
        (WheelFile::new("bad", "1").data("unknown/x", ""), "a .data folder may hold"),
        (WheelFile::new("bad", "1").file("other-2.dist-info/METADATA", ""), "2 .dist-info folders"),
        (
            WheelFile::new("bad", "1")
                .dist_info("entry_points.txt", "[console_scripts]\n../x = a:b\n"),
            "the name is not one that a file in bin may have",
        ),
    ];
    for (wheel, message) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = lock_of(&[wheel], &folder.path().join("wheels"), target());
        let error = build(&lock, folder.path()).await.expect_err(message);
        assert_eq!(error.to_string(), "wheel bad-1-py3-none-any.whl cannot be used");
        let rule = std::error::Error::source(&error).expect("a rule").to_string();
        assert!(rule.contains(message), "{rule}");
        let left: Vec<_> = fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .filter(|name| name != "wheels" && name != "cache")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
