use std::path::{Path, PathBuf};

use klayers_core::{LayerName, PackageName};
use klayers_wheel::RuleError;

use crate::lock::LockError;
use crate::recipe::RecipeError;

/// A layer that cannot be made again.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be made again", path.display())]
pub struct ReproduceError {
    path: PathBuf,
    #[source]
    fault: Box<LayerFault>,
}

impl ReproduceError {
    pub(crate) fn new(path: &Path, fault: LayerFault) -> Self {
        Self { path: path.to_owned(), fault: Box::new(fault) }
    }

    /// Why it cannot.
    pub fn fault(&self) -> &LayerFault {
        &self.fault
    }
}

/// Why a layer cannot be made again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerFault {
    /// It is not a sound ZIP archive.
    #[error(transparent)]
    Archive(#[from] RuleError),
    /// It does not hold one lock.
    #[error(
        "it does not hold one klayers/LAYER/pylock.toml, as layers do that were made of wheels"
    )]
    NoLock,
    /// Its lock does not say how it was made.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Its lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Its lock is another layer's.
    #[error("the lock in it is that of {0}")]
    OtherLayer(LayerName),
    /// Wheels in it were built from source distributions of these packages, which are not allowed.
    #[error(
        "what it holds of {names} was built from source distributions, which run code of their own \
         when they are built again; if you trust that, allow it with {options}",
        names = joined(.0, "", ", "),
        options = joined(.0, "--allow-sdist ", " ")
    )]
    FromSource(Vec<PackageName>),
}

/// The names of packages, each after a word and with something between them.
fn joined(names: &[PackageName], before: &str, between: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{before}{name}")).collect();
    names.join(between)
}
