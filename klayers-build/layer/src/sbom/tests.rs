use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn package(pin: &str) -> SbomPackage {
    let pin: Pin = pin.parse().expect("a pin");
    let filename = format!("{}-{}-py3-none-any.whl", pin.name, pin.version);
    SbomPackage {
        url: format!("http://user:secret@index.example/{filename}#x").parse().expect("a URL"),
        sha256: Digest::of(filename.as_bytes()),
        built_from: None,
        filename: filename.parse().expect("a file name"),
        pin,
        license: None,
        sboms: Vec::new(),
    }
}

fn with_sbom(bytes: impl AsRef<[u8]>) -> SbomPackage {
    let path = "python/native-1.0.dist-info/sboms/a b.cdx.json".to_owned();
    let sboms = vec![EmbeddedSbom { path, bytes: bytes.as_ref().to_vec() }];
    SbomPackage { sboms, ..package("native==1.0") }
}

fn made(packages: &[SbomPackage]) -> (String, Value) {
    let layer = "Klayers-p313-sample".parse().expect("a layer name");
    let text = cyclonedx(&layer, packages);
    let document = serde_json::from_str(&text).expect("JSON");
    check(&document);
    (text, document)
}

/// A document like those of auditwheel and Rust's build tools, including fields that are omitted.
fn embedded() -> Value {
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.4", "version": 1,
        "metadata": { "component": { "type": "library", "name": "native" } },
        "components": [{
            "type": "library", "bom-ref": "libz", "name": "zlib", "version": "1.3",
            "purl": "pkg:rpm/almalinux/zlib@1.3",
            "hashes": [{ "alg": "SHA-1", "content": "a".repeat(40) }],
            "licenses": [{ "license": { "id": "Zlib" } }],
            "description": "<script>",
            "components": [{ "type": "file", "bom-ref": "part", "name": "libz.so.1" }]
        }],
        "dependencies": [{ "ref": "libz" }]
    })
}

/// Checks the rules of the schema that our documents could break.
fn check(document: &Value) {
    assert_eq!(document["bomFormat"], "CycloneDX");
    assert_eq!(document["specVersion"], "1.6");
    assert!(document["version"].as_u64().expect("a number") >= 1);
    let serial = document["serialNumber"].as_str().expect("a serial number");
    let uuid = serial.strip_prefix("urn:uuid:").expect("a UUID");
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert!(uuid.bytes().all(|b| b == b'-' || b.is_ascii_digit() || b.is_ascii_lowercase()));
    let mut refs = BTreeSet::new();
    check_component(&document["metadata"]["component"], &mut refs);
    for component in document["components"].as_array().expect("components") {
        check_component(component, &mut refs);
    }
}

fn check_component(component: &Value, refs: &mut BTreeSet<String>) {
    const FIELDS: [&str; 11] = [
        "type",
        "bom-ref",
        "group",
        "name",
        "version",
        "hashes",
        "licenses",
        "purl",
        "externalReferences",
        "properties",
        "components",
    ];
    let object = component.as_object().expect("an object");
    assert!(object.keys().all(|key| FIELDS.contains(&key.as_str())), "{object:?}");
    assert!(component["type"].is_string() && component["name"].is_string(), "{component}");
    if let Some(own) = object.get("bom-ref") {
        let own = own.as_str().expect("text");
        assert!(!own.is_empty() && refs.insert(own.to_owned()), "{own} is there twice");
    }
    let list =
        |field: &str| object.get(field).map_or(&[][..], |list| list.as_array().expect(field));
    for choice in list("licenses") {
        let kinds: Vec<&String> = choice.as_object().expect("an object").keys().collect();
        assert!(kinds == ["license"] || (kinds == ["expression"] && list("licenses").len() == 1));
    }
    for reference in list("externalReferences") {
        assert!(
            ["distribution", "source-distribution", "bom"]
                .contains(&reference["type"].as_str().expect("a type"))
        );
        let url = reference["url"].as_str().expect("a URL");
        assert!(!url.contains([' ', '"', '<', '>', '\\']), "{url}");
    }
    for below in list("components") {
        check_component(below, refs);
    }
}

#[test]
fn sbom_has_the_documented_format() {
    let expression = License::Expression("MIT OR Apache-2.0".to_owned());
    let packages = [
        SbomPackage { license: Some(expression), ..package("Zope.Interface==1!8.0+cpu") },
        with_sbom(embedded().to_string()),
    ];
    insta::assert_snapshot!(made(&packages).0);
}

#[test]
fn sbom_does_not_depend_on_package_order() {
    let mut packages = [package("b==1"), package("a==1"), with_sbom(embedded().to_string())];
    let (one, _) = made(&packages);
    packages.reverse();
    assert_eq!(made(&packages).0, one);
    packages[0].sha256 = Digest::of(b"other");
    let (other, document) = made(&packages);
    assert!(!one.contains(document["serialNumber"].as_str().expect("text")), "{other}");
}

