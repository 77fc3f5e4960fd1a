//! The same release of Python gives the same bytes, regardless of history and machine.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use klayers_core::Digest;
use klayers_layer::bytecode::{BytecodeCache, Limits, Pack, Source};
use klayers_layer::interpreter::Interpreter;

use super::pythons::{pythons, standard_library};
use super::wheel;

/// Number of files. More would take too long. With this number, they include the file that Python
/// 3.12.1 compiles to different bytes after it has compiled others.
const FILES: usize = 60;

/// Files of the standard library, with all kinds of code.
fn real_files(interpreter: &Interpreter) -> Vec<Source> {
    let mut files: Vec<Source> = Vec::new();
    for folder in ["", "asyncio", "email"] {
        for entry in fs::read_dir(standard_library(interpreter).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "py") {
                let name = path.file_name().unwrap().to_str().unwrap();
                let content = fs::read(&path).unwrap();
                files.push(Source { path: format!("lib/{folder}-{name}"), content });
            }
        }
    }
    files.sort_by_key(|file| Digest::of(file.path.as_bytes()));
    let ftplib = files.iter().position(|file| file.path.ends_with("ftplib.py")).unwrap();
    files[ftplib..].rotate_left(1);
    files.split_off(files.len() - FILES)
}

fn digests(pack: &Pack) -> BTreeMap<&str, Digest> {
    pack.files.iter().map(|file| (file.path.as_str(), file.content.sha256)).collect()
}

#[test]
fn bytecode_does_not_depend_on_order_or_history() {
    for interpreter in pythons() {
        let files = real_files(&interpreter);
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let compile = |cache: &BytecodeCache, name: &str, files: Vec<Source>| {
            cache.compile(wheel(name), &interpreter, files.into_iter().map(io::Result::Ok)).unwrap()
        };
        let one = BytecodeCache::open(folders[0].path());
        let forward = compile(&one, "one", files.clone());
        let again = compile(&one, "again", files.clone());
        let other = BytecodeCache::with_limits(
            folders[1].path(),
            Limits { workers: 3, ..Limits::default() },
        );
        let backward = compile(&other, "one", files.iter().rev().cloned().collect());
        assert_eq!(forward.files.len() + forward.skipped.len(), files.len());
        assert!(forward.skipped.len() < 3, "{:?}", forward.skipped);
        let forward_digests = digests(&forward);
        for pack in [&again, &backward] {
            let digests = digests(pack);
            let differ: Vec<&str> = forward_digests
                .iter()
                .filter(|(path, digest)| digests[*path] != **digest)
                .map(|(path, _)| *path)
                .collect();
            assert!(differ.is_empty(), "Python {}: {differ:?}", interpreter.version());
        }
        assert_eq!(fs::read(&forward.path).unwrap(), fs::read(&again.path).unwrap());
    }
}
