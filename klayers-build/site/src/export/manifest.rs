use std::collections::BTreeMap;

use klayers_core::Digest;
use serde::{Deserialize, Serialize};

use super::ExportError;
use crate::Document;

/// What a copy holds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Which catalog it is a copy of.
    pub origin: String,
    /// Which objects stand for a layer, and how: copies of earlier releases have others.
    #[serde(default)]
    pub layout: u32,
    /// The last change of the catalog that is in it.
    pub until: u64,
    /// Its objects by their names, which are paths below its root.
    pub objects: BTreeMap<String, Object>,
}

/// An object of a copy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The SHA-256 of what is in it.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The header fields that tell of it.
    pub headers: BTreeMap<String, String>,
}

impl Object {
    /// The object that holds a document.
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
    /// The layout of the copies that this release writes. It grows by one whenever a release writes
    /// other objects for an unchanged catalog, so that all of a copy is looked at again.
    pub const LAYOUT: u32 = 1;

    /// The name of the object that holds it.
    pub const NAME: &str = "manifest.json";

    /// Reads one; `location` says in an error where it came from.
    ///
    /// # Errors
    ///
    /// If it is not one.
    pub fn parse(text: &[u8], location: impl Into<String>) -> Result<Self, ExportError> {
        serde_json::from_slice(text)
            .map_err(|source| ExportError::Manifest { location: location.into(), source })
    }

    /// As JSON, an object a line, so that two of them can be compared by eye.
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
    fn what_is_written_is_read_again() {
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
