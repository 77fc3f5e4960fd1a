//! The software bill of materials (SBOM) of a layer, as a [CycloneDX 1.6] document. Programs use it
//! to find vulnerable or unlicensed components.
//!
//! The document contains neither time nor place, so that the same wheels give the same bytes.
//!
//! [CycloneDX 1.6]: https://cyclonedx.org/docs/1.6/json/

use klayers_core::{Digest, LayerName, Pin};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use url::Url;

use crate::lock::{SdistSource, public_location};
use klayers_wheel::{License, WheelFilename};

mod embedded;

use embedded::Component as EmbeddedComponent;

/// Characters to encode in the version of a package URL ([specification][spec]).
///
/// [spec]: https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst
const PURL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');
/// Characters to encode in the path of a relative reference.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A wheel of a layer, as far as the SBOM describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SbomPackage {
    /// The package and its version.
    pub pin: Pin,
    /// The wheel's file name.
    pub filename: WheelFilename,
    /// The URL it was fetched from. The SBOM omits credentials and paths of this machine.
    pub url: Url,
    /// SHA-256 of the wheel.
    pub sha256: Digest,
    /// The source distribution that the wheel was built from. None if the wheel was fetched.
    pub built_from: Option<SdistSource>,
    /// The licence, if the wheel declares one.
    pub license: Option<License>,
    /// The SBOMs in the wheel's `.dist-info/sboms` ([PEP 770][spec]), in any order.
    ///
    /// [spec]: https://peps.python.org/pep-0770/
    pub sboms: Vec<EmbeddedSbom>,
}

/// An SBOM inside a wheel, which describes the components built into the wheel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EmbeddedSbom {
    /// The path in the layer.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Creates the SBOM of a layer: a component for each wheel, and below it the components from the
/// wheel's own SBOMs.
///
/// Every embedded SBOM is referenced by its path and SHA-256. The components of valid CycloneDX
/// JSON documents are included, too. Documents in another format and malformed ones are only
/// referenced.
///
/// ```
/// use klayers_layer::sbom::{SbomPackage, cyclonedx};
/// use klayers_core::Digest;
///
/// let package = SbomPackage {
///     pin: "sample==1.0".parse()?,
///     filename: "sample-1.0-py3-none-any.whl".parse()?,
///     url: "http://user:password@index.example/sample-1.0-py3-none-any.whl".parse()?,
///     sha256: Digest::of(b"the wheel"),
///     built_from: None,
///     license: None,
///     sboms: Vec::new(),
/// };
/// let sbom = cyclonedx(&"Klayers-p313-sample".parse()?, &[package]);
/// assert!(sbom.contains(r#""purl": "pkg:pypi/sample@1.0""#));
/// assert!(!sbom.contains("password"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cyclonedx(layer: &LayerName, packages: &[SbomPackage]) -> String {
    let mut packages: Vec<&SbomPackage> = packages.iter().collect();
    packages.sort_by(|one, other| one.pin.cmp(&other.pin));
    let mut document = Document {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: DocumentMetadata {
            tools: Tools { components: [Named { kind: "application", name: "klayers" }] },
            component: Root { kind: "library", bom_ref: layer.as_str(), name: layer.as_str() },
        },
        components: packages.into_iter().map(Component::new).collect(),
    };
    document.serial_number = Some(serial_number(Digest::of(print(&document).as_bytes())));
    print(&document)
}

fn print(document: &Document<'_>) -> String {
    // This only fails for maps with keys that are not strings, and there are none.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// Creates a UUID of version 8 ([RFC 9562]), whose bits are application-defined: they are the first
/// bits of the document's SHA-256.
///
/// [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562#section-5.8
fn serial_number(digest: Digest) -> String {
    let mut hex = digest.to_string();
    hex.replace_range(12..13, "8");
    hex.replace_range(16..17, "8");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
    format!("urn:uuid:{}", parts.join("-"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: DocumentMetadata<'a>,
    components: Vec<Component>,
}

#[derive(Serialize)]
struct DocumentMetadata<'a> {
    tools: Tools,
    component: Root<'a>,
}

#[derive(Serialize)]
struct Tools {
    components: [Named; 1],
}

#[derive(Serialize)]
struct Named {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Root<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: String,
    version: String,
    hashes: [Hash; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice>,
    purl: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<Reference>,
    properties: [Property; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<EmbeddedComponent>,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LicenseChoice {
    Expression(String),
    License(NamedLicense),
}

#[derive(Serialize)]
struct NamedLicense {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Attachment>,
}

#[derive(Serialize)]
struct Attachment {
    content: String,
}

#[derive(Serialize)]
struct Reference {
    url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    hashes: [Hash; 1],
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

impl Component {
    fn new(package: &SbomPackage) -> Self {
        let SbomPackage { pin, filename, url, sha256, built_from, license, sboms } = package;
        let name = pin.name.normalized().to_owned();
        let version = pin.version.to_string();
        let purl = format!("pkg:pypi/{name}@{}", utf8_percent_encode(&version, PURL));
        let mut sboms: Vec<&EmbeddedSbom> = sboms.iter().collect();
        sboms.sort_by_key(|sbom| &sbom.path);
        // The hash belongs to the referenced file.
        let (kind, url, sha256_there) = match built_from {
            Some(source) => ("source-distribution", &source.url, source.sha256),
            None => ("distribution", url, *sha256),
        };
        let distribution = public_location(url).map(|url| Reference {
            url: url.to_string(),
            kind,
            hashes: [Hash::of(sha256_there)],
        });
        let referenced = sboms.iter().map(|sbom| Reference {
            url: utf8_percent_encode(&sbom.path, PATH).to_string(),
            kind: "bom",
            hashes: [Hash::of(Digest::of(&sbom.bytes))],
        });
        let below = |sbom: &&EmbeddedSbom| {
            let place = format!("{purl}#{}", sbom.path);
            embedded::components(&sbom.bytes, &place).unwrap_or_default()
        };
        Self {
            kind: "library",
            bom_ref: purl.clone(),
            name,
            version,
            hashes: [Hash::of(*sha256)],
            licenses: license.iter().map(LicenseChoice::new).collect(),
            external_references: distribution.into_iter().chain(referenced).collect(),
            properties: [Property { name: "klayers:wheel", value: filename.to_string() }],
            components: sboms.iter().flat_map(below).collect(),
            purl,
        }
    }
}

impl Hash {
    fn of(digest: Digest) -> Self {
        Self { alg: "SHA-256", content: digest.to_string() }
    }
}

impl LicenseChoice {
    fn new(license: &License) -> Self {
        match license {
            License::Expression(expression) => Self::Expression(expression.clone()),
            License::Named(text) => Self::License(NamedLicense::new(text)),
        }
    }
}

impl NamedLicense {
    /// Some packages declare the whole text of their licence. Its first line is then used as its
    /// name.
    fn new(text: &str) -> Self {
        let text = text.trim();
        match text.split_once('\n') {
            None => Self { name: text.to_owned(), text: None },
            Some((first, _)) => Self {
                name: first.trim().to_owned(),
                text: Some(Attachment { content: text.to_owned() }),
            },
        }
    }
}

#[cfg(test)]
mod tests;
