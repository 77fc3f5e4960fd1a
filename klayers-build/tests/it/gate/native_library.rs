use std::fs;
use std::process::Command;

use klayers_wheel::{Class, Machine, NativeLibrary, RequiredVersion};

use super::elf::{AARCH64, Elf, Required, required};

fn read(bytes: &[u8]) -> NativeLibrary {
    NativeLibrary::read("p/x.so", bytes).expect("a sound file").expect("an ELF file")
}

fn problem(bytes: &[u8]) -> String {
    let error = NativeLibrary::read("p/x.so", bytes).expect_err("no sound file");
    assert_eq!(error.path(), "p/x.so");
    error.to_string()
}

fn sample() -> Elf {
    Elf {
        machine: AARCH64,
        soname: Some("libx.so.1"),
        needed: vec!["libstdc++.so.6", "libc.so.6"],
        versions: vec![
            required("libc.so.6", "GLIBC_2.17", "malloc"),
            required("libc.so.6", "GLIBC_2.34", "pthread_create"),
            required("libc.so.6", "GLIBC_2.4", "read"),
            Required { library: "libc.so.6", name: "GLIBC_ABI_DT_RELR", symbol: None, weak: false },
            Required {
                library: "libc.so.6",
                name: "GLIBC_2.39",
                symbol: Some("pidfd"),
                weak: true,
            },
            required("libstdc++.so.6", "GLIBCXX_3.4.9", "_ZNSo9_M_insertIbEERSoT_"),
            required("libstdc++.so.6", "GLIBCXX_3.4.21", "_ZNSt7__cxx1112basic_string"),
            required("libstdc++.so.6", "CXXABI_1.3.9", "_ZdlPvm"),
            required("libbundled-1234.so.6", "GLIBCXX_3.4.32", "_ZN9elsewhere"),
            required("libz.so.1", "ZLIB_1.2.9", "inflate"),
        ],
        ..Elf::default()
    }
}

fn version(library: &str, name: &str, symbol: Option<&str>) -> RequiredVersion {
    RequiredVersion {
        name: name.to_owned(),
        library: library.to_owned(),
        symbol: symbol.map(str::to_owned),
    }
}

#[test]
fn newest_versions_are_kept_by_library_and_interface() {
    let library = read(&sample().bytes());
    assert_eq!(library.path, "p/x.so");
    assert_eq!((library.machine, library.class), (Machine::Aarch64, Class::Elf64));
    assert_eq!(library.soname.as_deref(), Some("libx.so.1"));
    assert_eq!(library.needed, ["libstdc++.so.6", "libc.so.6"]);
    assert_eq!(library.interpreter, None);
    let expected = [
        version("libbundled-1234.so.6", "GLIBCXX_3.4.32", Some("_ZN9elsewhere")),
        version("libc.so.6", "GLIBC_2.34", Some("pthread_create")),
        version("libc.so.6", "GLIBC_ABI_DT_RELR", None),
        version("libstdc++.so.6", "CXXABI_1.3.9", Some("_ZdlPvm")),
        version("libstdc++.so.6", "GLIBCXX_3.4.21", Some("_ZNSt7__cxx1112basic_string")),
    ];
    assert_eq!(library.versions, expected);
}

#[test]
fn executables_name_their_loader() {
    let loader = "/lib/ld-linux-aarch64.so.1";
    let elf = Elf { interpreter: Some(loader), kind: 2, ..sample() };
    assert_eq!(read(&elf.bytes()).interpreter.as_deref(), Some(loader));
}

#[test]
fn files_that_no_loader_reads_are_not_libraries() {
    let object = Elf { kind: 1, ..sample() }.bytes();
    let dump = Elf { kind: 4, ..sample() }.bytes();
    for bytes in [&object[..], &dump, b"!<arch>\n", b"#!/bin/sh\n", b"", b"\x7fEL"] {
        assert_eq!(NativeLibrary::read("x", bytes), Ok(None));
    }
}

#[test]
fn files_of_other_classes_and_byte_orders_are_read() {
    let mut narrow = vec![0x7f, b'E', b'L', b'F', 1, 1, 1];
    narrow.resize(52, 0);
    narrow[16] = 3;
    narrow[18] = 3;
    let library = read(&narrow);
    assert_eq!((library.class, library.machine), (Class::Elf32, Machine::Other(3)));
    let mut big = vec![0x7f, b'E', b'L', b'F', 2, 2, 1];
    big.resize(64, 0);
    big[17] = 3;
    big[19] = 183;
    assert_eq!(read(&big).machine, Machine::Other(183), "Lambda's are little-endian");
}

