use std::io::Write as _;
use std::path::{Path, PathBuf};

use klayers_core::Digest;
use zip::write::SimpleFileOptions;

/// A wheel made by a test. It is valid: its `RECORD` is correct and its names agree.
#[derive(Clone, Debug)]
pub(crate) struct WheelFile {
    name: String,
    version: String,
    tag: String,
    requires: Vec<String>,
    files: Vec<(String, Vec<u8>, u32)>,
}

impl WheelFile {
    /// Creates a pure Python wheel without files.
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            tag: "py3-none-any".to_owned(),
            requires: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Sets another tag than `py3-none-any`.
    pub(crate) fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// Adds a dependency.
    pub(crate) fn requires(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.to_owned());
        self
    }

    /// Adds a file.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_with_mode(path, content, 0o644)
    }

    /// Adds a file with a mode.
    pub(crate) fn file_with_mode(
        mut self,
        path: &str,
        content: impl AsRef<[u8]>,
        mode: u32,
    ) -> Self {
        self.files.push((path.to_owned(), content.as_ref().to_vec(), mode));
        self
    }

    /// Adds a file in the `.dist-info` folder.
    pub(crate) fn dist_info(self, file: &str, content: impl AsRef<[u8]>) -> Self {
        let path = format!("{}.dist-info/{file}", self.stem());
        self.file(&path, content)
    }

    /// Adds a file in the `.data` folder.
    pub(crate) fn data(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = format!("{}.data/{path}", self.stem());
        self.file(&path, content)
    }

    fn stem(&self) -> String {
        format!("{}-{}", self.name.replace(['-', '.'], "_"), self.version)
    }

    /// The file name.
    pub(crate) fn filename(&self) -> String {
        format!("{}-{}.whl", self.stem(), self.tag)
    }

    /// The bytes of the wheel.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let requires: Vec<String> =
            self.requires.iter().map(|wanted| format!("Requires-Dist: {wanted}\n")).collect();
        let requires = requires.concat();
        let metadata = format!(
            "Metadata-Version: 2.4\nName: {}\nVersion: {}\nLicense-Expression: MIT\n{requires}\n",
            self.name, self.version
        );
        let wheel = format!(
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {}\n",
            self.tag
        );
        let dist_info = format!("{}.dist-info", self.stem());
        let mut files = self.files.clone();
        files.push((format!("{dist_info}/METADATA"), metadata.into_bytes(), 0o644));
        files.push((format!("{dist_info}/WHEEL"), wheel.into_bytes(), 0o644));
        let mut record: Vec<String> = files
            .iter()
            .map(|(path, content, _)| {
                let digest = Digest::of(content).to_base64_url();
                let quote = if path.contains(',') { "\"" } else { "" };
                format!("{quote}{path}{quote},sha256={digest},{}\n", content.len())
            })
            .collect();
        record.push(format!("{dist_info}/RECORD,,\n"));
        files.push((format!("{dist_info}/RECORD"), record.concat().into_bytes(), 0o644));

        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (path, content, mode) in files {
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Deflated)
                .unix_permissions(mode);
            zip.start_file(path, options).expect("an entry");
            zip.write_all(&content).expect("its content");
        }
        zip.finish().expect("a wheel").into_inner()
    }

    /// Writes the wheel into a folder, which is created if missing.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder).expect("a folder");
        let path = folder.join(self.filename());
        std::fs::write(&path, self.bytes()).expect("a wheel");
        path
    }
}
