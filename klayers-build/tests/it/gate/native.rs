use klayers_core::{Runtime, Runtimes, Target};
use klayers_layer::gate::{Finding, Severity, check_native};
use klayers_wheel::NativeLibrary;

use super::elf::{AARCH64, Elf, Required, X86_64, required};
use crate::samples::target;

const WHEEL: &str = "p-1-cp312-cp312-manylinux_2_28_x86_64.whl";

fn runtime(target: Target) -> Runtime {
    Runtimes::default().get(target.python).expect("known").clone()
}

fn library(path: &str, elf: &Elf) -> NativeLibrary {
    NativeLibrary::read(path, &elf.bytes()).expect("sound").expect("an ELF file")
}

/// Returns the findings for a layer of these native libraries.
fn findings_of(of: &str, files: &[(&str, Elf)]) -> Vec<Finding> {
    let libraries: Vec<_> = files.iter().map(|(path, elf)| library(path, elf)).collect();
    let libraries: Vec<_> = libraries.iter().map(|library| (WHEEL, library)).collect();
    let paths = files.iter().map(|(path, _)| *path);
    check_native(&libraries, paths, target(of), &runtime(target(of)))
}

fn shown(of: &str, path: &str, elf: Elf) -> Vec<String> {
    let findings = findings_of(of, &[(path, elf)]);
    findings.iter().map(|finding| format!("{}: {finding}", finding.severity())).collect()
}

fn asks(versions: Vec<Required>) -> Elf {
    Elf { needed: vec!["libc.so.6"], versions, ..Elf::default() }
}

#[test]
fn library_for_another_processor_is_an_error() {
    let arm = || Elf { machine: AARCH64, needed: vec!["libnone.so"], ..Elf::default() };
    assert_eq!(
        shown("p3.12", "p/x.so", arm()),
        [format!(
            "error: p/x.so of {WHEEL} is built for aarch64, 64 bits; p3.12 needs x86_64, 64 bits"
        )]
    );
    assert_eq!(shown("p3.12-arm64", "p/x.so", Elf { machine: X86_64, ..arm() }).len(), 1);
    assert_eq!(shown("p3.12-arm64", "p/x.so", Elf { needed: vec![], ..arm() }), [""; 0]);
}

#[test]
fn versions_are_checked_against_the_runtime() {
    let table: [(&str, &str, &str, &str, bool); 12] = [
        ("p3.11", "libc.so.6", "GLIBC_2.26", "", true),
        ("p3.11", "libc.so.6", "GLIBC_2.28", "2.26", false),
        ("p3.12", "libc.so.6", "GLIBC_2.34", "", true),
        ("p3.12", "libc.so.6", "GLIBC_2.2.5", "", true),
        ("p3.12", "libm.so.6", "GLIBC_2.35", "2.34", false),
        ("p3.11", "libstdc++.so.6", "GLIBCXX_3.4.24", "", true),
        ("p3.11", "libstdc++.so.6", "GLIBCXX_3.4.25", "3.4.24", false),
        ("p3.12", "libstdc++.so.6", "GLIBCXX_3.4.29", "", true),
        ("p3.12", "libstdc++.so.6", "CXXABI_1.3.14", "1.3.13", false),
        ("p3.12", "libstdc++.so.6", "CXXABI_FLOAT128", "", true),
        ("p3.12", "libc.so.6", "GLIBC_ABI_DT_RELR", "2.34", false),
        ("p3.12", "libc.so.6", "GLIBC_ABI_GNU2_TLS", "2.34", false),
    ];
    for (of, library, name, newest, fits) in table {
        let found = shown(of, "p/x.so", asks(vec![required(library, name, "some_symbol")]));
        let expected = format!(
            "error: p/x.so of {WHEEL} needs {name} of {library} (for some_symbol); \
             the runtime has versions up to {newest}"
        );
        assert_eq!(found, if fits { vec![] } else { vec![expected] }, "{of} {name}");
    }
}

#[test]
fn private_and_unknown_versions_are_warnings() {
    for name in ["GLIBC_PRIVATE", "GLIBC_ABI_SOMETHING"] {
        let findings =
            findings_of("p3.12", &[("x.so", asks(vec![required("libc.so.6", name, "f")]))]);
        let [finding @ Finding::UnknownVersion { .. }] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        assert_eq!(finding.severity(), Severity::Warning);
        assert!(finding.to_string().contains(&format!("{name} of libc.so.6 (for f)")), "{finding}");
    }
}

#[test]
fn weak_references_require_nothing() {
    let statx = Required { weak: true, ..required("libc.so.6", "GLIBC_2.28", "statx") };
    assert_eq!(shown("p3.11", "x.so", asks(vec![statx])), [""; 0]);
}

#[test]
fn versions_of_libraries_in_the_layer_are_not_checked_against_the_runtime() {
    let user = |library| Elf {
        needed: vec![library],
        versions: vec![required(library, "GLIBCXX_3.4.33", "f")],
        ..Elf::default()
    };
    let bundled = Elf { soname: Some("libstdc++-0a1b.so.6"), ..Elf::default() };
    let files = [("p/x.so", user("libstdc++-0a1b.so.6")), ("p.libs/renamed.so", bundled)];
    assert_eq!(findings_of("p3.12", &files), []);
    // The system's folders are searched first, so this library is never loaded.
    let same_name = Elf { soname: Some("libstdc++.so.6"), ..Elf::default() };
    let files = [("p/x.so", user("libstdc++.so.6")), ("p.libs/libstdc++.so.6", same_name)];
    assert_eq!(findings_of("p3.12", &files).len(), 1);
}

