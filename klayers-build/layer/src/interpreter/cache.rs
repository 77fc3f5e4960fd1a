use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use klayers_core::PythonVersion;
use tokio::sync::OnceCell;

use super::{Interpreter, InterpreterError, SearchPath};

/// Where the interpreters are.
#[derive(Clone, Debug)]
pub struct Interpreters {
    /// Where they are looked for.
    pub search_path: SearchPath,
    /// Those that are to be used, and no others of their version.
    pub explicit: BTreeMap<PythonVersion, PathBuf>,
}

impl Interpreters {
    /// Finds the interpreter of a version; none if there is none.
    ///
    /// # Errors
    ///
    /// If there is an explicit one that cannot be used.
    pub async fn find(
        &self,
        python: PythonVersion,
    ) -> Result<Option<Interpreter>, InterpreterError> {
        let explicit = self.explicit.get(&python).map(PathBuf::as_path);
        Interpreter::find(python, explicit, &self.search_path).await
    }
}

/// What a search for an interpreter gave, once it has ended.
type Found = Arc<OnceCell<Option<Interpreter>>>;

/// Interpreters that are looked for once each: asking one what it is takes longer than building a
/// small layer does.
#[derive(Clone, Debug)]
pub(crate) struct InterpreterCache {
    interpreters: Interpreters,
    found: Arc<Mutex<BTreeMap<PythonVersion, Found>>>,
}

impl InterpreterCache {
    pub(crate) fn new(interpreters: Interpreters) -> Self {
        Self { interpreters, found: Arc::default() }
    }

    /// As [`Interpreters::find`], or what that gave before. After an error it is looked for again.
    pub(crate) async fn find(
        &self,
        python: PythonVersion,
    ) -> Result<Option<Interpreter>, InterpreterError> {
        let found = {
            let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(python).or_default())
        };
        found.get_or_try_init(|| self.interpreters.find(python)).await.cloned()
    }
}
