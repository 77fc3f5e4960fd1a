//! The contents of packs, and when they are created again.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use klayers_layer::bytecode::{BytecodeCache, BytecodeError, Pack, Source};
use klayers_layer::interpreter::Interpreter;
use klayers_wheel::cached::Inspection;

use super::pythons::any_python;
use super::{sources, unpacked, wheel};

const FILES: [(&str, &str); 4] = [
    ("pkg/__init__.py", "from .deep import answer\n"),
    ("pkg/deep.py", "def answer():\n    return 6 * 7\n"),
    ("pkg/template.py", "def {{ name }}(:\n"),
    ("one.py", ""),
];

fn compiled(cache: &BytecodeCache, interpreter: &Interpreter) -> Pack {
    cache.compile(wheel("a"), interpreter, sources(FILES)).unwrap()
}

/// The tag in the file names of an interpreter's bytecode.
fn tag(interpreter: &Interpreter) -> String {
    format!("cpython-3{}", interpreter.version().python().minor())
}

#[test]
fn pack_has_bytecode_of_all_valid_sources() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = BytecodeCache::open(folder.path());
    assert_eq!(cache.get(wheel("a"), &interpreter, &Inspection::default()).unwrap(), None);
    let others = [
        ("bin/tool.py", "raise SystemExit"),
        ("pkg/data.txt", "not Python"),
        ("pkg/py.typed", ""),
        (".py", "a = 1"),
        ("latin.py", "# -*- coding: latin-1 -*-\n"),
        ("odd.py", "# -*- coding: no-such-thing -*-\n"),
        ("nul.py", "a = '\0'\n"),
    ];
    let pack =
        cache.compile(wheel("a"), &interpreter, sources(FILES.into_iter().chain(others))).unwrap();
    let tag = tag(&interpreter);
    let paths: Vec<&str> = pack.files.iter().map(|file| file.path.as_str()).collect();
    let expected = [
        "__pycache__/latin",
        "__pycache__/one",
        "__pycache__/py",
        "pkg/__pycache__/__init__",
        "pkg/__pycache__/deep",
    ];
    assert_eq!(paths, expected.map(|path| format!("{path}.{tag}.pyc")));
    let skipped: Vec<&str> = pack.skipped.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(skipped, ["nul.py", "odd.py", "pkg/template.py"]);
    assert!(pack.skipped[2].reason.starts_with("SyntaxError: "), "{:?}", pack.skipped[2]);
    for file in &pack.files {
        let pyc = unpacked(&pack, file);
        let header = [&interpreter.magic().bytes()[..], &[1, 0, 0, 0]].concat();
        assert_eq!(pyc[..8], header, "{}", file.path);
    }
    let deep = unpacked(&pack, &pack.files[4]);
    let name = b"/opt/python/pkg/deep.py";
    assert!(deep.windows(name.len()).any(|bytes| bytes == name));
    assert_eq!(cache.get(wheel("a"), &interpreter, &Inspection::default()).unwrap(), Some(pack));
    assert_eq!(cache.get(wheel("b"), &interpreter, &Inspection::default()).unwrap(), None);
}

#[test]
fn source_with_too_long_bytecode_name_is_skipped() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = BytecodeCache::open(folder.path());
    let path = format!("pkg/{}.py", "x".repeat(245));
    let pack = cache.compile(wheel("a"), &interpreter, sources([(path.as_str(), "")])).unwrap();
    assert_eq!((pack.files.len(), pack.skipped.len()), (0, 1));
    assert_eq!(pack.skipped[0].path, path);
    assert_eq!(pack.skipped[0].reason, "the name of its bytecode would be too long");
}

#[test]
fn compiling_does_not_run_code() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("ran");
    let touch = format!("open({:?}, 'w')\n", proof.display().to_string());
    let codec = format!("# coding: evil\n{touch}");
    let cache = BytecodeCache::open(&folder.path().join("cache"));
    let files = [
        ("__init__.py", touch.as_str()),
        ("sitecustomize.py", &touch),
        ("encodings/evil.py", &touch),
        ("marshal.py", &touch),
        ("coded.py", &codec),
    ];
    let pack = cache.compile(wheel("a"), &interpreter, sources(files)).unwrap();
    assert_eq!((pack.files.len(), pack.skipped.len()), (4, 1));
    assert!(!proof.exists());
}

