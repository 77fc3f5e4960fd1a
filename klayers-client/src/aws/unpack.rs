//! Unpacks a layer's zip completely, or not at all.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::{AwsError, io_error};

/// The unpacked size that Lambda allows for a function and all its layers, in bytes. See
/// [Lambda's quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const LIMIT: u64 = 262_144_000;

pub(super) fn unpack(zip: &Path, folder: &Path) -> Result<(), AwsError> {
    let failed = |source| AwsError::Unpack { path: zip.to_owned(), source };
    let file = File::open(zip).map_err(io_error(zip))?;
    let mut archive = ZipArchive::new(file).map_err(failed)?;
    if !fits(&mut archive, LIMIT).map_err(failed)? {
        return Err(AwsError::UnpackedTooLarge { path: zip.to_owned(), limit: LIMIT });
    }
    // Unpacked in the parent folder first, so that the files can be moved; removed on failure.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(io_error(parent))?;
    let unpacked = tempfile::Builder::new()
        .prefix(".klayers-unpack-")
        .tempdir_in(parent)
        .map_err(io_error(parent))?;
    archive.extract(unpacked.path()).map_err(failed)?;
    merge(unpacked.path(), folder).map_err(io_error(folder))
}

/// Whether all entries together are at most `limit` bytes when unpacked. The entries are decompressed
/// to find out, since the sizes that a zip states may be wrong.
fn fits(archive: &mut ZipArchive<File>, limit: u64) -> Result<bool, ZipError> {
    let mut left = limit;
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let read = io::copy(&mut entry.take(left + 1), &mut io::sink())?;
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Moves the content of a folder into another, which may already have content.
fn merge(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        // A symbolic link is moved as a link and not followed.
        let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        if is_folder(&entry.path()) && is_folder(&target) {
            merge(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zip(at: &Path, files: &[(&str, usize)]) {
        let mut zip = zip::ZipWriter::new(File::create(at).expect("a file"));
        for (name, size) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
            zip.write_all(&vec![b' '; *size]).expect("written");
        }
        zip.finish().expect("a zip");
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn zips_fit_up_to_the_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("layer.zip");
        for (second, taken) in [(500, true), (501, false)] {
            zip(&path, &[("python/a", 500), ("python/b", second)]);
            let mut archive = ZipArchive::new(File::open(&path).expect("a file")).expect("a zip");
            assert_eq!(fits(&mut archive, 1_000).expect("a zip"), taken);
        }
    }

    #[test]
    fn too_large_layer_leaves_no_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("layer.zip");
        zip(&path, &[("python/a", 1), ("python/b", 262_144_000)]);
        let error = unpack(&path, &folder.path().join("opt")).expect_err("too large");
        assert!(matches!(error, AwsError::UnpackedTooLarge { .. }), "{error}");
        assert_eq!(names(folder.path()), ["layer.zip"]);
    }

    #[test]
    fn failed_unpacking_keeps_existing_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, opt) = (folder.path().join("layer.zip"), folder.path().join("opt"));
        fs::create_dir_all(opt.join("python")).expect("folders");
        fs::write(opt.join("python/own.py"), "").expect("written");
        zip(&path, &[("python/a", 1), ("../outside", 1)]);
        assert!(unpack(&path, &opt).is_err());
        assert_eq!(names(folder.path()), ["layer.zip", "opt"]);
        assert_eq!(names(&opt.join("python")), ["own.py"]);
        zip(&path, &[("python/a", 1), ("python/deep/b", 1)]);
        unpack(&path, &opt).expect("unpacked");
        assert_eq!(names(&opt.join("python")), ["a", "deep", "own.py"]);
        assert_eq!(names(folder.path()), ["layer.zip", "opt"]);
    }
}
