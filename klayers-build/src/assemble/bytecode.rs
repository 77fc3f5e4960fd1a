use crate::bytecode::{Pack, PackedFile};
use crate::wheel::ContentFile;

use super::AssembleError;

/// The bytecode of one wheel, which goes beside its sources.
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
