//! The operator's configuration: `klayers.toml`, and the config folder that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::collection::{CollectionConfig, CollectionError, parse_packages, parse_regions};
use klayers_core::secrets;
use klayers_core::{Bundle, ExpiryPolicy, PackageName, Runtimes, Target, UnknownRuntimeError};
use serde::Deserialize;

use crate::notify::{NotifyConfig, SecretUrl};
use crate::plan::{Collection, Contents, Republish};
use klayers_layer::lock::LockError;
use klayers_layer::resolve::{SourceLocationError, Sources};
use klayers_layer::secrets::TomlError;
use klayers_layer::settings::BuildSettings;
use klayers_publish::AwsOptions;
use klayers_wheel::regular;

mod file;

use file::File;

/// The content of a `klayers.toml`. Relative paths in the file are relative to its folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The config folder of the collection.
    pub config_dir: PathBuf,
    /// The file of the catalog.
    pub catalog: PathBuf,
    /// The folder of the artifacts.
    pub artifacts: PathBuf,
    /// How and where layers are published.
    pub publish: PublishConfig,
    /// How layers are built.
    pub build: BuildSettings,
    /// The layers of several packages.
    pub bundles: Vec<Bundle>,
    /// How long deprecated layer versions are kept.
    pub expiry: ExpiryPolicy,
    /// The notifications about runs.
    pub notify: NotifyConfig,
    /// The most layer versions that one `expire` deletes.
    pub expiry_limit: usize,
}

/// How and where layers are published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishConfig {
    /// The prefix of the layers' names.
    pub layer_prefix: String,
    /// The folder of the embedded publisher.
    pub root: PathBuf,
    /// Which changes cause a new publication.
    pub republish: Republish,
    /// The kind of publisher.
    pub target: PublishTarget,
    /// Whether everybody may use the published layers.
    pub public: bool,
    /// The deadline for publishing one layer in one region.
    pub deadline: Duration,
    /// How layers are published to AWS.
    pub aws: AwsOptions,
}

/// Where layers are published.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishTarget {
    /// A local folder.
    Local,
    /// AWS Lambda.
    Aws,
}

