//! The table `[client]` of `klayers.toml`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use klayers_core::secrets;
use serde::Deserialize;

#[cfg(unix)]
use super::trust::{self, Owned};
use crate::{Architecture, PythonVersion, Region};

const FILE: &str = "klayers.toml";

/// What the table may hold.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
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

#[derive(Clone, Debug, Deserialize, PartialEq)]
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

/// What was found: the settings, and which files were left alone and why.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) config: Config,
    pub(super) left_alone: Vec<String>,
}

impl Config {
    /// Reads the project's file, which lies in a folder or above it; or else the user's.
    pub(super) fn find(project: Option<&Path>, user: Option<&Path>) -> Result<Found, String> {
        let mut left_alone = Vec::new();
        let above = project.into_iter().flat_map(Path::ancestors);
        for folder in above.chain(user) {
            let path = folder.join(FILE);
            let Some(text) = read(&path)? else { continue };
            let parsed = Self::parse(&text, folder)
                .map_err(|error| format!("{}{}", path.display(), told(&error, &text)));
            // A file that is for the pipeline alone says nothing here.
            if let Ok(None) = parsed {
                continue;
            }
            let refused = match project {
                _ if user == Some(folder) => None,
                Some(project) => not_trusted(&path, folder, folder == project)?,
                None => None,
            };
            if let Some(reason) = refused {
                left_alone.push(format!(
                    "the settings in {} are not used, since {reason}; if you trust them, copy them \
                     to your own folder for configuration",
                    path.display()
                ));
            } else if let Some(config) = parsed? {
                return Ok(Found { config, left_alone });
            }
        }
        Ok(Found { left_alone, ..Found::default() })
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

/// The text of a file; none if there is no such file. What is no file, as a pipe, is not waited for.
fn read(path: &Path) -> Result<Option<String>, String> {
    let unreadable = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    }
    fs::read_to_string(path).map(Some).map_err(unreadable)
}

/// Where in the file it is, and what is wrong there. Addresses in the file may hold a password, so
/// none of them is shown.
fn told(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!(", line {}", before.matches('\n').count() + 1));
    let table: toml::Table = text.parse().unwrap_or_default();
    let mut given = Vec::new();
    for (key, value) in &table {
        given.push(key.as_str());
        add_texts(value, &mut given);
    }
    let message = secrets::without(error.message(), given);
    format!("{}: {message}", line.unwrap_or_default())
}

/// Adds the texts in a value of TOML, and the keys of tables.
fn add_texts<'v>(value: &'v toml::Value, texts: &mut Vec<&'v str>) {
    match value {
        toml::Value::String(text) => texts.push(text),
        toml::Value::Array(values) => values.iter().for_each(|value| add_texts(value, texts)),
        toml::Value::Table(table) => {
            for (key, value) in table {
                texts.push(key);
                add_texts(value, texts);
            }
        }
        _ => {}
    }
}

/// Why a file of a project does not count; none if it does.
#[cfg(unix)]
fn not_trusted(path: &Path, folder: &Path, here: bool) -> Result<Option<&'static str>, String> {
    let owned = |path: &Path| {
        let metadata = fs::metadata(path);
        metadata
            .map(|metadata| Owned::of(&metadata))
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let (file, folder, user) = (owned(path)?, owned(folder)?, rustix::process::geteuid().as_raw());
    Ok(if here { trust::here(file, folder, user) } else { trust::above(file, folder, user) })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn not_trusted(_: &Path, _: &Path, _: bool) -> Result<Option<&'static str>, String> {
    Ok(None)
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
            let found = Config::find(Some(&project), Some(&user)).expect("a configuration");
            assert_eq!(found.left_alone, [""; 0]);
            found.config.region.map(|region| region.to_string())
        };
        assert_eq!(region().as_deref(), Some("eu-west-1"));
        write("a", "[client]\nregion = 'us-east-1'\ncache = 'kept'");
        assert_eq!(region().as_deref(), Some("us-east-1"));
        // A file of the pipeline says nothing to the client.
        write("a/b", "config_dir = 'config'\n[expiry]\ndays = 3");
        assert_eq!(region().as_deref(), Some("us-east-1"));
        let found = Config::find(Some(&project), None).expect("a configuration");
        assert_eq!(
            found.config.cache,
            Some(CacheFolder::Folder(folder.path().join("a").join("kept")))
        );
        assert_eq!(Config::find(None, None), Ok(Found::default()));
    }

    #[test]
    fn what_is_wrong_in_it_is_told_with_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, line) in [
            ("[client]\nregoin = 'eu-west-1'", 2),
            ("[client]\n\nregion = 'mars'", 3),
            ("[client", 1),
        ] {
            fs::write(folder.path().join(FILE), text).expect("a file");
            let error = Config::find(Some(folder.path()), None).expect_err(text);
            let place = format!("{}, line {line}: ", folder.path().join(FILE).display());
            assert!(error.starts_with(&place), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_addresses_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in [
            "[client]\noffline = 'https://me:s3cret@host'",
            "[client]\ntimeout = \"me:s3cret@host\"",
            "[client]\nregion = 'https://me:\"s3cret@host'",
            "[client]\narch = 'https//me:s3cret@host'",
            "[client]\npython = ['https://me:s3cret@host']",
            "[client]\napi_url = 'https://me:s3cret@host",
            "[client]\napi_url = https://me:s3cret@host",
            "[client]\n'https://me:s3cret@host' = 1",
        ] {
            fs::write(folder.path().join(FILE), text).expect("a file");
            let error = Config::find(Some(folder.path()), None).expect_err(text);
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
    }

    /// Others may have put it there, and it names the server that ARNs come from.
    #[cfg(unix)]
    #[test]
    fn a_file_above_to_which_others_may_write_is_told_and_left_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (above, here) = (folder.path().join("shared"), folder.path().join("shared/mine"));
        fs::create_dir_all(&here).expect("folders");
        fs::write(above.join(FILE), "[client]\napi_url = 'https://evil.example'").expect("a file");
        fs::write(folder.path().join(FILE), "[client]\npython = '3.13'").expect("a file");
        let find = || Config::find(Some(&here), None).expect("a configuration");
        let mode = |mode| fs::set_permissions(&above, fs::Permissions::from_mode(mode));
        mode(0o755).expect("a mode");
        assert_eq!(find().config.api_url.as_deref(), Some("https://evil.example"));
        mode(0o777).expect("a mode");
        let found = find();
        assert_eq!(found.config.api_url, None);
        assert_eq!(found.config.python, "3.13".parse().ok(), "the search goes on above");
        assert_eq!(
            found.left_alone,
            [format!(
                "the settings in {} are not used, since others may write to its folder; if you \
                 trust them, copy them to your own folder for configuration",
                above.join(FILE).display()
            )]
        );
        // One that says nothing to the client is nothing to tell.
        fs::write(above.join(FILE), "config_dir = 'config'").expect("a file");
        assert_eq!(find().left_alone, [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_of_that_name_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(FILE)).status();
        assert!(made.expect("mkfifo").success());
        assert_eq!(Config::find(Some(folder.path()), None), Ok(Found::default()));
    }
}
