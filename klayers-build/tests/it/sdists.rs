//! Tests packages that exist only as source distributions: they are refused, or built where the
//! operator allows it.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use klayers_layer::confine::{Confinement, Gap, Options};
use klayers_layer::resolve::{Resolver, Sdist, Sources};

use klayers_core::Digest;
use zip::write::SimpleFileOptions;

use crate::flipped_bytes::{find, flip};
use crate::support::WheelFile;
use crate::support::command::{Home, Outcome, uv_is_there};
use crate::support::process::{runs, wait_until};
use crate::support::server::WheelServer;

/// A build backend that returns the wheel beside it. It fails if the command's environment is
/// visible, as it would be if uv ran it to ask for its dependencies.
const BACKEND: &str = r#"
import os, random, shutil, sys, zipfile
if "KLAYERS_CACHE_DIR" in os.environ:
    sys.exit("it runs in the environment of the command")
def build_wheel(folder, settings=None, metadata=None):
    if FICKLE:
        year = random.SystemRandom().randint(1980, 2107)
        with zipfile.ZipFile("FILENAME") as wheel:
            with zipfile.ZipFile(os.path.join(folder, "FILENAME"), "w") as copy:
                for entry in wheel.infolist():
                    entry.date_time = (year, *(random.SystemRandom().randint(1, 12) for _ in range(5)))
                    copy.writestr(entry, wheel.read(entry))
    else:
        shutil.copy("FILENAME", folder)
    return "FILENAME"
"#;

/// A build backend that tries to read and write forbidden files, and starts a process that should
/// not survive.
const CURIOUS_BACKEND: &str = r#"
import os, shutil, subprocess
def fails(action, *arguments):
    try:
        action(*arguments)
    except OSError:
        return True
def build_wheel(folder, settings=None, metadata=None):
    assert fails(open, "SECRET"), "it reads a home"
    assert fails(os.listdir, os.path.dirname("SECRET")), "it lists a home"
    assert fails(open, "/usr/klayers-was-here", "w"), "it changes the system"
    open(os.path.expanduser("~/mine"), "w").close()
    subprocess.run(["/bin/sh", "-c", "true"], check=True)
    nothing = subprocess.DEVNULL
    subprocess.Popen(["setsid", "sleep", "MARK"], stdout=nothing, stderr=nothing)
    shutil.copy("FILENAME", folder)
    return "FILENAME"
"#;

/// A source distribution whose build makes this wheel.
fn sdist(name: &str, wheel: &WheelFile) -> (String, Vec<u8>) {
    sdist_with(name, wheel, &BACKEND.replace("FICKLE", "False"))
}

/// A source distribution whose build makes other bytes each time.
fn fickle_sdist(name: &str, wheel: &WheelFile) -> (String, Vec<u8>) {
    sdist_with(name, wheel, &BACKEND.replace("FICKLE", "True"))
}

