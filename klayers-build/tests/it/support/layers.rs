use std::fs;
use std::path::PathBuf;

use klayers_core::{Digest, LayerName};
use klayers_layer::assemble::{AssembleError, Layer, LayerZip};
use klayers_layer::lock::Lock;
use klayers_layer::recipe::Recipe;
use klayers_wheel::{Acceptances, Wheel};
use tempfile::TempDir;

use crate::samples::target;

/// Makes layers of one wheel whose bytes change while its lock does not.
///
/// A fetched wheel has the SHA-256 of its lock; this tests the checks behind that.
pub(crate) struct Layers {
    folder: TempDir,
    lock: Lock,
    path: PathBuf,
    accepted: Acceptances,
}

impl Layers {
    /// For a wheel with this file name.
    pub(crate) fn of(filename: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = filename.split('-');
        let (name, version) = (parts.next().unwrap(), parts.next().unwrap());
        let digest = Digest::of(b"");
        let text = format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n\
             wheels = [{{ url = \"http://index.example/{filename}\", \
             hashes = {{ sha256 = \"{digest}\" }} }}]\n"
        );
        let lock = super::parse(&text, target("p3.12"));
        let path = folder.path().join(filename);
        Self { folder, lock, path, accepted: Acceptances::default() }
    }

    /// Accepts these faults.
    pub(crate) fn accepting(self, accepted: Acceptances) -> Self {
        Self { accepted, ..self }
    }

    /// Makes the layer of a wheel with these bytes.
    pub(crate) fn zip(&self, wheel: &[u8]) -> Result<LayerZip, AssembleError> {
        fs::write(&self.path, wheel).unwrap();
        let recipe = Recipe::new(
            LayerName::new("Klayers", target("p3.12"), "sample").unwrap(),
            target("p3.12"),
        );
        let filename = &self.lock.wheels()[0].filename;
        let zip = Wheel::verify_accepting(&self.path, filename, &self.accepted)
            .map_err(AssembleError::from)
            .and_then(|wheel| {
                Layer::new(&recipe, &self.lock, &[wheel], &[], &[])?.write(self.folder.path())
            });
        // In any case, no other file is left.
        let kept = usize::from(zip.is_ok());
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1 + kept);
        zip
    }

    /// The bytes of such a layer.
    pub(crate) fn bytes(&self, wheel: &[u8]) -> Result<Vec<u8>, AssembleError> {
        Ok(fs::read(&self.zip(wheel)?.file).unwrap())
    }
}
