//! Tests that a flipped byte in a cached file, which keeps its size, inode and times, never gets
//! into a layer: the layer is the same as before, or is not made.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use klayers_core::{Digest, LayerName, Target};
use klayers_layer::builder::{Builder, BytecodeMode};
use klayers_layer::fetch::Fetcher;
use klayers_layer::interpreter::Interpreters;
use klayers_layer::interpreter::{Interpreter, SearchPath};
use klayers_layer::lock::Lock;
use klayers_layer::verify::verify;
use klayers_wheel::Acceptances;
use klayers_wheel::cached::{CachedKind, Inspection};
use sha2::{Digest as _, Sha256};

use crate::bytecode::pythons::any_python;
use crate::support::command::{Home, say_skipped, uv_is_there};
use crate::support::disk::Folder;
use crate::support::{WheelFile, lock_of};

/// The bit that is flipped.
const FLIP: u8 = 0x10;

/// Flips a bit in place. The file keeps its inode, size and modification time. The system does not
/// allow setting the inode's change time, so the new one is written into the inventory that records
/// it.
pub(crate) fn flip(path: &Path, at: u64) {
    let before = fs::metadata(path).unwrap();
    // A file that was made again may be a byte shorter, since the times in it have varying lengths.
    let at = at.min(before.len() - 1);
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ FLIP], at).unwrap();
    keep_times(&file, &before);
    let after = fs::metadata(path).unwrap();
    let told = |file: &fs::Metadata| (file.size(), file.ino(), file.mtime(), file.mtime_nsec());
    assert_eq!(told(&before), told(&after));
    let inventory = path.with_extension("inventory");
    if inventory != path && inventory.exists() {
        replace_stamp(&inventory, &before, &after);
    }
}

fn keep_times(file: &File, before: &fs::Metadata) {
    let times = FileTimes::new().set_modified(before.modified().unwrap());
    file.set_times(times.set_accessed(before.accessed().unwrap())).unwrap();
}

/// Replaces the stamp of a wheel in its inventory.
fn replace_stamp(inventory: &Path, before: &fs::Metadata, after: &fs::Metadata) {
    let stamp = |file: &fs::Metadata| {
        let modified = (file.mtime(), file.mtime_nsec());
        let changed = (file.ctime(), file.ctime_nsec());
        postcard::to_stdvec(&(file.size(), file.ino(), modified, changed)).unwrap()
    };
    let (old, new) = (stamp(before), stamp(after));
    let bytes = fs::read(inventory).unwrap();
    let head = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (head, payload) = (&bytes[..head], &bytes[head + 32..]);
    let at = payload.windows(old.len()).position(|part| part == old).expect("the stamp");
    let payload = [&payload[..at], &new, &payload[at + old.len()..]].concat();
    let mut seal = Sha256::new();
    seal.update(head);
    seal.update(&payload);
    fs::write(inventory, [head, &seal.finalize()[..], &payload].concat()).unwrap();
}

/// The one file below a folder whose name has this suffix.
pub(crate) fn find(folder: &Path, suffix: &str) -> PathBuf {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.to_str().unwrap().ends_with(suffix) {
                found.push(path);
            }
        }
    }
    let [path] = found.as_slice() else { panic!("{suffix}: {found:?}") };
    path.clone()
}

/// A wheel with all kinds of files that are copied, read or rewritten: modules, a script, data, an
/// SBOM.
fn sample() -> WheelFile {
    let sbom = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}"#;
    WheelFile::new("alpha", "1.0")
        .file("alpha/__init__.py", "answer = 42\n".repeat(20))
        .file("alpha/data.bin", (0..=255).collect::<Vec<u8>>())
        .file("alpha-1.0.dist-info/sboms/alpha.cdx.json", sbom)
        .data("scripts/alpha-tool", "#!python\nprint('alpha')\n")
}

/// A cache from which layers of one wheel are made.
struct Cache {
    folder: tempfile::TempDir,
    lock: Lock,
    interpreter: Option<Interpreter>,
}

impl Cache {
    fn new(wheel: &WheelFile, interpreter: Option<Interpreter>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let python = match &interpreter {
            Some(interpreter) => interpreter.version().python(),
            None => "3.12".parse().unwrap(),
        };
        let target = Target::new(python, "x86_64".parse().unwrap());
        let lock = lock_of(std::slice::from_ref(wheel), &folder.path().join("index"), target);
        Self { folder, lock, interpreter }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher::new(&self.path(), None).unwrap()
    }

    /// Builds the layer as a new process would. Returns its digest, and the kinds of the files that
    /// were made again.
    async fn build(&self) -> (Digest, Vec<CachedKind>) {
        let fetcher = self.fetcher();
        let log = fetcher.cache_log().clone();
        let mut builder = Builder::new(fetcher);
        if let Some(interpreter) = &self.interpreter {
            let explicit = [(interpreter.version().python(), interpreter.path().to_owned())].into();
            builder = builder
                .with_interpreters(Interpreters { search_path: SearchPath::new(""), explicit })
                .with_bytecode(BytecodeMode::On, &self.path());
        }
        let name = LayerName::new("Klayers", self.lock.target(), "alpha").unwrap();
        let built = builder.build(&name, &self.lock, self.folder.path()).await.unwrap();
        (built.zip.digest, log.replaced().into_iter().map(|replaced| replaced.kind).collect())
    }
}

