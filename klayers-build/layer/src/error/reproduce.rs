use std::path::{Path, PathBuf};

use klayers_core::{LayerName, PackageName};
use klayers_wheel::RuleError;

use crate::lock::LockError;
use crate::recipe::RecipeError;

/// A layer cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
#[error("could not rebuild {}", path.display())]
pub struct ReproduceError {
    path: PathBuf,
    #[source]
    reason: Box<UnreproducibleError>,
}

impl ReproduceError {
    pub(crate) fn new(path: &Path, reason: UnreproducibleError) -> Self {
        Self { path: path.to_owned(), reason: Box::new(reason) }
    }

    /// Returns the reason.
    pub fn reason(&self) -> &UnreproducibleError {
        &self.reason
    }
}

/// Why a layer cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnreproducibleError {
    /// The layer is not a valid ZIP archive.
    #[error(transparent)]
    Archive(#[from] RuleError),
    /// The layer does not contain exactly one lock.
    #[error(
        "it does not contain exactly one klayers/LAYER/pylock.toml, as layers built from wheels do"
    )]
    NoLock,
    /// The lock has no valid recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The lock belongs to another layer.
    #[error("it contains the lock of another layer, {0}")]
    OtherLayer(LayerName),
    /// Wheels in it were built from source distributions of these packages, which are not allowed.
    #[error(
        "its wheels of {names} were built from source distributions, whose code runs when they are \
         built again; if you trust this code, allow it with {options}",
        names = joined(.0, "", ", "),
        options = joined(.0, "--allow-sdist ", " ")
    )]
    FromSource(Vec<PackageName>),
}

/// Joins the names of packages, each with a prefix.
fn joined(names: &[PackageName], prefix: &str, separator: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{prefix}{name}")).collect();
    names.join(separator)
}