impl Config {
    /// Reads a `klayers.toml`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not TOML, or has an unknown key or value.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        let file: File = toml::from_str(&text).map_err(|error| ConfigError::Toml {
            path: path.to_owned(),
            message: TomlError::new(&error, &text).to_string(),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let location = |url: &str, scheme: &'static str| match url.strip_prefix(scheme) {
            Some(location) if !location.is_empty() => Ok(folder.join(location)),
            _ => {
                let (path, value) = (path.to_owned(), secrets::hide_secret(url).into_owned());
                Err(ConfigError::Location { path, value, scheme })
            }
        };
        let mut runtimes = Runtimes::default();
        runtimes.extend(file.runtime);
        let notify_url = file.notify.url.map(|url| {
            SecretUrl::parse(&url).ok_or_else(|| ConfigError::NotifyUrl(path.display().to_string()))
        });
        let not_a_place = |key, source| ConfigError::Place { path: path.to_owned(), key, source };
        let index_url = file.build.index_url.map(|url| {
            Sources::parse_index_url(&url).map_err(|error| not_a_place("index_url", error))
        });
        let find_links = file.build.find_links.iter().map(|links| {
            Sources::parse_find_links(folder, links)
                .map_err(|error| not_a_place("find_links", error))
        });
        let find_links = find_links.collect::<Result<_, _>>();
        Ok(Self {
            config_dir: folder.join(&file.config_dir),
            catalog: location(&file.catalog.url, "sqlite:")?,
            artifacts: location(&file.artifacts.url, "file:")?,
            publish: PublishConfig {
                layer_prefix: file.publish.layer_prefix,
                root: folder.join(&file.publish.root),
                republish: file.publish.republish,
                target: file.publish.target,
                public: file.publish.public,
                deadline: Duration::from_secs(file.publish.deadline),
                aws: AwsOptions {
                    deadline: Duration::from_secs(file.publish.deadline),
                    ..file.publish.aws
                },
            },
            build: BuildSettings {
                sources: Sources {
                    index_url: index_url.transpose()?,
                    find_links: find_links?,
                    no_index: file.build.no_index,
                },
                allow_sdist: file.build.allow_sdist,
                bytecode: file.build.bytecode,
                interpreters: file
                    .build
                    .interpreters
                    .into_iter()
                    .map(|(python, program)| (python, folder.join(program)))
                    .collect(),
                accepted: file.wheels.accept,
                slimming: file.slim,
                gate: file.gate,
                runtimes,
            },
            bundles: file.bundle,
            expiry: ExpiryPolicy {
                days: file.expiry.days,
                packages: file.expiry.packages,
                keep: file.expiry.keep,
            },
            notify: NotifyConfig {
                url: notify_url.transpose()?,
                format: file.notify.format,
                on: file.notify.on,
            },
            expiry_limit: file.expiry.limit,
        })
    }

    /// Reads the config folder.
    ///
    /// # Errors
    ///
    /// If a file cannot be used. The error names the file and, if possible, the line.
    pub fn collection(&self) -> Result<Collection, ConfigError> {
        let path = self.config_dir.join("config.json");
        let config: CollectionConfig =
            read(&path)?.parse().map_err(|e| ConfigError::collection(&path, e))?;
        let mut targets = BTreeMap::new();
        for (target, file) in config.packages_files {
            self.build.runtimes.require(target)?;
            let packages_path = self.config_dir.join(file);
            let packages = parse_packages(&read(&packages_path)?)
                .map_err(|error| ConfigError::collection(&packages_path, error))?;
            targets.insert(target, packages.into_iter().map(Contents::Package).collect());
        }
        for bundle in &self.bundles {
            add_bundle(bundle, &mut targets)?;
        }
        let path = self.config_dir.join("regions.csv");
        let regions =
            parse_regions(&read(&path)?).map_err(|error| ConfigError::collection(&path, error))?;
        Ok(Collection { targets, regions: regions.into_iter().map(|row| row.region).collect() })
    }
}

/// Adds a bundle to its targets. Names are unique in a target, in lists and in the catalog.
fn add_bundle(
    bundle: &Bundle,
    targets: &mut BTreeMap<Target, Vec<Contents>>,
) -> Result<(), ConfigError> {
    let unknown = bundle.targets().iter().find(|target| !targets.contains_key(target));
    if let Some(&target) = unknown {
        return Err(ConfigError::BundleTarget { bundle: bundle.name().clone().into(), target });
    }
    for (&target, contents) in targets.iter_mut().filter(|(target, _)| bundle.is_for(**target)) {
        if let Some(other) = contents.iter().find(|other| other.name() == bundle.name()) {
            let what = match other {
                Contents::Package(_) => "a package in its packages list",
                Contents::Bundle(_) => "another bundle",
            };
            return Err(ConfigError::BundleName {
                bundle: bundle.name().clone().into(),
                target,
                what,
            });
        }
        contents.push(Contents::Bundle(bundle.clone()));
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, ConfigError> {
    regular::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// `klayers.toml` is malformed, or has an unknown key or value.
    #[error("{}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// The location of the catalog or the artifacts has an unknown scheme.
    #[error("{}: could not use the location {value:?}; its form is {scheme}PATH", path.display())]
    Location {
        /// The file.
        path: PathBuf,
        /// The value, without possible secrets.
        value: String,
        /// The required scheme.
        scheme: &'static str,
    },
    /// An index or a place of wheels in the file cannot be used.
    #[error("{}: {key} {source}", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// The key of the place.
        key: &'static str,
        /// What is wrong.
        source: SourceLocationError,
    },
    /// A place of wheels in an argument cannot be used.
    #[error("{argument} {source}")]
    Argument {
        /// The argument.
        argument: &'static str,
        /// What is wrong.
        source: SourceLocationError,
    },
    /// A file of the config folder is malformed.
    #[error("{} cannot be used", path.display())]
    Collection {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: CollectionError,
    },
    /// The lock in an argument cannot be used.
    #[error("{} cannot be used", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: LockError,
    },
    /// A target's Python version has no runtime.
    #[error(transparent)]
    UnknownRuntime(#[from] UnknownRuntimeError),
    /// The notification URL is not an HTTP URL. It is a secret, so it is not shown.
    #[error("{0}: the URL for notifications must begin with http:// or https:// (not shown here)")]
    NotifyUrl(String),
    /// A bundle names a target that the collection does not have.
    #[error("bundle {bundle} is for {target}, which is not in the collection's config.json")]
    BundleTarget {
        /// The bundle.
        bundle: Box<PackageName>,
        /// The target.
        target: Target,
    },
    /// A bundle has the same name as a package or another bundle.
    #[error(
        "bundle {bundle} has the same name as {what} for {target}; give the bundle another name"
    )]
    BundleName {
        /// The bundle.
        bundle: Box<PackageName>,
        /// The target.
        target: Target,
        /// The other holder of the name.
        what: &'static str,
    },
}

