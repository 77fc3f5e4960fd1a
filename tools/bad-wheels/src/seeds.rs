//! The seeds of the fuzzer.

use klayers_core::Digest;

use crate::cases::cases;
use crate::wheel::{DIST_INFO, Wheel};

/// Largest wheel among the seeds, in bytes: small inputs keep the fuzzer fast.
const LARGEST: usize = 4 << 10;

/// An input for one of the fuzzer's targets.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target, a file in `fuzz/fuzz_targets`.
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
    let texts =
        |texts: Vec<String>| texts.into_iter().map(String::into_bytes).collect::<Vec<Vec<u8>>>();
    let others = [
        ("record", texts(records())),
        ("metadata", texts(metadata())),
        ("files", files()),
        ("library", libraries()),
    ];
    for (target, inputs) in others {
        seeds.extend(inputs.into_iter().enumerate().map(|(index, bytes)| {
            let name = format!("{index:03}");
            Seed { target, name, bytes }
        }));
    }
    seeds
}

/// Files of a wheel: names and contents alternate, each followed by a byte that occurs in no text.
pub fn files() -> Vec<Vec<u8>> {
    let scripts = format!("{DIST_INFO}/entry_points.txt");
    [
        vec![("sample/other.py", "x = 1\n")],
        vec![("json.py", "x = 1\n"), ("sample.pth", "import x\n")],
        vec![("sample/x,\"y\".py", "\n"), ("sample/ünï.py", "\n"), ("sample/ÜNÏ.py", "")],
        vec![("sample-1.0.data/scripts/tool", "#!python\nprint(1)\n")],
        vec![("sample-1.0.data/purelib/x.py", "x = 1\n"), ("sample-1.0.data/headers/x.h", "")],
        vec![("sample-1.0.data/data/share/x", "x\n"), ("sample-1.0.data/platlib/x.so", "\x7fELF")],
        vec![(
            scripts.as_str(),
            "[console_scripts]\ntool = sample:main [x]\n\n[gui_scripts]\nt=a:b.c\n",
        )],
        vec![("sample-1.0.dist-info/INSTALLER", "x\n"), ("sample-1.0.dist-info/REQUESTED", "")],
        vec![("sample-1.0.data/purelib/sample-1.0.dist-info/RECORD", "x\n")],
        vec![("sample-1.0.dist-info/WHEEL", "Wheel-Version: 1.9\n"), ("bin/tool", "x\n")],
        vec![("sample-1.0.dist-info/sboms/x.cdx.json", "{\"bomFormat\": \"CycloneDX\"}\n")],
    ]
    .map(|files| {
        let parts = files.into_iter().flat_map(|(name, content)| [name, content]);
        parts.flat_map(|part| part.bytes().chain([0xff])).collect()
    })
    .to_vec()
}

/// Native libraries without their first four bytes: an ELF header and a program header for the
/// dynamic section, in both classes, both byte orders, and for both machines of Lambda.
pub fn libraries() -> Vec<Vec<u8>> {
    let mut libraries = Vec::new();
    for (class, header, program) in [(1, 52, 32), (2, 64, 56)] {
        for order in [1, 2] {
            for machine in [62, 183] {
                let mut bytes = vec![0; header + program + 64];
                let mut put = |at: usize, value: usize| {
                    let value = u16::try_from(value).expect("a small file");
                    let value = if order == 1 { value.to_le_bytes() } else { value.to_be_bytes() };
                    bytes[at..at + 2].copy_from_slice(&value);
                };
                // The position of a small number in a field of this size.
                let low = |at: usize, size: usize| if order == 1 { at } else { at + size - 2 };
                let word = 4 * class;
                put(16, 3);
                put(18, machine);
                put(low(20, 4), 1);
                put(low(24 + word, word), header);
                let counts = header - 12;
                for (at, value) in [(0, header), (2, program), (4, 1)] {
                    put(counts + at, value);
                }
                put(low(header, 4), 2);
                bytes[4..7].copy_from_slice(&[u8::try_from(class).expect("1 or 2"), order, 1]);
                libraries.push(bytes[4..].to_vec());
            }
        }
    }
    libraries
}

/// `RECORD` files: valid ones, and some with one fault each.
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
        format!("./{sound}/{sound}"),
        sound.replace("sample/", "./sample/").replace("sample-1.0", "/sample-1.0"),
        format!("a,sha256={},0\n", Digest::of(b"")),
        format!("a,{},0\n", digest.replace('-', "+").replace('_', "/")),
        String::new(),
        sound,
        quoted,
    ]
}

/// Core metadata with unexpected values.
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
        format!("{head}License: UNKNOWN\nnot a header\n continued\nAuthor: x\n"),
        format!("{head}not a header\nRequires-Dist: x\n"),
        format!("{head}Author: x\nAUTHOR: y\nName: sample\nHome-page:\nHome-page: x\n"),
        format!(" continued before anything\n{head}"),
        "Name: other\nName: sample\nVersion: 1.0\n".to_owned(),
        "Name:\nVersion:\n".to_owned(),
        String::new(),
    ]
}