#[tokio::test]
async fn flipped_bytes_of_a_wheel_never_reach_a_layer() {
    let cache = Cache::new(&sample(), None);
    let (sound, replaced) = cache.build().await;
    assert_eq!(replaced, []);
    let wheel = find(&cache.path(), ".whl");
    let bytes = fs::read(&wheel).unwrap();
    let fetched = cache.fetcher().fetch(&cache.lock).await.unwrap();
    let verified = verify(&fetched, &Inspection::default(), &Acceptances::default()).unwrap();
    let files = verified[0].inventory().files.clone();
    let copied = |at: u64| {
        let there = files.iter().find(|file| {
            let content = &file.content;
            (content.offset..content.offset + content.compressed_size).contains(&at)
        });
        // The layer has its own RECORD.
        there.is_some_and(|file| !file.path.as_str().ends_with("/RECORD"))
    };
    let mut seen = [0, 0];
    for at in (0..bytes.len() as u64).step_by(7) {
        flip(&wheel, at);
        let (digest, replaced) = cache.build().await;
        assert_eq!(digest, sound, "byte {at}");
        if copied(at) {
            assert_eq!(replaced, [CachedKind::Wheel], "byte {at}");
            assert!(fs::read(&wheel).unwrap() == bytes, "byte {at} is still flipped");
        } else {
            // Headers are not copied.
            assert_eq!(replaced, [], "byte {at}");
            flip(&wheel, at);
        }
        seen[usize::from(copied(at))] += 1;
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

#[tokio::test]
async fn inventory_with_a_flipped_byte_is_made_again() {
    let cache = Cache::new(&sample(), None);
    let (sound, _) = cache.build().await;
    let inventory = find(&cache.path(), ".inventory");
    let size = fs::metadata(&inventory).unwrap().len();
    for at in (0..40).chain((40..size).step_by(11)) {
        flip(&inventory, at);
        assert_eq!(cache.build().await, (sound, vec![CachedKind::Inventory]), "byte {at}");
        assert_eq!(cache.build().await, (sound, vec![]), "byte {at}");
    }
}

#[tokio::test]
async fn flipped_bytes_of_bytecode_never_reach_a_layer() {
    let Some(interpreter) = tokio::task::spawn_blocking(any_python).await.unwrap() else { return };
    let cache = Cache::new(&sample(), Some(interpreter));
    let (sound, replaced) = cache.build().await;
    assert_eq!(replaced, []);
    for suffix in [".pack", ".index"] {
        let path = find(&cache.path().join("bytecode"), suffix);
        let size = fs::metadata(&path).unwrap().len();
        for at in [0, 1, size / 3, size / 2, size - 1] {
            flip(&path, at);
            assert_eq!(cache.build().await, (sound, vec![CachedKind::Bytecode]), "{suffix} {at}");
            assert_eq!(cache.build().await, (sound, vec![]), "{suffix} {at}");
        }
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(fs::metadata(&path).unwrap().len() - 1).unwrap();
        assert_eq!(cache.build().await, (sound, vec![CachedKind::Bytecode]), "{suffix} cut");
    }
}

#[tokio::test]
async fn flipped_bytes_of_a_wheel_are_never_compiled() {
    let Some(python) = tokio::task::spawn_blocking(any_python).await.unwrap() else { return };
    let cache = Cache::new(&sample(), Some(python));
    let (sound, _) = cache.build().await;
    let wheel = find(&cache.path(), ".whl");
    let fetched = cache.fetcher().fetch(&cache.lock).await.unwrap();
    let verified = verify(&fetched, &Inspection::default(), &Acceptances::default()).unwrap();
    let data = verified[0].inventory().file("alpha/data.bin").unwrap().content.offset;
    let source = verified[0].inventory().file("alpha/__init__.py").unwrap().content.offset;
    for at in [data, source] {
        flip(&wheel, at);
        fs::remove_dir_all(cache.path().join("bytecode")).unwrap();
        assert_eq!(cache.build().await, (sound, vec![CachedKind::Wheel]));
    }
}

/// A library with debug sections, if a compiler is installed.
fn library(home: &Home) -> Option<Vec<u8>> {
    let source = home.write("answer.c", "int answer(void) { return 42; }\n");
    let library = home.path("answer.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-g", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    let made = compiler.status().is_ok_and(|status| status.success());
    made.then(|| fs::read(library).unwrap())
}

/// The digest that `build --json` printed, and the kinds of the files that were made again.
fn built(stdout: &str) -> (String, Vec<String>) {
    let value: serde_json::Value = serde_json::from_str(stdout).unwrap();
    let kinds = value["replaced"].as_array().unwrap().iter();
    let kinds = kinds.map(|replaced| replaced["kind"].as_str().unwrap().to_owned());
    (value["sha256"].as_str().unwrap().to_owned(), kinds.collect())
}

#[test]
fn flipped_bytes_of_a_stripped_library_never_reach_a_layer() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let Some(library) = library(&home) else { return say_skipped("there is no C compiler") };
    let native = WheelFile::new("alpha", "1.0").file("alpha/answer.so", &library);
    let path = native.write(&home.path("wheels"));
    let lock = crate::support::package(&native, url::Url::from_file_path(path).unwrap().as_str());
    let slim = "[tool.klayers.slim]\nstrip = true\n";
    home.write("lock.toml", format!("lock-version = \"1.0\"\n{lock}\n{slim}"));
    let build = || {
        let arguments = ["--python", "3.12", "--bytecode", "off", "--out", "out", "--json"];
        home.run(&[&["build", "alpha", "--lock", "lock.toml"], &arguments[..]].concat())
            .ended_with(0)
    };
    let (sound, _) = built(&build().stdout);
    let cache = home.path("caches/klayers/stripped");
    for suffix in [".pack", ".index"] {
        let path = find(&cache, suffix);
        let size = fs::metadata(&path).unwrap().len();
        for at in [0, size / 2, size - 1] {
            flip(&path, at);
            let done = build();
            assert_eq!(built(&done.stdout), (sound.clone(), vec!["stripped".to_owned()]));
            let told = "warning: a cached pack of stripped libraries had changed since it was";
            assert_eq!(done.stderr.matches(told).count(), 1, "{}", done.stderr);
            let done = build();
            assert_eq!(built(&done.stdout), (sound.clone(), vec![]));
            assert!(!done.stderr.contains("had changed"), "{}", done.stderr);
        }
    }
}

/// A collection of two layers, built once, with a full cache.
fn collection() -> Home {
    let home = Home::new();
    let beta = WheelFile::new("beta", "1.0").file("beta.py", "b = 1\n");
    home.wheels(&[sample(), beta]);
    home.collection(&[("p3.12", &["alpha", "beta"])], &["eu-west-1"]);
    home.run(&["run"]).ended_with(0);
    home
}

/// Deletes everything that was built and published, except the cache. Returns the names of the
/// published zips.
fn forget(home: &Home) -> Vec<String> {
    let published = home.files("published/content");
    for path in ["published", "artifacts"] {
        fs::remove_dir_all(home.path(path)).unwrap();
    }
    fs::remove_file(home.path("klayers.db")).unwrap();
    published
}

/// The wheel of alpha in the cache, and the offset of its data.
fn cached_alpha(home: &Home) -> (PathBuf, u64) {
    let digest = Digest::of(&sample().bytes()).to_string();
    let wheel = find(&home.path("caches/klayers/wheels"), &format!("{digest}.whl"));
    let bytes = fs::read(&wheel).unwrap();
    let name = b"alpha/data.bin";
    let at = bytes.windows(name.len()).position(|part| part == name).unwrap() + name.len();
    (wheel, at as u64 + 4)
}

#[test]
fn run_fetches_the_flipped_wheel_again_and_warns() {
    if !uv_is_there() {
        return;
    }
    let home = collection();
    let published = forget(&home);
    let (wheel, data) = cached_alpha(&home);
    flip(&wheel, data);
    let run = home.run(&["run"]).ended_with(0);
    assert_eq!(home.files("published/content"), published);
    let told = "warning: a cached wheel had changed since it was stored, and was replaced: \
                HOME/caches/klayers/wheels/";
    assert_eq!(run.stderr.matches(told).count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("\n  replaced   a cached wheel had changed"), "{}", run.stderr);
    let report = home.run(&["report", "--json"]).ended_with(0);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["replaced"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["replaced"][0]["kind"], "wheel");
    assert_eq!(report["complete"], true);
}

#[test]
fn flipped_wheel_that_cannot_be_replaced_fails_only_its_layer() {
    if !uv_is_there() {
        return;
    }
    let home = collection();
    let published = forget(&home);
    let (wheel, data) = cached_alpha(&home);
    flip(&wheel, data);
    let Some(run) = home.run_with("caches/klayers/wheels", Folder::ReadOnly, &["run"]) else {
        return;
    };
    let run = run.ended_with(1);
    let reason = "which changed after it was verified; make the cache writable, or choose another \
                  folder with --cache-dir";
    let line = run.stderr.lines().find(|line| line.starts_with("error: p3.12 alpha: "));
    assert!(line.is_some_and(|line| line.ends_with(reason)), "{}", run.stderr);
    assert_eq!(run.tally(), "2 layers: 1 built, 1 layer versions published, 0 unchanged, 1 failed");
    let there = home.files("published/content");
    assert!(there.len() == 1 && published.contains(&there[0]), "{there:?} of {published:?}");
}
