//! Reads the table `[client]` of `klayers.toml`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use klayers_core::secrets;
use serde::Deserialize;

#[cfg(unix)]
use super::trust::{self, Ownership};
use crate::{Architecture, PythonVersion, Region};

const FILE: &str = "klayers.toml";

/// The settings in the table `[client]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) api_url: Option<String>,
    pub(super) region: Option<Region>,
    pub(super) python: Option<PythonVersion>,
    pub(super) arch: Option<Architecture>,
    pub(super) offline: Option<bool>,
    /// The time limit of a call, in seconds.
    pub(super) timeout: Option<u32>,
    /// The cache folder; `false` caches nothing on the disk.
    pub(super) cache: Option<CacheSetting>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub(super) enum CacheSetting {
    Enabled(bool),
    /// Relative to the folder of `klayers.toml`.
    Folder(PathBuf),
}

/// A `klayers.toml`. The other tables are for the pipeline.
#[derive(Deserialize)]
struct File {
    client: Option<Config>,
}

/// The settings, and the files that were ignored.
#[derive(Debug, Default, PartialEq)]
pub(super) struct LoadedConfig {
    pub(super) config: Config,
    /// A message for each file that was ignored.
    pub(super) ignored_files: Vec<String>,
}

impl Config {
    /// Reads the settings of the project, from `project` or the nearest folder above it, or else of the
    /// user.
    pub(super) fn load(
        project: Option<&Path>,
        user: Option<&Path>,
    ) -> Result<LoadedConfig, String> {
        let mut ignored_files = Vec::new();
        let project_folders = project.into_iter().flat_map(Path::ancestors);
        for folder in project_folders.chain(user) {
            let path = folder.join(FILE);
            let Some(text) = read(&path)? else { continue };
            let parsed = Self::parse(&text, folder)
                .map_err(|error| format!("{}{}", path.display(), describe(&error, &text)));
            // A file for the pipeline only.
            if let Ok(None) = parsed {
                continue;
            }
            let distrust = match project {
                _ if user == Some(folder) => None,
                Some(project) => reason_to_distrust(&path, folder, folder == project)?,
                None => None,
            };
            if let Some(reason) = distrust {
                ignored_files.push(format!(
                    "the settings in {} are ignored, since {reason}; if you trust them, copy them to \
                     your own configuration folder",
                    path.display()
                ));
            } else if let Some(config) = parsed? {
                return Ok(LoadedConfig { config, ignored_files });
            }
        }
        Ok(LoadedConfig { ignored_files, ..LoadedConfig::default() })
    }

    /// None for a file without the table, which is for the pipeline only.
    fn parse(text: &str, folder: &Path) -> Result<Option<Self>, toml::de::Error> {
        let File { client } = toml::from_str(text)?;
        Ok(client.map(|mut config| {
            if let Some(CacheSetting::Folder(path)) = &mut config.cache {
                *path = folder.join(&path);
            }
            config
        }))
    }
}

/// The text of a file; none if the file does not exist. Anything but a file, such as a pipe, is
/// skipped, since reading it could block.
fn read(path: &Path) -> Result<Option<String>, String> {
    let unreadable = |error: io::Error| format!("could not read {}: {error}", path.display());
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

/// The line of an error and its message. Addresses in the file may contain a password, so they are not
/// shown.
fn describe(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!(", line {}", before.matches('\n').count() + 1));
    let table: toml::Table = text.parse().unwrap_or_default();
    let mut given = Vec::new();
    for (key, value) in &table {
        given.push(key.as_str());
        add_texts(value, &mut given);
    }
    let message = secrets::hide_in_message(error.message(), given);
    format!("{}: {message}", line.unwrap_or_default())
}

/// Collects the strings in a TOML value, and the keys of its tables.
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

