//! Wheels with different files at the same path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use klayers_core::{Digest, LayerName, Target};
use klayers_layer::builder::{Builder, BuiltLayer};
use klayers_layer::fetch::Fetcher;

use crate::support::command::Home;
use crate::support::{WheelFile, lock_of};

const PKGUTIL: &str = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n";
const PKG_RESOURCES: &str = "__import__('pkg_resources').declare_namespace(__name__)\n";

fn target() -> Target {
    "p3.12".parse().unwrap()
}

/// Builds a layer from wheels. Returns its files and the gate's findings.
async fn built(wheels: &[WheelFile]) -> Result<(BTreeMap<String, Vec<u8>>, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    let lock = lock_of(wheels, &folder.path().join("wheels"), target());
    let fetcher = Fetcher::new(&folder.path().join("cache"), None).unwrap();
    let name = LayerName::new("Klayers", target(), "sample").unwrap();
    let built = Builder::new(fetcher).build(&name, &lock, folder.path()).await;
    let BuiltLayer { zip, findings, .. } = built.map_err(|error| error.to_string())?;
    let files = files(&zip.file);
    for (path, record) in files.iter().filter(|(path, _)| path.ends_with("/RECORD")) {
        assert_true(record, path, &files);
    }
    Ok((files, findings.iter().map(ToString::to_string).collect()))
}

fn files(zip: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let (name, mut content) = (entry.name().unwrap().into_owned(), Vec::new());
        entry.read_to_end(&mut content).unwrap();
        assert!(files.insert(name.clone(), content).is_none(), "{name}");
    }
    files
}

/// Asserts that each line of a `RECORD` is correct.
fn assert_true(record: &[u8], own: &str, files: &BTreeMap<String, Vec<u8>>) {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(record);
    for row in rows.records() {
        let row = row.unwrap();
        let path = format!("python/{}", &row[0]);
        let content = files.get(&path).unwrap_or_else(|| panic!("{path} of {own}"));
        if path != own {
            let digest = format!("sha256={}", Digest::of(content).to_base64_url());
            assert_eq!((&row[1], &row[2]), (digest.as_str(), content.len().to_string().as_str()));
        }
    }
}

/// The paths below `python/`, without those of `.dist-info` folders.
fn modules(files: &BTreeMap<String, Vec<u8>>) -> BTreeSet<&str> {
    let paths = files.keys().filter_map(|path| path.strip_prefix("python/"));
    paths.filter(|path| !path.contains(".dist-info/")).collect()
}

fn alpha() -> WheelFile {
    WheelFile::new("alpha", "1.0").file("alpha.py", "a = 1\n")
}

fn beta() -> WheelFile {
    WheelFile::new("beta", "2.0").file("beta.py", "b = 2\n")
}

#[tokio::test]
async fn colliding_files_outside_modules_are_left_out_of_all_wheels() {
    let wheels = [
        alpha()
            .file("LICENSE", "one")
            .file("README.md", "one")
            .file("tests/__init__.py", "")
            .file("tests/test_alpha.py", "")
            .file("tests/conftest.py", "one")
            .file("docs/conf.py", "one")
            .file("examples/same.py", "same"),
        beta()
            .file("LICENSE", "two")
            .file("README.md", "two")
            .file("tests/__init__.py", "")
            .file("tests/test_beta.py", "")
            .file("tests/conftest.py", "two")
            .file("docs/conf.py", "two")
            .file("examples/same.py", "same"),
        WheelFile::new("gamma", "3.0").file("gamma.py", "").file("LICENSE", "one"),
    ];
    let (files, said) = built(&wheels).await.unwrap();
    let expected = ["alpha.py", "beta.py", "examples/same.py", "gamma.py"];
    assert_eq!(modules(&files), BTreeSet::from(expected));
    assert_eq!(
        said,
        [
            "README.md, docs/ and tests/ were left out: alpha 1.0 and beta 2.0 have different content \
             for them, and no module needs them",
            "LICENSE was left out: alpha 1.0, beta 2.0 and gamma 3.0 have different content for it, \
             and no module needs it",
        ]
    );
}

#[tokio::test]
async fn different_console_scripts_of_one_name_are_left_out() {
    let script = |module: &str| {
        format!("[console_scripts]\ntool = {module}:main\nown-{module} = {module}:main\n")
    };
    let wheels = [
        alpha().dist_info("entry_points.txt", script("alpha")).data("scripts/run", "#!/bin/sh\n1"),
        beta().dist_info("entry_points.txt", script("beta")).data("scripts/run", "#!/bin/sh\n2"),
    ];
    let (files, said) = built(&wheels).await.unwrap();
    let expected = ["alpha.py", "beta.py", "bin/own-alpha", "bin/own-beta"];
    assert_eq!(modules(&files), BTreeSet::from(expected));
    let expected = "bin/run and bin/tool were left out: alpha 1.0 and beta 2.0 have different \
                    content for them, and no module needs them";
    assert_eq!(said, [expected]);
}

