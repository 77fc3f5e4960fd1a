//! The format of `klayers.toml`, with the defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use klayers_core::{Bundle, ExpiryPolicy, PackageName, PythonVersion, Runtime};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::notify::{NotifyFormat, NotifyOn};
use crate::plan::Republish;
use klayers_layer::builder::BytecodeMode;
use klayers_layer::gate::GateRules;
use klayers_layer::slim::Slimming;
use klayers_publish::AwsOptions;
use klayers_wheel::Acceptances;

use super::PublishTarget;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) config_dir: PathBuf,
    #[serde(default)]
    pub(super) catalog: CatalogSection,
    #[serde(default)]
    pub(super) artifacts: ArtifactsSection,
    #[serde(default)]
    pub(super) publish: PublishSection,
    #[serde(default)]
    pub(super) build: BuildSection,
    #[serde(default)]
    pub(super) wheels: WheelsSection,
    #[serde(default)]
    pub(super) slim: Slimming,
    #[serde(default)]
    pub(super) gate: GateRules,
    #[serde(default)]
    pub(super) expiry: ExpirySection,
    #[serde(default)]
    pub(super) notify: NotifySection,
    #[serde(default)]
    pub(super) bundle: Vec<Bundle>,
    #[serde(default)]
    pub(super) runtime: Vec<Runtime>,
    /// The settings of the command `klayers`, which may share the file.
    #[serde(default, rename = "client")]
    _client: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CatalogSection {
    pub(super) url: String,
}

impl Default for CatalogSection {
    fn default() -> Self {
        Self { url: "sqlite:klayers.db".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ArtifactsSection {
    pub(super) url: String,
}

impl Default for ArtifactsSection {
    fn default() -> Self {
        Self { url: "file:artifacts".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PublishSection {
    pub(super) target: PublishTarget,
    pub(super) layer_prefix: String,
    pub(super) root: PathBuf,
    pub(super) republish: Republish,
    pub(super) public: bool,
    /// In seconds.
    pub(super) deadline: u64,
    pub(super) aws: AwsOptions,
}

impl Default for PublishSection {
    fn default() -> Self {
        Self {
            target: PublishTarget::Local,
            layer_prefix: "Klayers".to_owned(),
            root: PathBuf::from("published"),
            republish: Republish::default(),
            public: false,
            deadline: 300,
            aws: AwsOptions::default(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BuildSection {
    /// Parsed later, since an error of the TOML parser would show the secret.
    pub(super) index_url: Option<String>,
    pub(super) find_links: Vec<String>,
    pub(super) no_index: bool,
    pub(super) allow_sdist: BTreeSet<PackageName>,
    pub(super) bytecode: BytecodeMode,
    pub(super) interpreters: BTreeMap<PythonVersion, PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WheelsSection {
    pub(super) accept: Acceptances,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExpirySection {
    pub(super) days: u32,
    pub(super) packages: BTreeMap<PackageName, u32>,
    pub(super) keep: usize,
    pub(super) limit: usize,
}

impl Default for ExpirySection {
    fn default() -> Self {
        let ExpiryPolicy { days, packages, keep } = ExpiryPolicy::default();
        Self { days, packages, keep, limit: 500 }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NotifySection {
    /// Parsed later, since an error of the TOML parser would show the secret.
    pub(super) url: Option<String>,
    pub(super) format: NotifyFormat,
    pub(super) on: NotifyOn,
}