impl ConfigError {
    fn collection(path: &Path, source: CollectionError) -> Self {
        Self::Collection { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn settings_of_the_client_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("klayers.toml");
        fs::write(&file, "config_dir = \"config\"\n[client]\noffline = true\n").unwrap();
        Config::load(&file).unwrap();
        fs::write(&file, "config_dir = \"config\"\n[clients]\noffline = true\n").unwrap();
        Config::load(&file).unwrap_err();
    }

    #[test]
    fn no_error_shows_a_secret_in_a_url() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("klayers.toml");
        for line in [
            "[notify]\nurll = \"https://hooks.index.example/T0/s3cret\"",
            "[notify]\nurl = 'https://hooks.index.example/T0/s3cret",
            "[notify]\nurl = [\"https://hooks.index.example/T0/s3cret\"]",
            "[notify]\nurl = \"hooks.index.example/T0/s3cret\"",
            "[notify]\nurl = \"file:///hooks.index.example/T0/s3cret\"",
            "notify = { url = 'https://hooks.index.example/s3cret', on = 'sometimes' }",
            "build = { index_url = 'https://me:s3cret@index.example', no_index = 'no' }",
            "[build]\nindex_url = 'https://me:s3cret@index.example:port/simple'",
            "[build]\nindex_url = 'https//me:s3cret@index.example/simple'",
            "[build]\nindex_url = 'https://me:x s3cret@index.example:x/simple'",
            "[build]\nindex_url = \"https://me:\\\"s3cret@index.example:x/simple\"",
            "[build]\nindex_url = 's3cret'",
            "[build]\nindex_url = https://me:s3cret@index.example/simple",
            "[build]\nindex_url = 'https://me:s3cret@index.example/simple",
            "[build]\n'https://me:s3cret@index.example' = 1",
            "[build]\nfind_links = 'https://me:s3cret@index.example'",
            "[build]\nfind_links = ['https://me:s3cret@index.example:port']",
            "[build]\nfind_links = ['https//me:s3cret@index.example']",
            "[build]\nfind_links = ['me:s3cret@index.example']",
            "[build]\nno_index = 'me:s3cret@index.example'",
            "[build]\nallow_sdist = ['https://me:s3cret@index.example']",
            "[catalog]\nurl = 'postgres://me:s3cret@index.example'",
            "[artifacts]\nurl = 'me:s3cret@index.example'",
            "[publish]\ntarget = 'https://me:s3cret@index.example'",
        ] {
            fs::write(&file, format!("config_dir = \"config\"\n{line}\n")).unwrap();
            let error = Config::load(&file).expect_err(line);
            let said = format!("{error} {error:?}");
            assert!(!said.contains("s3cret"), "{line}: {said}");
        }
    }
}
