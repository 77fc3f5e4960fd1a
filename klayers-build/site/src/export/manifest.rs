use std::collections::BTreeMap;

use klayers_core::Digest;
use serde::{Deserialize, Serialize};

use super::ExportError;
use crate::Document;

/// The list of a copy's objects.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Identifies the catalog.
    pub origin: String,
    /// The version of the copy's layout, [`LAYOUT`](Self::LAYOUT).
    #[serde(default)]
    pub layout: u32,
    /// The last change of the catalog that the copy includes.
    pub until: u64,
    /// The objects by name, a path below the root of the copy.
    pub objects: BTreeMap<String, Object>,
}

/// An object of a copy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The SHA-256 of the content.
    pub sha256: Digest,
    /// The size in bytes.
    pub size: u64,
    /// The header fields to send with the object.
    pub headers: BTreeMap<String, String>,
}

impl Object {
    /// Describes the object for a document.
    pub fn of(document: &Document) -> Self {
        let headers = document.headers().into_iter();
        Self {
            sha256: Digest::of(&document.body),
            size: document.body.len() as u64,
            headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

impl Manifest {
    /// The layout of copies that this release writes. It increases by one whenever a release writes
    /// different objects for an unchanged catalog, so that the next export checks every object.
    pub const LAYOUT: u32 = 1;

    /// The name of the object with the manifest.
    pub const NAME: &str = "manifest.json";

    /// Parses a manifest. `location` is its path or URL, for the error.
    ///
    /// # Errors
    ///
    /// [`ExportError::Manifest`] if the text is not a manifest.
    pub fn parse(text: &[u8], location: impl Into<String>) -> Result<Self, ExportError> {
        serde_json::from_slice(text)
            .map_err(|source| ExportError::Manifest { location: location.into(), source })
    }

    /// Formats the manifest as JSON with one object per line, so that `diff` compares two of them well.
    pub fn to_json(&self) -> Vec<u8> {
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let mut json = format!(
            "{{\n\"origin\": {},\n\"layout\": {},\n\"until\": {},\n\"objects\": {{\n",
            text(&self.origin),
            self.layout,
            self.until
        );
        let lines = self.objects.iter().map(|(name, object)| {
            let object = serde_json::to_string(object).unwrap_or_default();
            format!("{}: {object}", text(name))
        });
        json.push_str(&lines.collect::<Vec<String>>().join(",\n"));
        json.push_str("\n}\n}\n");
        json.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_survives_writing_and_parsing() {
        let document = Document {
            file_name: Some("a.csv".to_owned()),
            ..Document::new("text/csv; charset=utf-8", "a,b\r\n")
        };
        for objects in [
            BTreeMap::new(),
            BTreeMap::from([
                ("a\"b".to_owned(), Object::of(&document)),
                ("c".to_owned(), Object::of(&document)),
            ]),
        ] {
            let origin = "sqlite \"x\"".to_owned();
            let manifest = Manifest { origin, layout: 3, until: 7, objects };
            let read = Manifest::parse(&manifest.to_json(), "here").unwrap();
            assert_eq!(read, manifest);
        }
        let error = Manifest::parse(b"{\"until\": 7", "s3://bucket/manifest.json").unwrap_err();
        assert!(error.to_string().contains("s3://bucket/manifest.json"), "{error}");
    }
}
