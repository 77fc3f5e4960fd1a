use std::collections::BTreeSet;
use std::path::PathBuf;

use klayers_wheel::cached::{CacheError, CacheLog, ChangedFileError, Inspection, Trust};

use crate::LayerError;

/// Recovers from changed cache files: when a stage fails because of one, the file is removed, and
/// all stages run again with less trust. Each file is removed only once.
#[derive(Debug)]
pub(crate) struct CacheRecovery {
    inspection: Inspection,
    dropped: BTreeSet<PathBuf>,
}

impl CacheRecovery {
    pub(crate) fn new(log: CacheLog) -> Self {
        Self { inspection: Inspection { trust: Trust::Stamps, log }, dropped: BTreeSet::new() }
    }

    /// The inspection for the next attempt.
    pub(crate) fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Removes the changed file that made an attempt fail.
    ///
    /// # Errors
    ///
    /// The error itself, if no changed file caused it. [`CacheError`], if the file was removed
    /// before or cannot be removed.
    pub(crate) fn drop_changed(&mut self, error: LayerError) -> Result<(), LayerError> {
        let Some(changed) = ChangedFileError::among(&error) else { return Err(error) };
        let path = changed.path().to_owned();
        if self.dropped.contains(&path) {
            return Err(CacheError::ChangedAgain { path }.into());
        }
        if let Err(source) = changed.remove() {
            return Err(CacheError::NotRemoved { path, source }.into());
        }
        self.inspection.log.add(&path);
        // The times of the other files prove as little.
        self.inspection.trust = Trust::Nothing;
        self.dropped.insert(path);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use klayers_wheel::cached::{CachedKind, ReplacedFile};

    use super::*;
    use crate::assemble::AssembleError;

    #[test]
    fn changed_file_is_removed_only_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.whl");
        let log = CacheLog::default();
        let mut healing = CacheRecovery::new(log.clone());
        let mut attempt = || {
            fs::write(&path, "changed").expect("written");
            let changed = ChangedFileError::new(&path, fs::metadata(&path).ok().as_ref());
            let dropped = healing.drop_changed(AssembleError::Changed(changed).into());
            (dropped, path.exists())
        };
        assert!(matches!(attempt(), (Ok(()), false)));
        let (again, _) = attempt();
        let again = again.expect_err("an error").to_string();
        assert!(again.contains("a.whl changed twice"), "{again}");
        assert_eq!(log.replaced(), [ReplacedFile { kind: CachedKind::Wheel, path: path.clone() }]);
        assert_eq!(healing.inspection().trust, Trust::Nothing);
        let other = LayerError::NoInterpreter("3.12".parse().expect("a version"));
        assert!(matches!(healing.drop_changed(other), Err(LayerError::NoInterpreter(_))));
    }
}
