//! What the fuzzer starts from.

use crate::cases::cases;
use crate::wheel::Wheel;

/// The largest wheel that the fuzzer is given, in bytes: it is as fast as its inputs are small.
const LARGEST: usize = 4 << 10;

/// An input for one of the fuzzer's targets.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target: `reader`, `record`, `metadata` or `assembly`.
    pub target: &'static str,
    /// A file name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// All seeds, of all targets.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (index, case) in cases().into_iter().enumerate() {
        if case.bytes.len() > LARGEST {
            continue;
        }
        for target in ["reader", "assembly"] {
            let name = format!("{index:03}-rule-{}", case.number);
            seeds.push(Seed { target, name, bytes: case.bytes.clone() });
        }
    }
    let texts = [("record", records()), ("metadata", metadata())];
    for (target, texts) in texts {
        seeds.extend(texts.into_iter().enumerate().map(|(index, text)| Seed {
            target,
            name: format!("{index:03}"),
            bytes: text.into_bytes(),
        }));
    }
    seeds
}

/// Lists of files: sound ones, and ones with a fault each.
pub fn records() -> Vec<String> {
    let sound = Wheel::sample().record_text();
    let quoted = Wheel::sample().file("sample/a,\"b\".py", "x = 1\n").record_text();
    let digest = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    vec![
        sound.replace('\n', "\r\n"),
        sound.replace("sha256=", "md5="),
        sound.replace("sample/", "../"),
        format!("{sound}{sound}"),
        format!("\"{sound}"),
        format!("a,{digest},\na,,,,\n,{digest},0\n"),
        format!("a,{digest}=,99999999999999999999\n"),
        String::new(),
        sound,
        quoted,
    ]
}

/// Core metadata with values that somebody may not expect.
pub fn metadata() -> Vec<String> {
    let head = "Metadata-Version: 2.4\nName: sample\nVersion: 1.0\n";
    let long = "MIT AND ".repeat(75);
    vec![
        format!("{head}License-Expression: MIT\n\nLicense: no\n"),
        format!("{head}License: =cmd|'/C calc'!A0\n"),
        format!("{head}License: <script>alert(1)</script>\n"),
        format!("{head}License: one\r\n two\r\n\tthree\r\nClassifier: License :: x\r\n"),
        format!("{head}License: {long}\n"),
        format!("{head}Classifier: License :: OSI Approved :: MIT License\n"),
        format!("{head}License: UNKNOWN\nnot a header\n continued\n"),
        format!(" continued before anything\n{head}"),
        "Name: other\nName: sample\nVersion: 1.0\n".to_owned(),
        "Name:\nVersion:\n".to_owned(),
        String::new(),
    ]
}
