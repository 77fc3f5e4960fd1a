//! Opens regular files only, never a pipe, a socket or a device: reading one of these might wait
//! forever, or never end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading.
///
/// # Errors
///
/// Errors of the system, [`io::ErrorKind::IsADirectory`] for a folder, and
/// [`io::ErrorKind::InvalidInput`] for anything else that is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a regular file with other options, which may create it.
///
/// # Errors
///
/// As [`open`].
pub fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // Without these flags, opening a named pipe waits until another process opens its other end.
    // Regular files ignore the flags.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = options.custom_flags(flags.bits().cast_signed()).open(path);
    // Opening a pipe or a socket may fail with an error that does not name the reason.
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            check_type(path.metadata().map_or(None, |found| Some(found.file_type())))?;
            return Err(error);
        }
    };
    check_type(Some(file.metadata()?.file_type()))?;
    Ok(file)
}

/// Reads the bytes of a regular file.
///
/// # Errors
///
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the text of a regular file.
///
/// # Errors
///
/// As [`open`], and [`io::ErrorKind::InvalidData`] if the file is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Returns an error if the type is known and is not that of a regular file.
///
/// # Errors
///
/// If it is a folder, a pipe, a socket or a device.
pub fn check_type(found: Option<std::fs::FileType>) -> io::Result<()> {
    let Some(found) = found else { return Ok(()) };
    let what = if found.is_fifo() {
        "a pipe"
    } else if found.is_socket() {
        "a socket"
    } else if found.is_char_device() || found.is_block_device() {
        "a device"
    } else if found.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file"));
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a file")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn pipes_sockets_devices_and_folders_are_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).expect("a link");
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        for (path, what) in [
            (pipe.as_path(), "it is a pipe, not a file"),
            (&link, "it is a pipe, not a file"),
            (&socket, "it is a socket, not a file"),
            (Path::new("/dev/zero"), "it is a device, not a file"),
            (folder.path(), "it is a folder, not a file"),
        ] {
            let reading = read(path).expect_err("no file").to_string();
            assert_eq!(reading, what, "{}", path.display());
            let mut options = OpenOptions::new();
            options.create(true).write(true);
            let writing = open_with(&mut options, path).expect_err("no file").to_string();
            assert_eq!(writing, what, "{}", path.display());
        }
    }

    #[test]
    fn regular_files_are_read_and_created() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        assert_eq!(open(&path).expect_err("none").kind(), io::ErrorKind::NotFound);
        open_with(OpenOptions::new().create(true).truncate(false).write(true), &path)
            .expect("made");
        std::fs::write(&path, "text").expect("written");
        assert_eq!(read_to_string(&path).expect("read"), "text");
        assert_eq!(read(&path).expect("read"), b"text");
    }
}