fn sdist_with(name: &str, wheel: &WheelFile, backend: &str) -> (String, Vec<u8>) {
    let filename = wheel.filename();
    let backend = backend.replace("FILENAME", &filename);
    let project = format!(
        "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
         [project]\nname = \"{name}\"\nversion = \"1.0\"\ndynamic = [\"dependencies\"]\n"
    );
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in [
        ("pyproject.toml", project.into_bytes()),
        ("backend.py", backend.into_bytes()),
        (&filename, wheel.bytes()),
    ] {
        zip.start_file(format!("{name}-1.0/{path}"), SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    (format!("{name}-1.0.zip"), zip.finish().unwrap().into_inner())
}

/// An index with wheels of `app` and `helper`, and the dependencies of `app` as source
/// distributions.
async fn index(sample: &WheelFile) -> WheelServer {
    let inner = WheelFile::new("inner", "1.0").file("inner.py", "y = 2\n");
    let wheels = [
        WheelFile::new("app", "1.0").requires("sample<2").file("app.py", "import sample\n"),
        WheelFile::new("helper", "1.0").file("helper.py", ""),
    ];
    WheelServer::with_files(&wheels, [sdist("sample", sample), sdist("inner", &inner)]).await
}

fn sample() -> WheelFile {
    let sample = WheelFile::new("sample", "1.0").requires("helper").requires("inner");
    sample.file("sample.py", "x = 1\n")
}

fn build(home: &Home, server: &WheelServer, more: &[&str]) -> Outcome {
    let url = server.url("simple/");
    let arguments = ["build", "app", "--python", "3.12", "--bytecode", "off", "--index-url", &url];
    home.run(&[&arguments, more].concat())
}

fn entry(home: &Home, path: &str) -> String {
    let file = fs::File::open(home.path("out/Klayers-p312-app.zip")).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let mut text = String::new();
    zip.by_name(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn sdists_are_not_built_without_permission_and_the_error_names_the_flag() {
    if !uv_is_there() {
        return;
    }
    let (home, server) = (Home::new(), index(&sample()).await);
    for more in [&["--out", "out"][..], &["--out", "out", "--allow-sdist", "inner"]] {
        let refused = build(&home, &server, more).ended_with(1);
        let advice = "which runs its code: --allow-sdist sample\n";
        let both = "which runs their code: --allow-sdist inner --allow-sdist sample\n";
        let said = &refused.stderr;
        assert!(said.ends_with(advice) || said.ends_with(both), "{said}");
    }
    assert!(!server.asked().iter().any(|asked| asked.path.contains("1.0.zip")));
    assert!(!home.path("out").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn layer_is_built_from_allowed_sdists_and_rebuilt_from_its_own_lock() {
    if !uv_is_there() {
        return;
    }
    let (home, server) = (Home::new(), index(&sample()).await);
    let allowed = ["--allow-sdist", "Sample", "--allow-sdist", "inner", "--allow-sdist", "helper"];
    build(&home, &server, &[&["--out", "out"][..], &allowed].concat()).ended_with(0);
    assert_eq!(entry(&home, "python/sample.py"), "x = 1\n");
    assert_eq!(entry(&home, "python/inner.py"), "y = 2\n");
    let lock = entry(&home, "klayers/Klayers-p312-app/pylock.toml");
    let built: Vec<&str> = lock.lines().filter(|line| line.starts_with("tool = ")).collect();
    assert_eq!(built.len(), 2, "helper has a wheel: {lock}");
    let layer = fs::read(home.path("out/Klayers-p312-app.zip")).unwrap();

    // Another run builds nothing, although the sources are gone.
    fs::remove_dir_all(home.path("caches/klayers/sdists")).unwrap();
    server.asked();
    build(&home, &server, &[&["--out", "again"][..], &allowed].concat()).ended_with(0);
    assert!(!server.asked().iter().any(|asked| asked.path.contains("1.0.zip")));
    assert_eq!(fs::read(home.path("again/Klayers-p312-app.zip")).unwrap(), layer);

    // On another machine the lock suffices, if builds are allowed there.
    fs::remove_dir_all(home.path("caches")).unwrap();
    home.write("own.toml", lock);
    let from_lock = ["--out", "again", "--lock", "own.toml"];
    let refused = build(&home, &server, &from_lock).ended_with(1);
    assert!(refused.stderr.contains("it has to be built again"), "{}", refused.stderr);
    build(&home, &server, &[&from_lock[..], &allowed].concat()).ended_with(0);
    assert_eq!(fs::read(home.path("again/Klayers-p312-app.zip")).unwrap(), layer);
}

#[tokio::test(flavor = "multi_thread")]
async fn built_wheel_that_changed_in_the_cache_is_built_again() {
    if !uv_is_there() {
        return;
    }
    let (home, server) = (Home::new(), index(&sample()).await);
    let allowed = ["--allow-sdist", "Sample", "--allow-sdist", "inner"];
    build(&home, &server, &[&["--out", "out"][..], &allowed].concat()).ended_with(0);
    let layer = fs::read(home.path("out/Klayers-p312-app.zip")).unwrap();
    home.write("own.toml", entry(&home, "klayers/Klayers-p312-app/pylock.toml"));
    let digest = Digest::of(&sample().bytes());
    let wheel = find(&home.path("caches/klayers/wheels"), &format!("{digest}.whl"));
    for more in [&["--out", "again"][..], &["--out", "again", "--lock", "own.toml"]] {
        flip(&wheel, 60);
        let done = build(&home, &server, &[more, &allowed].concat()).ended_with(0);
        assert_eq!(fs::read(home.path("again/Klayers-p312-app.zip")).unwrap(), layer);
        assert!(done.stderr.contains("warning: a cached wheel had changed"), "{}", done.stderr);
        assert!(fs::read(&wheel).unwrap() == sample().bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layer_is_verified_if_its_sdists_may_be_built_again() {
    if !uv_is_there() {
        return;
    }
    let (home, server) = (Home::new(), index(&sample()).await);
    let allowed = ["--allow-sdist", "Sample", "--allow-sdist", "inner"];
    build(&home, &server, &[&["--out", "out"][..], &allowed].concat()).ended_with(0);
    fs::remove_dir_all(home.path("caches")).unwrap();
    server.asked();
    let verify = ["verify", "out/Klayers-p312-app.zip"];
    let refused = home.run(&verify).ended_with(1);
    let advice = "allow it with --allow-sdist inner --allow-sdist sample\n";
    assert!(refused.stderr.ends_with(advice), "{}", refused.stderr);
    assert!(!server.asked().iter().any(|asked| asked.path.contains("1.0.zip")));

    let done = home.run(&[&verify[..], &allowed].concat()).ended_with(0);
    assert!(done.stdout.starts_with("reproduced Klayers-p312-app\n"), "{}", done.stdout);
    // The built wheel is in the cache now, under the digest in the lock.
    home.run(&verify).ended_with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn error_names_wheel_whose_build_is_not_reproducible() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let sample = WheelFile::new("sample", "1.0").file("sample.py", "x = 1\n");
    let sdist = fickle_sdist("sample", &sample);
    let app = WheelFile::new("app", "1.0").requires("sample").file("app.py", "import sample\n");
    let server = WheelServer::with_files(&[app], [sdist]).await;
    let allowed = ["--allow-sdist", "sample"];
    build(&home, &server, &[&["--out", "out"][..], &allowed].concat()).ended_with(0);
    fs::remove_dir_all(home.path("caches")).unwrap();
    let verify = ["verify", "out/Klayers-p312-app.zip"];
    let differs = home.run(&[&verify[..], &allowed].concat()).ended_with(1);
    let said =
        "sample-1.0-py3-none-any.whl, built again from the source of sample==1.0, has SHA-256 ";
    assert!(differs.stderr.contains(said), "{}", differs.stderr);
    assert!(differs.stderr.contains(" instead of "), "{}", differs.stderr);
    assert_eq!(differs.stdout, "");
}

#[tokio::test]
async fn build_sees_only_its_own_folder_and_leaves_no_process_behind() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let secret = home.write("secret", "");
    let mark = format!("{}.75", 70_000 + std::process::id());
    let wheel = WheelFile::new("sample", "1.0");
    let (filename, bytes) = sdist_with(
        "sample",
        &wheel,
        &CURIOUS_BACKEND.replace("MARK", &mark).replace("SECRET", secret.to_str().unwrap()),
    );
    let sdist = Sdist {
        pin: "sample==1.0".parse().unwrap(),
        sha256: klayers_core::Digest::of(&bytes),
        path: home.write(&filename, bytes),
    };
    let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_klayers-pipeline")));
    for (trampoline, namespaces) in [(executable.clone(), true), (executable, false), (None, true)]
    {
        let options = Options { trampoline, namespaces, ..Options::default() };
        let confinement = Confinement::with(&options).await;
        let gaps = confinement.gaps();
        if gaps.contains(&Gap::Files) {
            continue;
        }
        let resolver = Resolver::find(Sources::default()).await.unwrap();
        let resolver = resolver.with_confinement(confinement);
        let asked =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let python = String::from_utf8(asked.unwrap().stdout).unwrap();
        let allowed = ["sample".parse().unwrap()].into();
        let built = resolver
            .build_sdist(&sdist, Path::new(python.trim()), &allowed, |_, _| Ok(()))
            .await
            .unwrap_or_else(|error| panic!("{options:?}: {error}"));
        assert_eq!(built.offline, !gaps.contains(&Gap::Datagrams) && !gaps.contains(&Gap::Network));
        if !gaps.contains(&Gap::Survival) {
            wait_until(|| !runs(&mark), "the process is still running");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn built_wheel_must_be_valid_and_fit_the_target() {
    if !uv_is_there() {
        return;
    }
    let foreign = sample().tag("cp312-cp312-linux_s390x");
    let unsound = sample().file("../sample.py", "");
    for (wheel, message) in [
        (foreign, "cannot be used: it does not fit p3.12"),
        (unsound, "built from the source of sample==1.0, cannot be used: "),
    ] {
        let (home, server) = (Home::new(), index(&wheel).await);
        let refused = build(&home, &server, &["--out", "out", "--allow-sdist", "sample"]);
        let refused = refused.ended_with(1);
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
        assert!(!home.path("caches/klayers/built").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sdist_with_other_bytes_than_locked_is_not_run() {
    if !uv_is_there() {
        return;
    }
    let (home, server) = (Home::new(), index(&sample()).await);
    let allowed = ["--allow-sdist", "sample", "--allow-sdist", "inner"];
    build(&home, &server, &[&["--out", "out"][..], &allowed].concat()).ended_with(0);
    let lock = entry(&home, "klayers/Klayers-p312-app/pylock.toml");
    let (_, bytes) = sdist("sample", &sample());
    let digest = klayers_core::Digest::of(&bytes).to_string();
    assert!(lock.contains(&digest), "{lock}");
    fs::remove_dir_all(home.path("caches")).unwrap();
    home.write("own.toml", lock.replace(&digest, &klayers_core::Digest::of(b"").to_string()));
    let more = [&["--out", "again", "--lock", "own.toml"][..], &allowed].concat();
    let refused = build(&home, &server, &more).ended_with(1);
    assert!(refused.stderr.contains("sample-1.0.zip"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("has SHA-256 {digest}")), "{}", refused.stderr);
}

#[test]
fn run_builds_sdists_that_the_configuration_allows_and_publishes_once() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    home.collection(&[("p3.12", &["sample"])], &["us-east-1"]);
    let sample = WheelFile::new("sample", "1.0").file("sample.py", "x = 1\n");
    let (filename, bytes) = sdist("sample", &sample);
    home.write(&format!("wheels/{filename}"), bytes);
    let refused = home.run(&["run"]).ended_with(1);
    assert!(refused.stderr.contains("allow_sdist = [\"sample\"]"), "{}", refused.stderr);

    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", format!("{config}allow_sdist = [\"Sample\"]\n"));
    let done = home.run(&["run"]).ended_with(0);
    assert!(done.stdout.contains("p3.12 sample 1.0: built (new)"), "{}", done.stdout);
    fs::remove_dir_all(home.path("caches")).unwrap();
    let again = home.run(&["run"]).ended_with(0);
    assert!(again.stderr.contains("1 unchanged"), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_build_shows_last_lines_and_saves_its_output() {
    if !uv_is_there() {
        return;
    }
    let project = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\n\
                   backend-path = [\".\"]\n[project]\nname = \"sample\"\nversion = \"1.0\"\n";
    let backend = "import sys\ndef build_wheel(folder, settings=None, metadata=None):\n    \
                   for n in range(50): print('compiling', n, file=sys.stderr)\n    \
                   print('fatal error: mysql.h: No such file', file=sys.stderr)\n    \
                   for n in range(5): print('after', n, file=sys.stderr)\n    \
                   sys.exit(3)\n";
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in [("pyproject.toml", project), ("backend.py", backend)] {
        zip.start_file(format!("sample-1.0/{path}"), SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    let sdist = ("sample-1.0.zip".to_owned(), zip.finish().unwrap().into_inner());
    let app = WheelFile::new("app", "1.0").requires("sample<2").file("app.py", "import sample\n");
    let (home, server) = (Home::new(), WheelServer::with_files(&[app], [sdist]).await);
    let arguments = ["--out", "out", "--allow-sdist", "sample"];
    let refused = build(&home, &server, &arguments).ended_with(1);
    let log = home.path("caches/klayers/logs/sample-1.0-p3.12.log");
    let shown = "error: could not build a wheel of sample==1.0 from source\n  \
                 fatal error: mysql.h: No such file\n  … (all of it: --verbose)\n\
                 help: install what the build needs, or ask for a version with wheels; its log:\n\
                 HOME/caches/klayers/logs/sample-1.0-p3.12.log\n";
    assert_eq!(refused.stderr, shown);
    let kept = fs::read_to_string(log).unwrap();
    assert!(kept.contains("compiling 0\n") && kept.contains("after 4\n"), "{kept}");
}
