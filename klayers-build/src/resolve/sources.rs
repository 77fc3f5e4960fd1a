//! Where packages come from: the index, and folders and pages of further wheels.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use klayers_core::secrets::may_hold_secret;
use tokio::process::Command;
use url::Url;

use super::ResolveError;
use crate::regular;

/// Where packages come from. What `uv` is configured to use by its own files and variables holds,
/// too.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sources {
    /// The index, in place of uv's default.
    pub index_url: Option<Url>,
    /// Folders and pages that list further wheels.
    pub find_links: Vec<String>,
    /// Whether no index is asked.
    pub no_index: bool,
}

impl Sources {
    /// The URL of a package index.
    ///
    /// # Errors
    ///
    /// If the text is not such a URL. The error does not show the text, which may hold a password.
    pub fn index(text: &str) -> Result<Url, PlaceError> {
        let url: Url = text.parse().map_err(PlaceError::Url)?;
        match url.scheme() {
            "http" | "https" | "file" => Ok(url),
            _ => Err(PlaceError::Scheme),
        }
    }

    /// A place of further wheels, in the words of somebody in `folder`: the URL of a page stays as it
    /// is, a folder is named from the root, since uv runs in another one.
    ///
    /// # Errors
    ///
    /// If the text was to be a URL, and is none. The error does not show the text, which may hold a
    /// password.
    pub fn located(folder: &Path, links: &str) -> Result<String, PlaceError> {
        let url = Self::index(links);
        if url.is_ok() {
            return Ok(links.to_owned());
        }
        if links.contains("://") {
            return url.map(|_| links.to_owned());
        }
        let path = folder.join(links);
        if may_hold_secret(links) && !path.exists() {
            return Err(PlaceError::Folder);
        }
        Ok(std::path::absolute(&path).unwrap_or(path).display().to_string())
    }

    /// Tells uv of these places, and of a folder of further wheels.
    ///
    /// It is told by its environment: everybody on the machine can read the arguments of a process,
    /// and URLs may hold passwords.
    pub(crate) fn tell(&self, command: &mut Command, folder: Option<&Path>) {
        if let Some(url) = &self.index_url {
            command.env("UV_DEFAULT_INDEX", url.as_str());
        }
        let folder = folder.map(|folder| folder.display().to_string());
        let links: Vec<String> = folder.iter().chain(&self.find_links).map(without_comma).collect();
        if !links.is_empty() {
            command.env("UV_FIND_LINKS", links.join(","));
        }
        if self.no_index {
            command.arg("--no-index");
        }
    }
}

/// A place of further wheels as uv reads it in a list with commas.
fn without_comma(links: &String) -> String {
    if !links.contains(',') {
        return links.clone();
    }
    let url = Url::parse(links).or_else(|_| Url::from_file_path(links));
    url.map_or_else(|()| links.clone(), |url| url.as_str().replace(',', "%2C"))
}

/// Refuses folders of wheels and source distributions in which one of those is a pipe or a device:
/// uv would wait for it, or read without end. What else is wrong with the folders uv says.
pub(super) fn check_folders(find_links: &[String]) -> Result<(), ResolveError> {
    let is_meant = |name: &OsStr| {
        let ends = [b".whl".as_slice(), b".tar.gz", b".zip"];
        ends.iter().any(|end| name.as_encoded_bytes().ends_with(end))
    };
    for entry in find_links.iter().filter_map(|links| fs::read_dir(links).ok()).flatten().flatten()
    {
        let Ok(found) = entry.file_type() else { continue };
        if found.is_file() || !is_meant(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        let behind_link = path.metadata().map(|metadata| metadata.file_type());
        regular::check_type(behind_link.ok())
            .map_err(|source| ResolveError::NotAFile { path, source })?;
    }
    Ok(())
}

/// Why a text does not name a package index, or a place of wheels. The text is not a part of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// It cannot be read as a URL.
    #[error("is not a URL: {0}; it is not shown here, since it may hold a password")]
    Url(url::ParseError),
    /// It is a URL of another kind.
    #[error(
        "is not a URL of scheme http, https or file; it is not shown here, since it may hold a \
         password"
    )]
    Scheme,
    /// It is neither a URL nor a folder.
    #[error("is neither a URL nor a folder; it is not shown here, since it may hold a password")]
    Folder,
}
