//! Builds a separate root folder for one process.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, UnmountFlags, mount, mount_bind_recursive, mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::mounts::mounts_below;
use super::system;
use super::view::View;

/// Where the new root is built.
const NEW: &str = "/new";
/// Where the system's root is during that.
const OLD: &str = "/old";

/// Builds a root folder for this process from the system's folders and those of its view, and makes
/// it the only one that this process can reach. This process must be in its own mount namespace.
pub(super) fn enter(view: &View) -> io::Result<()> {
    // Errors name the mount: the kernel returns only a number.
    let base = Path::new("/tmp").canonicalize()?;
    tmpfs(&base, c"mode=0755,size=1m")?;
    for folder in [NEW, OLD] {
        fs::create_dir(base.join(&folder[1..]))?;
    }
    tmpfs(&base.join(&NEW[1..]), c"mode=0755,size=8m")?;
    pivot_root(&base, base.join(&OLD[1..]))?;
    chdir("/")?;

    for folder in system::FOLDERS {
        show(Path::new(folder))?;
    }
    for path in system::SETTINGS.iter().chain(&system::DEVICES) {
        show(Path::new(path))?;
    }
    for (path, content) in system::WRITTEN {
        write(Path::new(path), content)?;
    }
    for (link, target) in
        [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        symlink(target, new(Path::new("/dev")).join(link))?;
    }
    // The folders in which a function starts and has its code.
    for folder in ["/opt", "/var/task", "/var/lang", "/var/runtime", "/var/tmp", "/proc", "/tmp"] {
        fs::create_dir_all(new(Path::new(folder)))?;
    }
    let size = std::ffi::CString::new(format!("mode=1777,size={}m", view.temporary_mib))?;
    tmpfs(&new(Path::new("/tmp")), &size)?;
    if view.shared_memory {
        fs::create_dir(new(Path::new("/dev/shm")))?;
        tmpfs(&new(Path::new("/dev/shm")), &size)?;
    }
    for (inside, outside) in view.writable.iter().chain(&view.readable) {
        bind(outside, inside)?;
    }
    for (point, flags) in mounts_below(&old(Path::new("/proc/self/mountinfo")), Path::new(NEW))? {
        if is_read_only(&point, view) {
            read_only(&point, flags)?;
        }
    }
    proc()?;
    unmount(OLD, UnmountFlags::DETACH).map_err(|error| named("could not leave", OLD, error))?;
    chdir(NEW)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    read_only(Path::new("/"), MountFlags::empty())
}

/// Whether a mount is to be read-only. The closest named folder decides, so that a folder below a
/// system folder can be writable.
fn is_read_only(point: &Path, view: &View) -> bool {
    let system = system::FOLDERS.iter().chain(&system::SETTINGS).map(Path::new);
    let readable = view.readable.keys().map(PathBuf::as_path).chain(system);
    let writable = view.writable.keys().map(|folder| (folder.as_path(), false));
    let all = readable.map(|folder| (folder, true)).chain(writable);
    let around = all.filter(|(folder, _)| point.starts_with(new(folder)));
    let closest = around.max_by_key(|(folder, _)| folder.components().count());
    closest.is_some_and(|(_, read_only)| read_only)
}

fn new(path: &Path) -> PathBuf {
    below(NEW, path)
}

fn old(path: &Path) -> PathBuf {
    below(OLD, path)
}

fn below(folder: &str, path: &Path) -> PathBuf {
    Path::new(folder).join(path.strip_prefix("/").unwrap_or(path))
}

fn named(what: &str, path: impl AsRef<Path>, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{what} {}: {error}", path.as_ref().display()))
}

fn tmpfs(folder: &Path, options: &std::ffi::CStr) -> io::Result<()> {
    mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)
        .map_err(|error| named("could not mount", folder, error))
}

/// Shows a file or folder of the system under its own path. A symbolic link stays a link.
fn show(path: &Path) -> io::Result<()> {
    let Ok(metadata) = old(path).symlink_metadata() else { return Ok(()) };
    if !metadata.is_symlink() {
        return bind(path, path);
    }
    let target = fs::read_link(old(path))?;
    parent(&new(path))?;
    symlink(target, new(path)).map_err(|error| named("could not link", path, error))
}

/// Bind-mounts a path of the old root, which contains no links, into the new root.
fn bind(outside: &Path, inside: &Path) -> io::Result<()> {
    let (source, target) = (old(outside), new(inside));
    if source.is_dir() {
        fs::create_dir_all(&target).map_err(|error| named("could not make", inside, error))?;
    } else if !target.exists() {
        parent(&target)?;
        fs::write(&target, "").map_err(|error| named("could not make", inside, error))?;
    }
    mount_bind_recursive(&source, &target).map_err(|error| named("could not show", outside, error))
}

fn parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    let path = new(path);
    parent(&path)?;
    fs::write(&path, content)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444))
}

/// Makes a mount read-only. The kernel requires that the flags which already restrict it are kept.
fn read_only(point: &Path, flags: MountFlags) -> io::Result<()> {
    let safe = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount_remount(point, MountFlags::BIND | flags | safe, c"")
        .map_err(|error| named("could not protect", point, error))
}

/// Mounts a `/proc` with only the processes of this namespace. It is read-only since parts of it
/// are settings of the whole kernel, which root may change even without capabilities.
fn proc() -> io::Result<()> {
    let point = new(Path::new("/proc"));
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", &point, "proc", flags, None)
        .map_err(|error| named("could not mount", "/proc", error))?;
    // Programs in here must not create namespaces, which would give them capabilities inside.
    let most = point.join("sys/user/max_user_namespaces");
    fs::write(&most, "0").map_err(|error| named("could not write", &most, error))?;
    read_only(&point, flags)
}
