//! Package sources: the index, and folders and pages of further wheels.

use std::path::Path;

use klayers_core::secrets::may_contain_secret;
use tokio::process::Command;
use url::Url;

/// Where packages come from. The configuration files and environment variables of `uv` apply as
/// well.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sources {
    /// The index, instead of uv's default.
    pub index_url: Option<Url>,
    /// Folders and pages with further wheels.
    pub find_links: Vec<String>,
    /// Whether to use no index at all.
    pub no_index: bool,
}

impl Sources {
    /// Parses the URL of a package index.
    ///
    /// # Errors
    ///
    /// If the text is not such a URL. The error does not show the text, which may hold a password.
    pub fn parse_index_url(text: &str) -> Result<Url, SourceLocationError> {
        let url: Url = text.parse().map_err(SourceLocationError::Url)?;
        match url.scheme() {
            "http" | "https" | "file" => Ok(url),
            _ => Err(SourceLocationError::Scheme),
        }
    }

    /// Parses the location of further wheels, as a user in `folder` names it. The URL of a page
    /// stays as it is. The path of a folder becomes absolute, since uv runs in another folder.
    ///
    /// # Errors
    ///
    /// If the text looks like a URL and is not one. The error does not show the text, which may
    /// hold a password.
    pub fn parse_find_links(folder: &Path, links: &str) -> Result<String, SourceLocationError> {
        let url = Self::parse_index_url(links);
        if url.is_ok() {
            return Ok(links.to_owned());
        }
        if links.contains("://") {
            return url.map(|_| links.to_owned());
        }
        let path = folder.join(links);
        if may_contain_secret(links) && !path.exists() {
            return Err(SourceLocationError::Folder);
        }
        Ok(std::path::absolute(&path).unwrap_or(path).display().to_string())
    }

    /// Passes these sources, and a folder of further wheels, to uv.
    ///
    /// The URLs go into uv's environment: every user of the machine can read the arguments of a
    /// process, and URLs may hold passwords.
    pub(crate) fn configure_uv(&self, command: &mut Command, folder: Option<&Path>) {
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

/// Encodes commas in a location, since uv reads a list separated by commas.
fn without_comma(links: &String) -> String {
    if !links.contains(',') {
        return links.clone();
    }
    let url = Url::parse(links).or_else(|_| Url::from_file_path(links));
    url.map_or_else(|()| links.clone(), |url| url.as_str().replace(',', "%2C"))
}

/// Why a text does not name a package index or a location of wheels. The error does not hold the
/// text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceLocationError {
    /// The text is not a URL.
    #[error("is not a URL: {0}; it is not shown here, since it may hold a password")]
    Url(url::ParseError),
    /// The URL has another scheme.
    #[error(
        "is not a URL of scheme http, https or file; it is not shown here, since it may hold a \
         password"
    )]
    Scheme,
    /// The text is neither a URL nor a folder.
    #[error("is neither a URL nor a folder; it is not shown here, since it may hold a password")]
    Folder,
}