#[test]
fn credentials_and_local_paths_are_omitted() {
    let (text, document) = made(&[package("a==1")]);
    assert!(!text.contains("secret") && !text.contains("user"), "{text}");
    let url = "http://index.example/a-1-py3-none-any.whl";
    assert_eq!(document["components"][0]["externalReferences"][0]["url"], url);
    let sha256 = Digest::of(b"source");
    let url = "http://user:secret@index.example/a-1.tar.gz".parse().expect("a URL");
    let source = SdistSource { url, sha256, size: None };
    let (_, document) = made(&[SbomPackage { built_from: Some(source), ..package("a==1") }]);
    let reference = &document["components"][0]["externalReferences"][0];
    assert_eq!(reference["type"], "source-distribution");
    assert_eq!(reference["url"], "http://index.example/a-1.tar.gz");
    assert_eq!(reference["hashes"][0]["content"], sha256.to_string());
    let local = SbomPackage {
        url: "file:///somewhere/a-1-py3-none-any.whl".parse().expect("a URL"),
        ..package("a==1")
    };
    let (text, document) = made(&[local]);
    assert!(!text.contains("somewhere"), "{text}");
    assert_eq!(document["components"][0].get("externalReferences"), None);
}

#[test]
fn licences_without_expression_are_named() {
    let licensed = |text: &str| {
        let license = Some(License::Named(text.to_owned()));
        let (_, document) = made(&[SbomPackage { license, ..package("a==1") }]);
        document["components"][0]["licenses"].clone()
    };
    assert_eq!(licensed("BSD"), json!([{ "license": { "name": "BSD" } }]));
    let text = "The \"MIT\" licence\n\nPermission <b>is</b> hereby";
    let expected = json!([{ "license": {
        "name": "The \"MIT\" licence", "text": { "content": text },
    } }]);
    assert_eq!(licensed(text), expected);
}

#[test]
fn invalid_embedded_sbom_is_only_referenced() {
    let mut broken = Vec::new();
    let mut change = |change: fn(&mut Value)| {
        let mut document = embedded();
        change(&mut document);
        broken.push(document.to_string());
    };
    change(|document| document["bomFormat"] = json!("SPDX"));
    change(|document| document["components"] = json!({}));
    change(|document| document["components"][0]["type"] = json!("spaceship"));
    change(|document| document["components"][0]["name"] = json!(7));
    change(|document| document["components"][0]["bom-ref"] = json!("part"));
    change(|document| document["components"][0]["bom-ref"] = json!(""));
    change(|document| document["components"][0]["hashes"][0]["content"] = json!("x".repeat(40)));
    change(|document| document["components"][0]["hashes"][0]["alg"] = json!("SHA-256"));
    change(|document| document["components"][0]["licenses"] = json!([{ "license": {} }]));
    change(|document| {
        let expression = json!({ "expression": "MIT" });
        document["components"][0]["licenses"] = json!([expression, expression]);
    });
    change(|document| {
        for _ in 0..40 {
            let below = document["components"].clone();
            document["components"] = json!([{ "type": "file", "name": "x", "components": below }]);
        }
    });
    broken.extend(["", "{", "null", "<bom/>", "SPDXVersion: SPDX-2.3"].map(str::to_owned));
    broken.push(format!("{}{}", " ".repeat(4 << 20), embedded()));
    for text in broken {
        let (_, document) = made(&[with_sbom(&text)]);
        let component = &document["components"][0];
        assert_eq!(component.get("components"), None, "{}", text.trim());
        let reference = &component["externalReferences"][1];
        assert_eq!(reference["type"], "bom");
        let path = "python/native-1.0.dist-info/sboms/a%20b.cdx.json";
        assert_eq!(reference["url"], path);
        assert_eq!(reference["hashes"][0]["content"], Digest::of(text.as_bytes()).to_string());
    }
    made(&[with_sbom(b"\xff\xfe")]);
}

#[test]
fn references_of_one_sbom_in_two_wheels_stay_unique() {
    let mut packages = [with_sbom(embedded().to_string()), with_sbom(embedded().to_string())];
    packages[1].pin = "other==1.0".parse().expect("a pin");
    let again = EmbeddedSbom { path: "python/other".to_owned(), ..packages[0].sboms[0].clone() };
    packages[1].sboms.push(again);
    let (_, document) = made(&packages);
    assert_eq!(document["components"][1]["components"].as_array().map(Vec::len), Some(2));
}

proptest! {
    #[test]
    fn any_package_metadata_gives_a_valid_document(
        license: Option<String>,
        path in "[^\0]{1,20}",
        bytes: Vec<u8>,
        name: String,
    ) {
        let mut document = embedded();
        document["components"][0]["name"] = name.into();
        let sboms = [bytes, document.to_string().into_bytes()]
            .into_iter()
            .enumerate()
            .map(|(number, bytes)| EmbeddedSbom { path: format!("{path}{number}"), bytes });
        let license = license.map(License::Named);
        made(&[SbomPackage { license, sboms: sboms.collect(), ..package("a==1") }]);
    }
}
