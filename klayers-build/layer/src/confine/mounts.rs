//! Reads the kernel's list of this process's mounts.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::MountFlags;

/// Returns the mount points below a folder, in the order of mounting, each with the flags that must
/// be kept. `file` is a
/// [`mountinfo`](https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html).
pub(super) fn mounts_below(file: &Path, folder: &Path) -> io::Result<Vec<(PathBuf, MountFlags)>> {
    let text = fs::read(file)?;
    let lines = text.split(|byte| *byte == b'\n').filter_map(mount);
    Ok(lines.filter(|(point, _)| point.starts_with(folder) && point != folder).collect())
}

fn mount(line: &[u8]) -> Option<(PathBuf, MountFlags)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = unescaped(fields.nth(4)?);
    let options = std::str::from_utf8(fields.next()?).ok()?;
    let flags = options.split(',').map(|option| match option {
        "ro" => MountFlags::RDONLY,
        "nosuid" => MountFlags::NOSUID,
        "nodev" => MountFlags::NODEV,
        "noexec" => MountFlags::NOEXEC,
        "noatime" => MountFlags::NOATIME,
        "nodiratime" => MountFlags::NODIRATIME,
        "relatime" => MountFlags::RELATIME,
        _ => MountFlags::empty(),
    });
    Some((point, flags.fold(MountFlags::empty(), |all, flag| all | flag)))
}

/// Decodes a path in which spaces and some other characters are written as a backslash and three
/// octal digits.
fn unescaped(path: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| first == b'\\');
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_flags_and_escaped_names() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "25 1 0:22 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                    26 25 0:22 /x /new/a\\040b\\134c ro,nosuid,noatime - ext4 /dev/vda rw\n\
                    27 25 0:22 /x /newer rw - ext4 /dev/vda rw\n\
                    28 25 0:22 / /new rw - tmpfs tmpfs rw\n";
        fs::write(&file, text).expect("written");
        let mounts = mounts_below(file.path(), Path::new("/new")).expect("mounts");
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOATIME;
        assert_eq!(mounts, [(PathBuf::from("/new/a b\\c"), flags)]);
    }
}