/// Why a project's file must not be used; none if it may be used.
#[cfg(unix)]
fn reason_to_distrust(
    path: &Path,
    folder: &Path,
    is_current: bool,
) -> Result<Option<&'static str>, String> {
    let ownership = |path: &Path| {
        let metadata = fs::metadata(path);
        metadata
            .map(|metadata| Ownership::of(&metadata))
            .map_err(|error| format!("could not read {}: {error}", path.display()))
    };
    let user = rustix::process::geteuid().as_raw();
    let (file, folder) = (ownership(path)?, ownership(folder)?);
    Ok(if is_current {
        trust::distrust_in_current_folder(file, folder, user)
    } else {
        trust::distrust_in_parent_folder(file, folder, user)
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on Unix, this function can fail")]
fn reason_to_distrust(_: &Path, _: &Path, _: bool) -> Result<Option<&'static str>, String> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_file_with_the_table_is_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |place: &str, text: &str| {
            let place = folder.path().join(place);
            fs::create_dir_all(&place).expect("a folder");
            fs::write(place.join(FILE), text).expect("a file");
        };
        write("user", "[client]\nregion = 'eu-west-1'");
        let (project, user) = (folder.path().join("a/b"), folder.path().join("user"));
        let region = || {
            let found = Config::load(Some(&project), Some(&user)).expect("a configuration");
            assert_eq!(found.ignored_files, [""; 0]);
            found.config.region.map(|region| region.to_string())
        };
        assert_eq!(region().as_deref(), Some("eu-west-1"));
        write("a", "[client]\nregion = 'us-east-1'\ncache = 'kept'");
        assert_eq!(region().as_deref(), Some("us-east-1"));
        // A file for the pipeline has no settings of the client.
        write("a/b", "config_dir = 'config'\n[expiry]\ndays = 3");
        assert_eq!(region().as_deref(), Some("us-east-1"));
        let found = Config::load(Some(&project), None).expect("a configuration");
        assert_eq!(
            found.config.cache,
            Some(CacheSetting::Folder(folder.path().join("a").join("kept")))
        );
        assert_eq!(Config::load(None, None), Ok(LoadedConfig::default()));
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, line) in [
            ("[client]\nregoin = 'eu-west-1'", 2),
            ("[client]\n\nregion = 'mars'", 3),
            ("[client", 1),
        ] {
            fs::write(folder.path().join(FILE), text).expect("a file");
            let error = Config::load(Some(folder.path()), None).expect_err(text);
            let place = format!("{}, line {line}: ", folder.path().join(FILE).display());
            assert!(error.starts_with(&place), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn errors_do_not_show_addresses_with_passwords() {
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
            let error = Config::load(Some(folder.path()), None).expect_err(text);
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
    }

    /// Another user may have written the file, and the file names the server that ARNs come from.
    #[cfg(unix)]
    #[test]
    fn parent_folder_file_that_others_can_write_is_ignored_with_a_note() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (above, here) = (folder.path().join("shared"), folder.path().join("shared/mine"));
        fs::create_dir_all(&here).expect("folders");
        fs::write(above.join(FILE), "[client]\napi_url = 'https://evil.example'").expect("a file");
        fs::write(folder.path().join(FILE), "[client]\npython = '3.13'").expect("a file");
        let find = || Config::load(Some(&here), None).expect("a configuration");
        let mode = |mode| fs::set_permissions(&above, fs::Permissions::from_mode(mode));
        mode(0o755).expect("a mode");
        assert_eq!(find().config.api_url.as_deref(), Some("https://evil.example"));
        mode(0o777).expect("a mode");
        let found = find();
        assert_eq!(found.config.api_url, None);
        assert_eq!(
            found.config.python,
            "3.13".parse().ok(),
            "the search continues in the folders above"
        );
        assert_eq!(
            found.ignored_files,
            [format!(
                "the settings in {} are ignored, since others may write to its folder; if you trust \
                 them, copy them to your own configuration folder",
                above.join(FILE).display()
            )]
        );
        // A file without settings of the client needs no note.
        fs::write(above.join(FILE), "config_dir = 'config'").expect("a file");
        assert_eq!(find().ignored_files, [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn pipe_instead_of_a_config_file_is_skipped() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(FILE)).status();
        assert!(made.expect("mkfifo").success());
        assert_eq!(Config::load(Some(folder.path()), None), Ok(LoadedConfig::default()));
    }
}
