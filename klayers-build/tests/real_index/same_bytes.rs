//! Tests that the same lock gives the same bytes, whatever else differs.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::layer::Layer;
use crate::tools::{pipeline, scratch, wheel_cache};

/// Rebuilds the layer from its own lock: in another folder, with another cache whose wheels have
/// another date, in another time zone and language, and with another umask.
pub(crate) fn rebuilt_elsewhere(layer: &Layer) -> Layer {
    let lock = layer.own_lock("pylock.again.toml");
    let cache = scratch();
    copy_wheels(&fs::read_to_string(&lock).expect("the lock"), cache.path());
    rebuilt(layer, &lock, cache.path())
}

fn rebuilt(layer: &Layer, lock: &Path, cache: &Path) -> Layer {
    let requirement = layer.name.rsplit('-').next().expect("a package");
    let pipeline = pipeline();
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 077 && exec \"$@\"", "sh"])
        .arg(pipeline.get_program())
        .args(["build", requirement, "--lock"])
        .arg(lock)
        .current_dir(cache)
        .env("KLAYERS_CACHE_DIR", cache)
        .env("HOME", cache)
        .env("TMPDIR", cache)
        .env("TZ", "Pacific/Kiritimati")
        .env("LC_ALL", "tr_TR.UTF-8");
    Layer::build(&mut command, scratch())
}

/// Copies the wheels of a lock from the tests' shared cache to another one.
fn copy_wheels(lock: &str, cache: &Path) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let shared = wheel_cache();
    let folders = fs::read_dir(shared.join("wheels")).expect("a folder");
    for wheel in
        folders.flat_map(|folder| fs::read_dir(folder.expect("an entry").path()).expect("a folder"))
    {
        let wheel = wheel.expect("an entry").path();
        let digest = wheel.file_stem().expect("a name").to_str().expect("text");
        if lock.contains(digest) {
            let copy = cache.join(wheel.strip_prefix(&shared).expect("below"));
            fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
            fs::copy(&wheel, &copy).expect("a copy");
            let copy = File::options().write(true).open(copy).expect("a file");
            copy.set_modified(long_ago).expect("a time");
        }
    }
}

#[test]
fn lock_of_real_index_gives_same_bytes_after_fetching_again() {
    let layer = Layer::of("requests");
    let lock = layer.own_lock("pylock.again.toml");
    let cache = scratch();
    let again = rebuilt(&layer, &lock, cache.path());
    assert_eq!(again.sha256, layer.sha256);
    assert_eq!(fs::read(&again.zip).expect("a zip"), fs::read(&layer.zip).expect("a zip"));
    assert!(cache.path().join("wheels").is_dir(), "the wheels were fetched again");
}