#[test]
fn needed_libraries_must_be_in_the_layer_or_in_the_runtime() {
    let elf = Elf {
        needed: vec![
            "libc.so.6",
            "ld-linux-x86-64.so.2",
            "libz.so.1",
            "libpython3.12.so.1.0",
            "libbundled-1.so",
            "$ORIGIN/../p.libs/libbundled-1.so",
            "libexpat.so.1",
            "/usr/lib/libbundled-1.so",
        ],
        ..Elf::default()
    };
    let x = NativeLibrary { is_module: true, ..library("p/x.so", &elf) };
    let files = ["p/x.so", "python/p.libs/libbundled-1.so"];
    let of = target("p3.12");
    let findings = check_native(&[(WHEEL, &x)], files, of, &runtime(of));
    let missing: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let expected = ["libexpat.so.1", "/usr/lib/libbundled-1.so"].map(|name| {
        format!("p/x.so of {WHEEL} needs {name}, which is neither in the layer nor in the runtime")
    });
    assert_eq!(missing, expected);
    assert!(findings.iter().all(|finding| finding.severity() == Severity::Error));
    // A configured runtime may have it.
    let mut with_expat = runtime(of);
    with_expat.libraries = Some(["libexpat.so.1".to_owned()].into());
    let findings = check_native(&[(WHEEL, &x)], files, of, &with_expat);
    assert!(!findings.iter().any(|finding| finding.to_string().contains("libexpat")));
}

#[test]
fn extension_modules_must_be_tagged_for_the_target() {
    let fitting = ["x.so", "x.abi3.so", "x.cpython-312-x86_64-linux-gnu.so", "p.libs/libfoo.2.so"];
    for path in fitting {
        assert_eq!(findings_of("p3.12", &[(path, Elf::default())]), [], "{path}");
    }
    let foreign = [
        "cpython-311-x86_64-linux-gnu",
        "cpython-312-aarch64-linux-gnu",
        "cpython-312-x86_64-linux-musl",
        "cpython-313t-x86_64-linux-gnu",
        "pypy310-pp73-x86_64-linux-gnu",
    ];
    for tag in foreign {
        let path = format!("p/x.{tag}.so");
        assert_eq!(
            shown("p3.12", &path, Elf { needed: vec!["libmusl.so"], ..Elf::default() }),
            [format!(
                "error: {path} of {WHEEL} is an extension module for {tag}, which p3.12 does not load"
            )]
        );
    }
    // A fitting module of the same name is loaded instead.
    let arm = Elf { machine: AARCH64, ..Elf::default() };
    let files = [
        ("p/x.cpython-312-aarch64-linux-gnu.so", arm),
        ("p/x.cpython-312-x86_64-linux-gnu.so", Elf::default()),
    ];
    assert_eq!(findings_of("p3.12", &files), []);
}

#[test]
fn files_that_no_module_loads_may_lack_libraries() {
    let needs = |name| Elf { needed: vec![name], ..Elf::default() };
    let bundled = Elf { soname: Some("libbundled-1.so"), ..needs("libnone.so.1") };
    let module = library("p/x.abi3.so", &needs("libbundled-1.so"));
    let module = NativeLibrary { is_module: true, ..module };
    let plugin = library("p/plugin.so", &needs("libudev.so.1"));
    let bundled = library("p.libs/libbundled-1.so", &bundled);
    let of = target("p3.12");
    let libraries = [&module, &plugin, &bundled].map(|library| (WHEEL, library));
    let findings = check_native(&libraries, [], of, &runtime(of));
    let found: Vec<(Severity, String)> =
        findings.iter().map(|finding| (finding.severity(), finding.to_string())).collect();
    let [(warning, plugin), (error, bundled)] = found.as_slice() else { panic!("{found:?}") };
    assert!(plugin.contains("p/plugin.so") && bundled.contains("libnone.so.1"), "{found:?}");
    assert_eq!((*warning, *error), (Severity::Warning, Severity::Error));
}

#[test]
fn programs_for_other_processors_are_distinguished_from_libraries() {
    let other = || Elf { machine: AARCH64, ..Elf::default() };
    let program = || Elf { kind: 2, ..other() };
    let table = [
        (vec![("p/flac-arm64", program())], Severity::Warning),
        (vec![("p/libflac.so", other())], Severity::Error),
        (vec![("p/libflac.so.1.2", other())], Severity::Error),
        // The wheel has a library for each processor and chooses one.
        (
            vec![("p/arm64/libflac.so", other()), ("p/x86/libflac.so", Elf::default())],
            Severity::Warning,
        ),
    ];
    for (files, expected) in table {
        let findings = findings_of("p3.12", &files);
        let severities: Vec<Severity> = findings.iter().map(Finding::severity).collect();
        assert_eq!(severities, [expected], "{findings:?}");
    }
}
