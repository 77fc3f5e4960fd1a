//! The components of a CycloneDX document inside a wheel.
//!
//! The content of a wheel cannot be trusted, but the layer's SBOM must be valid. So only known
//! fields of each component are parsed, checked, and written again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Size limit for documents whose components are included, in bytes. Larger ones are only
/// referenced.
const MAX_SIZE: usize = 4 << 20;
/// Maximum nesting depth of components.
const MAX_DEPTH: usize = 16;

/// A component, with the fields that are included.
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

/// The types of components in CycloneDX 1.6.
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

/// A licence, by SPDX identifier or by name. An identifier is written as a name, since the document
/// may use another version of the SPDX list than the schema of CycloneDX 1.6.
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

/// Returns the components of a valid CycloneDX document in JSON. `place` makes their references
/// unique.
pub(super) fn components(bytes: &[u8], place: &str) -> Option<Vec<Component>> {
    if bytes.len() > MAX_SIZE {
        return None;
    }
    let document: Document = serde_json::from_slice(bytes).ok()?;
    if document.bom_format != "CycloneDX" {
        return None;
    }
    let mut components = document.components;
    let mut seen = BTreeSet::new();
    check(&mut components, place, &mut seen, MAX_DEPTH)?;
    Some(components)
}

/// Checks the rules that the types do not express, and makes the references unique. None if a rule
/// is broken.
fn check(
    components: &mut [Component],
    place: &str,
    seen: &mut BTreeSet<String>,
    max_depth: usize,
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
        let valid = component.hashes.iter().all(Hash::is_valid)
            && (expressions == 0 || component.licenses.len() == 1);
        if !valid {
            return None;
        }
        check(&mut component.components, place, seen, max_depth.checked_sub(1)?)?;
    }
    Some(())
}

impl Hash {
    fn is_valid(&self) -> bool {
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