#[test]
fn file_may_start_at_any_address() {
    let mut bytes = vec![0];
    bytes.extend(sample().bytes());
    assert_eq!(read(&bytes[1..]), read(&sample().bytes()));
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = Elf { interpreter: Some("/lib/ld.so"), ..sample() }.bytes();
    for end in 4..bytes.len() {
        let read = NativeLibrary::read("x", &bytes[..end]);
        assert!(read.is_err(), "cut at {end}: {read:?}");
    }
}

#[test]
fn changed_bytes_never_panic() {
    let bytes = Elf { interpreter: Some("/lib/ld.so"), ..sample() }.bytes();
    let (mut same, mut other, mut refused) = (0, 0, 0);
    let whole = read(&bytes);
    for at in 4..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            match NativeLibrary::read("p/x.so", &changed) {
                Ok(Some(library)) if library == whole => same += 1,
                Ok(_) => other += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(same > 0 && other > 0 && refused > 100, "{same} {other} {refused}");
}

#[test]
fn absurd_version_lists_are_refused() {
    let many = Elf { needed: vec!["libc.so.6"; 1_025], ..sample() }.bytes();
    assert!(problem(&many).ends_with("it requires more than 1024 libraries"));
    let long = Elf { needed: vec![Box::leak("x".repeat(256).into_boxed_str())], ..sample() };
    assert!(problem(&long.bytes()).ends_with("a name has no end"));

    let odd = Elf { needed: vec!["lib\u{1b}[2J.so"], ..sample() };
    assert!(problem(&odd.bytes()).ends_with("a name has control characters"));

    // A list of versions that overlaps itself as often as possible.
    let one = Elf { versions: vec![required("libc.so.6", "GLIBC_2.17", "read")], ..sample() };
    let mut bytes = one.bytes();
    let entry = [1, 0, 1, 0];
    let at = bytes.windows(4).rposition(|window| window == entry).expect("the list");
    bytes[at + 2..at + 4].copy_from_slice(&[0xff, 0xff]);
    assert!(problem(&bytes).ends_with("it requires more versions than can exist"));
}

/// Compares our reader with `readelf` for the libraries of this machine and for this program.
#[test]
fn real_libraries_are_read_like_readelf() {
    if Command::new("readelf").arg("--version").output().is_err() {
        println!("SKIPPED: there is no readelf to compare with");
        return;
    }
    let mut paths = vec![std::env::current_exe().unwrap()];
    for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"] {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.is_file() && path.to_string_lossy().contains(".so."));
        found.sort();
        paths.extend(found.into_iter().step_by(12));
    }
    for path in paths {
        let Ok(Some(library)) = NativeLibrary::read("x", &fs::read(&path).unwrap()) else {
            panic!("{} was not read", path.display());
        };
        let shown = Command::new("readelf").args(["-dVW"]).arg(&path).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let needed: Vec<&str> = shown.lines().filter(|line| line.contains("(NEEDED)")).collect();
        assert_eq!(library.needed.len(), needed.len(), "{}", path.display());
        for (name, line) in library.needed.iter().zip(needed) {
            assert!(line.ends_with(&format!("[{name}]")), "{}: {name}: {line}", path.display());
        }
        for version in &library.versions {
            let named = format!("Name: {}  Flags: none", version.name);
            assert!(shown.contains(&named), "{}: {version:?}", path.display());
        }
        let newest = shown
            .lines()
            .filter_map(|line| line.split_once("Name: GLIBC_2.")?.1.split_once("  Flags: none"))
            .filter_map(|(minor, _)| minor.parse::<u16>().ok())
            .max();
        let read = library
            .versions
            .iter()
            .filter_map(|version| version.name.strip_prefix("GLIBC_2.")?.parse::<u16>().ok())
            .max();
        assert_eq!(read, newest, "{}", path.display());
    }
}

#[test]
fn this_program_requires_versions_of_its_c_library() {
    let library = read(&fs::read(std::env::current_exe().unwrap()).unwrap());
    assert!(library.machine.is_for(std::env::consts::ARCH.parse().expect("a Lambda architecture")));
    let glibc = library.versions.iter().find(|version| version.library == "libc.so.6");
    assert!(glibc.expect("glibc is asked for").symbol.is_some(), "{:?}", library.versions);
    assert!(library.interpreter.is_some_and(|path| path.contains("ld-linux")));
}
