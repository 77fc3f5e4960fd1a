use crate::bytecode::{Pack, PackedFile};
use klayers_wheel::{Content, ContentFile};

use super::AssembleError;

/// The stripped native libraries of one wheel. They replace the wheel's own.
#[derive(Debug)]
pub struct Stripped {
    pub(super) file: ContentFile,
    files: Vec<PackedFile>,
}

impl Stripped {
    /// Opens a pack.
    ///
    /// # Errors
    ///
    /// If its file cannot be opened.
    pub fn open(pack: Pack) -> Result<Self, AssembleError> {
        let Bytecode { file, files } = Bytecode::open(pack)?;
        Ok(Self { file, files })
    }

    /// Returns the stripped library of a path below `python/`.
    pub(super) fn library(&self, path: &str) -> Option<Content> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        Some(self.files[at].content)
    }
}

/// The bytecode of one wheel, installed beside its sources.
#[derive(Debug)]
pub struct Bytecode {
    pub(super) file: ContentFile,
    pub(super) files: Vec<PackedFile>,
}

impl Bytecode {
    /// Opens a pack.
    ///
    /// # Errors
    ///
    /// If its file cannot be opened.
    pub fn open(pack: Pack) -> Result<Self, AssembleError> {
        let file = ContentFile::open(&pack.path)
            .map_err(|source| AssembleError::Read { path: pack.path, source })?;
        Ok(Self { file, files: pack.files })
    }
}