/// Asserts that the current pack is not used and that creating it again gives the old pack.
#[track_caller]
fn made_again(cache: &BytecodeCache, interpreter: &Interpreter, before: &Pack, blob: &[u8]) {
    assert_eq!(cache.get(wheel("a"), interpreter, &Inspection::default()).unwrap(), None);
    assert_eq!(compiled(cache, interpreter), *before);
    assert_eq!(fs::read(&before.path).unwrap(), blob);
    assert_eq!(
        cache.get(wheel("a"), interpreter, &Inspection::default()).unwrap().as_ref(),
        Some(before)
    );
}

#[test]
fn truncated_foreign_or_damaged_pack_is_created_again() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = BytecodeCache::open(folder.path());
    let pack = compiled(&cache, &interpreter);
    let blob = fs::read(&pack.path).unwrap();
    let index = pack.path.with_extension("index");
    let sound_index = fs::read(&index).unwrap();
    for bytes in [&blob[..0], &blob[..blob.len() - 1], &[&blob[..], b"x"].concat()] {
        fs::write(&pack.path, bytes).unwrap();
        made_again(&cache, &interpreter, &pack, &blob);
    }
    for at in [0, blob.len() / 2, blob.len() - 1] {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        fs::write(&pack.path, changed).unwrap();
        made_again(&cache, &interpreter, &pack, &blob);
    }
    for path in [&pack.path, &index] {
        fs::remove_file(path).unwrap();
        made_again(&cache, &interpreter, &pack, &blob);
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        made_again(&cache, &interpreter, &pack, &blob);
    }
    fs::write(&index, &sound_index[..sound_index.len() - 1]).unwrap();
    made_again(&cache, &interpreter, &pack, &blob);
    // Replace both by the pack and the index of another wheel.
    let other = cache.compile(wheel("b"), &interpreter, sources([("two.py", "b = 2")])).unwrap();
    fs::copy(&other.path, &pack.path).unwrap();
    fs::copy(other.path.with_extension("index"), &index).unwrap();
    made_again(&cache, &interpreter, &pack, &blob);
}

#[test]
fn copied_pack_is_used() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = BytecodeCache::open(folder.path());
    let pack = compiled(&cache, &interpreter);
    let blob = fs::File::options().append(true).open(&pack.path).unwrap();
    blob.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(9)).unwrap();
    for _ in 0..2 {
        assert_eq!(
            cache.get(wheel("a"), &interpreter, &Inspection::default()).unwrap().as_ref(),
            Some(&pack)
        );
    }
}

#[test]
fn concurrent_writers_create_one_valid_pack() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let caches = [(); 2].map(|()| BytecodeCache::open(folder.path()));
    let packs: Vec<Pack> = thread::scope(|scope| {
        let builds = caches
            .each_ref()
            .map(|cache| [(); 2].map(|()| scope.spawn(|| compiled(cache, &interpreter))));
        builds.into_iter().flatten().map(|build| build.join().unwrap()).collect()
    });
    let kept = caches[0].get(wheel("a"), &interpreter, &Inspection::default()).unwrap().unwrap();
    assert!(packs.iter().all(|pack| *pack == kept));
    for file in &kept.files {
        unpacked(&kept, file);
    }
    let key = format!("{}-cpython-{}", wheel("a"), interpreter.version());
    let mut left = names(kept.path.parent().unwrap());
    left.sort();
    assert_eq!(left, [format!("{key}.index"), format!("{key}.pack")]);
}

#[test]
fn unreadable_source_leaves_no_files() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = BytecodeCache::open(folder.path());
    let broken = sources(FILES).chain([Err(std::io::Error::other("cut off"))]);
    let error = cache.compile(wheel("a"), &interpreter, broken).unwrap_err();
    assert!(matches!(error, BytecodeError::Source { .. }), "{error:?}");
    assert_eq!(cache.get(wheel("a"), &interpreter, &Inspection::default()).unwrap(), None);
    let below = folder.path().join("bytecode").join(&wheel("a").to_string()[..2]);
    assert_eq!(names(&below), [] as [String; 0]);
}

#[test]
fn error_names_unwritable_cache() {
    let Some(interpreter) = any_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bytecode"), "a file where the folder should be").unwrap();
    let cache = BytecodeCache::open(folder.path());
    let source = Source { path: "one.py".to_owned(), content: Vec::new() };
    let error = cache.compile(wheel("a"), &interpreter, [Ok(source)]).unwrap_err();
    assert!(matches!(error, BytecodeError::Write { .. }), "{error:?}");
    assert!(error.to_string().contains(&wheel("a").to_string()), "{error}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
