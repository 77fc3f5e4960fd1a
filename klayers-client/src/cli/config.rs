//! The table `[client]` of `klayers.toml`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Architecture, PythonVersion, Region};

const FILE: &str = "klayers.toml";

/// What the table may hold.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) api_url: Option<String>,
    pub(super) region: Option<Region>,
    pub(super) python: Option<PythonVersion>,
    pub(super) arch: Option<Architecture>,
    pub(super) offline: Option<bool>,
    /// Seconds that a call may take.
    pub(super) timeout: Option<u32>,
    /// Where answers are kept; `false` keeps none on the disk.
    pub(super) cache: Option<CacheFolder>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub(super) enum CacheFolder {
    Kept(bool),
    /// Relative to the file.
    Folder(PathBuf),
}

/// A file of which only this table is the client's.
#[derive(Deserialize)]
struct File {
    client: Option<Config>,
}

impl Config {
    /// Reads the project's file, which lies in a folder or above it; or else the user's.
    pub(super) fn find(project: Option<&Path>, user: Option<&Path>) -> Result<Self, String> {
        let project = project.into_iter().flat_map(Path::ancestors);
        for folder in project.chain(user) {
            let path = folder.join(FILE);
            match fs::read_to_string(&path) {
                Ok(text) => {
                    if let Some(config) = Self::parse(&text, folder)
                        .map_err(|error| format!("{}: {error}", path.display()))?
                    {
                        return Ok(config);
                    }
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
            }
        }
        Ok(Self::default())
    }

    /// None for a file without the table, as one that is for the pipeline alone.
    fn parse(text: &str, folder: &Path) -> Result<Option<Self>, toml::de::Error> {
        let File { client } = toml::from_str(text)?;
        Ok(client.map(|mut config| {
            if let Some(CacheFolder::Folder(path)) = &mut config.cache {
                *path = folder.join(&path);
            }
            config
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_with_the_table_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |place: &str, text: &str| {
            let place = folder.path().join(place);
            fs::create_dir_all(&place).expect("a folder");
            fs::write(place.join(FILE), text).expect("a file");
        };
        write("user", "[client]\nregion = 'eu-west-1'");
        let (project, user) = (folder.path().join("a/b"), folder.path().join("user"));
        let region = || {
            let config = Config::find(Some(&project), Some(&user)).expect("a configuration");
            config.region.map(|region| region.to_string())
        };
        assert_eq!(region().as_deref(), Some("eu-west-1"));
        write("a", "[client]\nregion = 'us-east-1'\ncache = 'kept'");
        assert_eq!(region().as_deref(), Some("us-east-1"));
        // A file of the pipeline says nothing to the client.
        write("a/b", "config_dir = 'config'\n[expiry]\ndays = 3");
        assert_eq!(region().as_deref(), Some("us-east-1"));
        let config = Config::find(Some(&project), None).expect("a configuration");
        assert_eq!(config.cache, Some(CacheFolder::Folder(folder.path().join("a").join("kept"))));
        assert_eq!(Config::find(None, None), Ok(Config::default()));
    }

    #[test]
    fn what_is_wrong_in_it_is_told_with_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["[client]\nregoin = 'eu-west-1'", "[client]\nregion = 'mars'", "[client"] {
            fs::write(folder.path().join(FILE), text).expect("a file");
            let error = Config::find(Some(folder.path()), None).expect_err(text);
            assert!(error.contains(&folder.path().join(FILE).display().to_string()), "{error}");
        }
    }
}