#[tokio::test]
async fn best_declaration_of_a_shared_namespace_is_kept() {
    for (one, other, kept) in [
        (PKGUTIL, "", PKGUTIL),
        ("# a comment\n", PKGUTIL, PKGUTIL),
        (PKG_RESOURCES, PKGUTIL, PKGUTIL),
        (PKG_RESOURCES, "\n", PKG_RESOURCES),
    ] {
        let wheels = |one: &str, other: &str| {
            [
                alpha().file("google/__init__.py", one).file("google/alpha/__init__.py", "a"),
                beta().file("google/__init__.py", other).file("google/beta/__init__.py", "b"),
            ]
        };
        for (one, other, owner) in [(one, other, one == kept), (other, one, other == kept)] {
            let (files, said) = built(&wheels(one, other)).await.unwrap();
            assert_eq!(files["python/google/__init__.py"], kept.as_bytes());
            let (owner, loser) =
                if owner { ("alpha 1.0", "beta 2.0") } else { ("beta 2.0", "alpha 1.0") };
            let expected = format!(
                "google/__init__.py only declares a namespace, with different code in {owner} and \
                 {loser}; the file of {owner} was kept"
            );
            assert_eq!(said, [expected]);
            // Both wheels list the file, as if it had been equal from the start.
            for wheel in ["alpha-1.0", "beta-2.0"] {
                let record = &files[&format!("python/{wheel}.dist-info/RECORD")];
                assert!(String::from_utf8_lossy(record).contains("google/__init__.py,"));
            }
        }
    }
}

#[tokio::test]
async fn different_modules_are_an_error_that_names_both_distributions() {
    for (path, one, other) in [
        ("shared.py", "a", "b"),
        ("cv2/version.py", "a", "b"),
        ("google/__init__.py", PKGUTIL, "__version__ = '1'\n"),
        ("data.json", "1", "2"),
    ] {
        let wheels = [alpha().file(path, one), beta().file(path, other)];
        let expected = format!(
            "{path} has different content in alpha 1.0 and beta 2.0, so they cannot be in one layer; \
             ask for only one of the two, or leave out files that you do not need, for example with \
             --exclude \"{path}\""
        );
        assert_eq!(built(&wheels).await.unwrap_err(), expected);
    }
    let both = |wheel: WheelFile, content: &str| {
        wheel.file("cv2/LICENSE", content).file("cv2/a.so", content).file("cv2/b.py", content)
    };
    let said = built(&[both(alpha(), "a"), both(beta(), "b")]).await.unwrap_err();
    assert!(said.starts_with("cv2/b.py has different content in alpha 1.0 and"), "{said}");
    assert!(said.contains("and beta 2.0 (and 2 more files),"), "{said}");
}

#[tokio::test]
async fn folder_that_is_the_only_module_of_a_wheel_is_not_left_out() {
    let wheels = [
        WheelFile::new("tests", "1.0").file("tests/__init__.py", "a"),
        alpha().file("tests/__init__.py", "b"),
    ];
    let said = built(&wheels).await.unwrap_err();
    assert!(said.starts_with("tests/__init__.py has different content in alpha 1.0 and"), "{said}");
}

#[tokio::test]
async fn collisions_are_settled_regardless_of_wheel_order() {
    let wheels = || {
        [
            alpha().file("LICENSE", "a").file("google/__init__.py", "# one\n"),
            beta().file("LICENSE", "b").file("google/__init__.py", "# two\n"),
        ]
    };
    let mut turned = wheels();
    turned.reverse();
    let (one, other) = (built(&wheels()).await.unwrap().0, built(&turned).await.unwrap().0);
    assert_eq!(one["python/google/__init__.py"], other["python/google/__init__.py"]);
    assert_eq!(modules(&one), modules(&other));
}

#[test]
fn excluded_files_are_left_out_by_build_and_verify() {
    let home = Home::new();
    let script = |module: &str| format!("[console_scripts]\n{module} = {module}:main\n");
    home.wheels(&[
        alpha()
            .requires("beta")
            .file("shared.py", "a")
            .file("LICENSE", "a")
            .dist_info("entry_points.txt", script("alpha")),
        beta().file("shared.py", "b").file("LICENSE", "b"),
    ]);
    let build = [
        "build",
        "alpha",
        "--python",
        "3.12",
        "--out",
        "out",
        "--bytecode",
        "off",
        "--find-links",
        "wheels",
        "--no-index",
    ];
    let refused = home.run(&build).ended_with(1);
    assert!(refused.stderr.contains("--exclude \"shared.py\""), "{}", refused.stderr);
    let exclude = ["--exclude", "shared.py", "--exclude", "bin/**"];
    let done = home.run(&[&build[..], &exclude].concat()).ended_with(0);
    let expected = "warning: LICENSE was left out: alpha 1.0 and beta 2.0 have different content for \
                    it, and no module needs it\n";
    assert_eq!(done.stderr, expected);
    let zip = "out/Klayers-p312-alpha.zip";
    let files = files(&home.path(zip));
    assert_eq!(modules(&files), BTreeSet::from(["alpha.py", "beta.py"]));
    let verified = home.run(&["verify", zip, "--wheels", "wheels"]).ended_with(0);
    assert!(verified.stdout.starts_with("reproduced "), "{}", verified.stdout);
    // The lock contains its own exclusions.
    home.write("pylock.toml", &files["klayers/Klayers-p312-alpha/pylock.toml"]);
    let from_lock = [
        "build",
        "alpha",
        "--python",
        "3.12",
        "--out",
        "again",
        "--bytecode",
        "off",
        "--lock",
        "wheels/pylock.toml",
        "--exclude",
        "beta.py",
    ];
    fs::rename(home.path("pylock.toml"), home.path("wheels/pylock.toml")).unwrap();
    home.run(&from_lock).ended_with(0);
    let again = self::files(&home.path("again/Klayers-p312-alpha.zip"));
    assert_eq!(modules(&again), BTreeSet::from(["alpha.py"]));
}
