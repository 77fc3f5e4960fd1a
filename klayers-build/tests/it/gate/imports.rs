use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use klayers_core::{Architecture, PythonVersion, Runtime, Target};
use klayers_layer::confine::{Confinement, Options};
use klayers_layer::gate::{ImportCheck, ImportReport, LoadedFiles, Missing, ModuleOutcome};
use tempfile::TempDir;

use crate::support::process::runs;

const LONG: Duration = Duration::from_mins(1);

/// A Python of this machine, and its target.
fn python() -> (PathBuf, Target) {
    let ask = "import sys; print(sys.executable, *sys.version_info[:2])";
    let output = Command::new("python3").args(["-I", "-c", ask]).output().expect("python3");
    let answer = String::from_utf8(output.stdout).unwrap();
    let [path, major, minor] = answer.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("python3 answers {answer:?}");
    };
    let version = PythonVersion::new(major.parse().unwrap(), minor.parse().unwrap());
    let architecture: Architecture = std::env::consts::ARCH.parse().unwrap();
    (PathBuf::from(path), Target::new(version, architecture))
}

/// A runtime whose C library is not newer than this machine's.
fn runtime(target: Target) -> Runtime {
    Runtime {
        python: target.python,
        os: "a system".to_owned(),
        glibc: "2.17".parse().unwrap(),
        deprecated_on: None,
        glibcxx: None,
        cxxabi: None,
        libraries: None,
    }
}

/// Creates a layer from modules, given by name and source.
fn layer(modules: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("python")).unwrap();
    for (name, source) in modules {
        fs::write(folder.path().join(format!("python/{name}.py")), source).unwrap();
    }
    folder
}

/// The confinement that the command uses.
async fn confinement() -> Confinement {
    let trampoline = Some(PathBuf::from(env!("CARGO_BIN_EXE_klayers-pipeline")));
    Confinement::with(&Options { trampoline, ..Options::default() }).await
}

async fn check_with(
    interpreter: &Path,
    target: Target,
    layer: &Path,
    modules: &[&str],
    deadline: Duration,
) -> ImportReport {
    let scratch = tempfile::tempdir().unwrap();
    let check = ImportCheck::new(interpreter, scratch.path(), target, &runtime(target))
        .with_confinement(confinement().await);
    let modules: Vec<String> = modules.iter().map(|module| (*module).to_owned()).collect();
    let imported = check.with_deadline(deadline).run(layer, &modules).await.expect("a report");
    let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    imported.report
}

/// Imports a layer with one module and returns the outcome.
async fn outcome(source: &str, deadline: Duration) -> ModuleOutcome {
    let (interpreter, target) = python();
    let layer = layer(&[("m", source)]);
    match check_with(&interpreter, target, layer.path(), &["m"], deadline).await {
        ImportReport::Run { modules, .. } => modules["m"].clone(),
        ImportReport::NotRun { reason } => panic!("not run: {reason}"),
    }
}

