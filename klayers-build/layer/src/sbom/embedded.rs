//! The components of a CycloneDX document that came in a wheel.
//!
//! What stands in a wheel was written by anybody, and is to stand in a document that is valid. So of
//! each component those fields are taken that are understood, checked, and written anew.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The largest document whose components are repeated, in bytes. Larger ones are only referenced.
const LARGEST: usize = 4 << 20;
/// How deep components may stand in components.
const DEEPEST: usize = 16;

/// A component, in the fields that are taken over.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Component {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(rename = "bom-ref", default, skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component>,
}

/// What a component may be, in CycloneDX 1.6.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Application,
    Framework,
    Library,
    Container,
    Platform,
    OperatingSystem,
    Device,
    DeviceDriver,
    Firmware,
    File,
    MachineLearningModel,
    Data,
    CryptographicAsset,
}

#[derive(Debug, Deserialize, Serialize)]
struct Hash {
    alg: Algorithm,
    content: String,
}

#[derive(Debug, Deserialize, Serialize)]
enum Algorithm {
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "SHA-1")]
    Sha1,
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-384")]
    Sha384,
    #[serde(rename = "SHA-512")]
    Sha512,
    #[serde(rename = "SHA3-256")]
    Sha3_256,
    #[serde(rename = "SHA3-384")]
    Sha3_384,
    #[serde(rename = "SHA3-512")]
    Sha3_512,
    #[serde(rename = "BLAKE2b-256")]
    Blake2b256,
    #[serde(rename = "BLAKE2b-384")]
    Blake2b384,
    #[serde(rename = "BLAKE2b-512")]
    Blake2b512,
    #[serde(rename = "BLAKE3")]
    Blake3,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum LicenseChoice {
    Expression(String),
    License(License),
}

/// A licence by the number of the SPDX list or by a name. What is read as the one is written as the
/// other: the list in the schema of 1.6 is of its day, and a document may be older or newer.
#[derive(Debug, Deserialize, Serialize)]
struct License {
    #[serde(alias = "id")]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: String,
    #[serde(default)]
    components: Vec<Component>,
}

/// The components of a document, if it is CycloneDX in JSON and sound. Each keeps its reference,
/// made unique by `place`.
pub(super) fn components(bytes: &[u8], place: &str) -> Option<Vec<Component>> {
    if bytes.len() > LARGEST {
        return None;
    }
    let document: Document = serde_json::from_slice(bytes).ok()?;
    if document.bom_format != "CycloneDX" {
        return None;
    }
    let mut components = document.components;
    let mut seen = BTreeSet::new();
    adopt(&mut components, place, &mut seen, DEEPEST)?;
    Some(components)
}

/// Checks what the types do not say, and makes the references unique; none if something is wrong.
fn adopt(
    components: &mut [Component],
    place: &str,
    seen: &mut BTreeSet<String>,
    deepest: usize,
) -> Option<()> {
    for component in components {
        if let Some(own) = component.bom_ref.take() {
            let unique = format!("{place}#{own}");
            if own.is_empty() || !seen.insert(own) {
                return None;
            }
            component.bom_ref = Some(unique);
        }
        let expressions = component
            .licenses
            .iter()
            .filter(|choice| matches!(choice, LicenseChoice::Expression(_)))
            .count();
        let sound = component.hashes.iter().all(Hash::is_sound)
            && (expressions == 0 || component.licenses.len() == 1);
        if !sound {
            return None;
        }
        adopt(&mut component.components, place, seen, deepest.checked_sub(1)?)?;
    }
    Some(())
}

impl Hash {
    fn is_sound(&self) -> bool {
        let digits = match self.alg {
            Algorithm::Md5 => 32,
            Algorithm::Sha1 => 40,
            Algorithm::Sha256 | Algorithm::Sha3_256 | Algorithm::Blake2b256 | Algorithm::Blake3 => {
                64
            }
            Algorithm::Sha384 | Algorithm::Sha3_384 | Algorithm::Blake2b384 => 96,
            Algorithm::Sha512 | Algorithm::Sha3_512 | Algorithm::Blake2b512 => 128,
        };
        self.content.len() == digits && self.content.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}
