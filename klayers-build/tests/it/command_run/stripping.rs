//! Debug sections can be left out of layers.

use std::fs;
use std::io::Read as _;
use std::process::Command;

use klayers_core::Digest;

use crate::support::WheelFile;
use crate::support::command::{Home, say_skipped, uv_is_there};

const OWN: &str = "klayers/Klayers-p312-native";

fn layer(home: &Home, out: &str) -> zip::ZipArchive<fs::File> {
    let file = fs::File::open(home.path(out).join("Klayers-p312-native.zip")).unwrap();
    zip::ZipArchive::new(file).unwrap()
}

fn entry(home: &Home, out: &str, path: &str) -> Vec<u8> {
    let mut content = Vec::new();
    layer(home, out).by_name(path).unwrap().read_to_end(&mut content).unwrap();
    content
}

/// A library with debug sections, if there is a compiler.
fn library(home: &Home) -> Option<Vec<u8>> {
    let source = home.write("answer.c", "int answer(void) { return 42; }\n");
    let library = home.path("answer.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-g", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    let made = compiler.status().is_ok_and(|status| status.success());
    made.then(|| fs::read(library).unwrap())
}

#[test]
fn a_library_loses_its_debug_sections_and_still_loads() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let Some(whole) = library(&home) else { return say_skipped("there is no C compiler") };
    let cut = whole[..whole.len() / 2].to_vec();
    home.wheels(&[WheelFile::new("native", "1.0")
        .tag("py3-none-any")
        .file("native/answer.so", &whole)
        .file("native/cut.so", &cut)]);
    let build = ["build", "native", "--python", "3.12", "--bytecode", "off", "--out"];
    let more = ["--find-links", "wheels", "--no-index"];
    home.run(&[&build, &["whole"][..], &more].concat()).ended_with(0);
    let lock = entry(&home, "whole", &format!("{OWN}/pylock.toml"));
    let lock = String::from_utf8(lock).unwrap();
    let wheel = "path = \"native-1.0-py3-none-any.whl\"";
    assert!(lock.contains(wheel), "{lock}");
    let lock = lock.replace(wheel, "path = \"wheels/native-1.0-py3-none-any.whl\"");
    home.write("slim.toml", format!("{lock}\n[tool.klayers.slim]\nstrip = true\n"));
    for out in ["small", "again"] {
        home.run(&[&build, &[out, "--lock", "slim.toml"][..]].concat()).ended_with(0);
    }
    let small = entry(&home, "small", "python/native/answer.so");
    assert!(small.len() < whole.len(), "{} of {}", small.len(), whole.len());
    assert!(!small.windows(8).any(|part| part == b"answer.c"), "its debug information is there");
    assert_eq!(entry(&home, "small", "python/native/cut.so"), cut);
    let record = entry(&home, "small", "python/native-1.0.dist-info/RECORD");
    let line =
        format!("native/answer.so,sha256={},{}\n", Digest::of(&small).to_base64_url(), small.len());
    let record = String::from_utf8(record).unwrap();
    assert!(record.contains(&line), "{record}");
    let own = String::from_utf8(entry(&home, "small", &format!("{OWN}/pylock.toml"))).unwrap();
    assert!(own.contains("[tool.klayers.slim]\nstrip = true\n"), "{own}");
    // From what was kept of it.
    let zip = |out: &str| fs::read(home.path(out).join("Klayers-p312-native.zip")).unwrap();
    assert_eq!(zip("small"), zip("again"));

    let path = home.write("small.so", small);
    let ask = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())";
    let answered = Command::new("python3").args(["-I", "-c", ask]).arg(path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answered.stdout), "42\n");
}
