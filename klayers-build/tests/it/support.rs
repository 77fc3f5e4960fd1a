//! Shared by several tests: wheels, an index, locks.

pub(crate) mod aws;
pub(crate) mod command;
pub(crate) mod disk;
pub(crate) mod faulty;
pub(crate) mod hook;
pub(crate) mod layers;
pub(crate) mod places;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod staged;
pub(crate) mod unpackers;
pub(crate) mod wheel;
mod zip_files;

use std::path::Path;

use klayers_core::{Digest, Runtimes, Target};
use klayers_layer::lock::Lock;
use url::Url;

pub(crate) use wheel::WheelFile;
pub(crate) use zip_files::{empty_zip, zip_files};

/// The lock of wheels in a folder.
pub(crate) fn lock_of(wheels: &[WheelFile], folder: &Path, target: Target) -> Lock {
    let mut text = String::from("lock-version = \"1.0\"\n");
    for wheel in wheels {
        let path = wheel.write(folder);
        text.push_str(&package(wheel, Url::from_file_path(path).expect("a path").as_str()));
    }
    parse(&text, target)
}

/// The entry of a lock for a wheel at a URL.
pub(crate) fn package(wheel: &WheelFile, url: &str) -> String {
    let filename = wheel.filename();
    let mut parts = filename.split('-');
    let (name, version) = (parts.next().expect("a name"), parts.next().expect("a version"));
    let digest = Digest::of(&wheel.bytes());
    format!(
        "[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\nwheels = [{{ name = \"{filename}\", \
         url = \"{url}\", hashes = {{ sha256 = \"{digest}\" }} }}]\n"
    )
}

/// Reads a lock.
pub(crate) fn parse(text: &str, target: Target) -> Lock {
    let runtimes = Runtimes::default();
    let runtime = runtimes.get(target.python).expect("a runtime");
    Lock::parse(text, None, target, runtime).expect("a lock")
}