async fn failure(source: &str) -> String {
    match outcome(source, LONG).await {
        ModuleOutcome::Failed { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn modules_of_a_folder_and_of_a_zip_are_imported() {
    let (interpreter, target) = python();
    let layer = layer(&[
        ("plain", "import json, helper"),
        ("helper", "assert __name__ == 'helper'"),
        ("broken", "import helper\nimport no_such_module"),
    ]);
    let zip = layer.path().join("layer.zip");
    let pack = "import shutil, sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2], 'python')";
    let stem = layer.path().join("layer");
    let packed =
        Command::new(&interpreter).args(["-I", "-c", pack]).arg(&stem).arg(layer.path()).status();
    assert!(packed.unwrap().success());
    for layer in [layer.path(), &zip] {
        let modules = ["plain", "helper", "broken", "absent"];
        let report = check_with(&interpreter, target, layer, &modules, LONG).await;
        assert!(!report.all_passed());
        let failures: Vec<_> =
            report.failures().map(|(module, outcome)| format!("{module}: {outcome}")).collect();
        assert_eq!(
            failures,
            [
                "absent: ModuleNotFoundError: No module named 'absent'",
                "broken: ModuleNotFoundError: No module named 'no_such_module' \
                 (/opt/python/broken.py, line 2)",
            ]
        );
    }
    let report = check_with(&interpreter, target, layer.path(), &["plain"], LONG).await;
    assert!(report.all_passed(), "{report}");
}

#[tokio::test]
async fn exceptions_are_reported_on_one_line() {
    assert_eq!(
        failure("\nraise RuntimeError('no\\n\\tway\\x1b[2J \\udc80')").await,
        "RuntimeError: no way\u{fffd}[2J ? (/opt/python/m.py, line 2)"
    );
    assert!(failure("import sys; sys.exit()").await.starts_with("SystemExit"));
    let mute = "class E(Exception):\n def __str__(self): raise self\nraise E";
    assert!(failure(mute).await.contains('E'));
    assert!(failure("def f(:").await.contains("SyntaxError: "));
}

#[tokio::test]
async fn module_that_ends_the_process_fails() {
    for source in [
        "import os; os._exit(0)",
        "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL); os._exit(0)",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.closerange(0, 1024)",
        "print('{\"module\": \"m\", \"failure\": null}', flush=True); import os; os._exit(0)",
    ] {
        let message = failure(source).await;
        assert!(
            message.starts_with("the interpreter ended before the import finished"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn hanging_module_is_killed_at_the_deadline() {
    let begun = Instant::now();
    let hangs = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass";
    assert_eq!(outcome(hangs, Duration::from_secs(2)).await, ModuleOutcome::TimedOut);
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn child_processes_of_a_module_are_killed() {
    // An argument that can be found in the list of processes.
    let mark = format!("{}.25", 40_000 + std::process::id());
    let source =
        |then: &str| format!("import subprocess\nsubprocess.Popen(['/bin/sleep', '{mark}']){then}");
    assert_eq!(outcome(&source(""), LONG).await, ModuleOutcome::Passed);
    assert_eq!(
        outcome(&source("\nwhile True: pass"), Duration::from_secs(2)).await,
        ModuleOutcome::TimedOut
    );
    for _ in 0..100 {
        if !runs(&mark) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("sleep {mark} lives on");
}

#[tokio::test]
async fn modules_have_no_network() {
    for source in [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    ] {
        let message = failure(source).await;
        assert!(message.contains("may not use the network"), "{message}");
    }
    // A module that works without a network passes.
    let copes = "import socket\ntry:\n socket.create_connection(('127.0.0.1', 9))\n\
                 except OSError:\n pass";
    assert_eq!(outcome(copes, LONG).await, ModuleOutcome::Passed);
}

#[tokio::test]
async fn modules_see_neither_credentials_nor_home_of_user() {
    let source = "import os, sys\n\
        unexpected = set(os.environ) - {'PATH', 'LANG', 'LC_CTYPE', 'TZ', 'PYTHONHASHSEED', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH'}\n\
        assert not unexpected, unexpected\n\
        assert 'AWS_SECRET_ACCESS_KEY' not in os.environ\n\
        assert not os.path.exists(os.path.expanduser('~'))\n\
        assert os.environ['LD_LIBRARY_PATH'].endswith('/lib')\n\
        assert hash('x') == hash('x') and sys.flags.hash_randomization == 0\n\
        assert not any('site-packages' in path for path in sys.path), sys.path\n\
        assert sys.path[0].endswith('/python') and '' not in sys.path, sys.path\n";
    assert_eq!(outcome(source, LONG).await, ModuleOutcome::Passed);
    let message = failure("import os; os.environ['AWS_SECRET_ACCESS_KEY']").await;
    assert!(message.starts_with("KeyError: 'AWS_SECRET_ACCESS_KEY'"), "{message}");
}

#[tokio::test]
async fn output_and_resources_are_limited() {
    let chatty =
        "import sys\nfor _ in range(1024): sys.stdout.write('x' * 2**20)\nsys.stdout.flush()";
    assert_eq!(outcome(chatty, LONG).await, ModuleOutcome::Passed);
    let loud = "import sys\nfor _ in range(1024): sys.stderr.write('x' * 2**20)";
    let message = failure(loud).await;
    assert!(message.contains("was stopped"), "{message}");
    let greedy = "held = bytearray(6 * 2**30)";
    assert!(failure(greedy).await.starts_with("MemoryError"));
    let wasteful = "import tempfile\nfile = tempfile.TemporaryFile()\n\
                    for _ in range(128): file.write(b'x' * 2**20)";
    assert!(failure(wasteful).await.contains("File too large"));
}

#[tokio::test]
async fn unsuitable_interpreters_import_nothing() {
    let (interpreter, target) = python();
    let layer = layer(&[("m", "")]);
    let not_run = async |interpreter: &Path, target| match check_with(
        interpreter,
        target,
        layer.path(),
        &["m"],
        LONG,
    )
    .await
    {
        ImportReport::NotRun { reason } => reason,
        report @ ImportReport::Run { .. } => panic!("{report}"),
    };
    let other_minor = Target { python: PythonVersion::new(3, 99), ..target };
    let reason = not_run(&interpreter, other_minor).await;
    assert!(
        reason.contains("loads .cpython-3") && reason.contains("loads .cpython-399"),
        "{reason}"
    );
    let architecture = match target.architecture {
        Architecture::X86_64 => Architecture::Arm64,
        Architecture::Arm64 => Architecture::X86_64,
    };
    not_run(&interpreter, Target { architecture, ..target }).await;
    for script in ["exit 0", "echo rubbish", "echo no such thing >&2; exit 1"] {
        let fake = layer.path().join("fake");
        fs::write(&fake, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let reason = not_run(&fake, target).await;
        assert!(reason.contains("does not answer"), "{reason}");
    }
    not_run(Path::new("/no/such/python"), target).await;
}

#[tokio::test]
async fn layer_that_cannot_be_unpacked_is_an_error() {
    let (interpreter, target) = python();
    let scratch = tempfile::tempdir().unwrap();
    let zip = scratch.path().join("no.zip");
    fs::write(&zip, "no zip").unwrap();
    let check = ImportCheck::new(&interpreter, scratch.path(), target, &runtime(target))
        .with_confinement(confinement().await);
    let error = check.run(&zip, &[]).await.expect_err("no zip").to_string();
    assert!(error.contains("no.zip") && error.contains("not a zip file"), "{error}");
}

/// Returns the files that were loaded when the only module of a layer was imported.
async fn loaded(source: &str) -> LoadedFiles {
    loaded_by(&[("m", source)], confinement().await).await
}

/// Returns the files that were loaded when the modules of a layer were imported.
async fn loaded_by(modules: &[(&str, &str)], confinement: Confinement) -> LoadedFiles {
    let (interpreter, target) = python();
    let (layer, scratch) = (layer(modules), tempfile::tempdir().unwrap());
    let check = ImportCheck::new(&interpreter, scratch.path(), target, &runtime(target))
        .with_confinement(confinement);
    let names: Vec<String> = modules.iter().map(|(name, _)| (*name).to_owned()).collect();
    let imported = check.run(layer.path(), &names).await.expect("a report");
    imported.loaded.unwrap_or_else(|| panic!("{}", imported.report))
}

/// The name of a library that this machine's loader finds but no runtime has.
fn foreign_library() -> Option<String> {
    let (interpreter, target) = python();
    let image = runtime(target).base_image(target.architecture);
    let listed = Command::new("/sbin/ldconfig").arg("-p").output().ok()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = listed.lines().filter_map(|line| line.trim().split(' ').next());
    let is_foreign = |name: &&str| name.starts_with("lib") && !image.has(name);
    names.filter(is_foreign).map(str::to_owned).find(|name| {
        let load = format!("import ctypes; ctypes.CDLL({name:?})");
        let output = Command::new(&interpreter).args(["-I", "-c", &load]).output();
        output.is_ok_and(|output| output.status.success())
    })
}

#[tokio::test]
async fn libraries_that_an_import_does_not_need_are_ignored() {
    let Some(library) = foreign_library() else {
        return eprintln!("SKIPPED: this machine has no library that Lambda's runtime has not");
    };
    let load = format!("import ctypes; ctypes.CDLL({library:?})");
    let needs = load.clone();
    let tries = format!("try:\n {load}\nexcept OSError:\n pass");
    let trampoline = Some(PathBuf::from(env!("CARGO_BIN_EXE_klayers-pipeline")));
    for options in [
        Options { trampoline, ..Options::default() },
        Options { trampoline: None, namespaces: false, ..Options::default() },
    ] {
        let confinement = Confinement::with(&options).await;
        let loaded = loaded_by(&[("needs", &needs), ("tries", &tries)], confinement.clone()).await;
        let modules: Vec<_> = loaded.of_machine.values().flatten().collect();
        assert!(modules.contains(&&"needs".to_owned()), "{library}: {loaded:?}");
        assert!(!modules.contains(&&"tries".to_owned()), "{library}: {loaded:?}");
        let loaded = loaded_by(&[("tries", &tries)], confinement).await;
        assert_eq!(loaded, LoadedFiles::default(), "{library}");
    }
}

#[tokio::test]
async fn libraries_of_this_machine_are_detected_however_they_are_loaded() {
    let LoadedFiles { of_machine, .. } =
        loaded("import ctypes; ctypes.CDLL('libstdc++.so.6')").await;
    let is_loaded = |(path, modules): (&PathBuf, &std::collections::BTreeSet<String>)| {
        path.to_string_lossy().contains("/libstdc++.so.6") && modules.contains("m")
    };
    assert!(of_machine.iter().any(is_loaded), "{of_machine:?}");
    // Libraries that the interpreter loads itself are ignored.
    let own =
        "import ssl, sqlite3, zlib, ctypes, lzma, socket, hashlib, decimal, xml.parsers.expat";
    assert_eq!(loaded(own).await, LoadedFiles::default());
    // Files that the process creates itself are ignored, too.
    let made = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)";
    assert_eq!(loaded(made).await, LoadedFiles::default());
}

#[tokio::test]
async fn missing_modules_and_libraries_are_distinguished() {
    for (source, expected) in [
        ("import no_such.deep", Some(Missing::Module("no_such".to_owned()))),
        (
            "try:\n import no_such\nexcept ImportError:\n raise ImportError('install it') from None",
            Some(Missing::Module("no_such".to_owned())),
        ),
        (
            "import sys\ntry:\n import no_such\nexcept ImportError:\n sys.exit('install it')",
            Some(Missing::Module("no_such".to_owned())),
        ),
        (
            "import ctypes; ctypes.CDLL('libnone.so.3')",
            Some(Missing::Library("libnone.so.3".to_owned())),
        ),
        ("raise RuntimeError('no such thing')", None),
        ("from json import no_such", None),
    ] {
        let ModuleOutcome::Failed { missing, .. } = outcome(source, LONG).await else {
            panic!("{source}");
        };
        assert_eq!(missing, expected, "{source}");
    }
}

#[tokio::test]
async fn packages_of_the_runtime_come_last_on_the_module_path() {
    let (interpreter, target) = python();
    let scratch = tempfile::tempdir().unwrap();
    let of_layer = layer(&[("m", "import beta, json\nassert beta.mine and json.dumps")]);
    fs::write(of_layer.path().join("python/beta.py"), "mine = True").unwrap();
    let behind = layer(&[("gamma", ""), ("beta", "mine = False"), ("json", "")]);
    fs::write(of_layer.path().join("python/n.py"), "import gamma").unwrap();
    let modules = ["m".to_owned(), "n".to_owned()];
    let check = ImportCheck::new(&interpreter, scratch.path(), target, &runtime(target))
        .with_confinement(confinement().await);
    let alone = check.run(of_layer.path(), &modules).await.unwrap().report;
    assert_eq!(alone.failures().map(|(module, _)| module).collect::<Vec<_>>(), ["n"]);
    let check = check.with_runtime_packages(behind.path());
    let report = check.run(of_layer.path(), &modules).await.unwrap().report;
    assert!(report.all_passed(), "{}", report.failures().count());
}
