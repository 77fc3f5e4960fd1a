//! Tests faults of the program uv: missing, another program, failing, or never ending.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use klayers_core::Runtimes;
use klayers_layer::resolve::{ResolveError, Resolver, Sources};
use rustix::fs::{FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::samples::target;
use crate::support::command::Home;

const INSTALL: &str = "install it with \"pip install --upgrade uv\"";
const BUILD: [&str; 6] = ["build", "alpha", "--python", "3.13", "--out", "out"];
const AGAIN: &str = "help: run the command again; --verbose shows more\n";
const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Installs a fake uv that prints a version, and runs this script when it is to resolve.
fn resolving(home: &Home, script: &str) {
    home.fake_uv(&format!("if [ \"$1\" = --version ]; then echo 'uv 0.9.0'; exit; fi\n{script}"));
}

/// Asserts that a build ends with this code and message, and writes nothing.
#[track_caller]
fn refused(home: &Home, code: i32, stderr: &str) {
    home.run(&BUILD).refused(code, stderr);
    assert!(!home.path("out").exists());
}

#[test]
fn missing_uv_error_says_how_to_install_it() {
    let home = Home::new();
    let mut command = home.command(&BUILD);
    command.env("PATH", home.path("empty"));
    let outcome = home.finish(command.spawn().unwrap());
    outcome.refused(2, &format!("error: uv is not on PATH\nhelp: {INSTALL}\n"));
    assert!(!home.path("out").exists());
}

#[test]
fn too_old_uv_or_another_program_is_an_error() {
    let home = Home::new();
    let long = "x".repeat(100);
    for (script, answer) in [
        ("echo 'uv 0.6.17 (abc 2025-04-25)'", "uv 0.6.17 (abc 2025-04-25)"),
        ("echo 'uv 0.7'", "uv 0.7"),
        ("echo 'something else'", "something else"),
        ("true", ""),
        (&format!("echo {long}and more"), &format!("{long}…")),
    ] {
        home.fake_uv(script);
        let expected = format!(
            "error: uv 0.7.0 or newer is needed, but \"uv --version\" answers \"{answer}\"\n\
             help: {INSTALL}\n"
        );
        refused(&home, 2, &expected);
    }
}

#[test]
fn uv_that_fails_to_print_its_version_is_an_error() {
    let home = Home::new();
    home.fake_uv("echo 'error: no such library' >&2; exit 127");
    refused(&home, 1, &format!("error: uv failed: no such library\n{AGAIN}"));
    home.fake_uv("kill -KILL $$");
    refused(&home, 1, &format!("error: uv failed: it was ended by a signal\n{AGAIN}"));
    fs::set_permissions(home.path("bin/uv"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    home.write("bin/uv", b"\x7fELF and then nothing");
    let outcome = home.run(&BUILD).ended_with(1);
    assert!(outcome.stderr.starts_with("error: could not run uv\n"), "{}", outcome.stderr);
}

#[test]
fn error_output_of_uv_is_passed_on() {
    let home = Home::new();
    for (script, message) in [
        ("echo 'error: unexpected argument' >&2; exit 2", "uv failed: unexpected argument\n"),
        ("exit 2", "uv failed: it ended with status 2 and said nothing\n"),
        ("kill -KILL $$", "uv failed: it was ended by a signal\n"),
        (
            "echo '  x No solution found when resolving dependencies:' >&2\n\
             echo '  ╰─▶ Because alpha was not found' >&2; exit 1",
            "there is no package alpha in the package index\n\
             help: check its spelling; another index is named with --index-url\n",
        ),
    ] {
        resolving(&home, script);
        let help = if message.contains("help: ") { "" } else { AGAIN };
        refused(&home, 1, &format!("error: {message}{help}"));
    }
}

#[test]
fn endless_error_output_of_uv_is_shortened() {
    let home = Home::new();
    resolving(&home, "yes 'error: what a day' | head -c 100000 >&2; exit 2");
    let outcome = home.run(&BUILD).ended_with(1);
    assert!(outcome.stderr.starts_with("error: uv failed: what a day error: what a day"));
    assert!(outcome.stderr.len() < 520, "{}", outcome.stderr.len());
}

#[test]
fn uv_output_that_is_not_a_lock_is_refused() {
    let home = Home::new();
    resolving(&home, "echo '<html>no lock</html>'");
    let outcome = home.run(&BUILD).ended_with(1);
    let expected = "error: the lock that uv made of alpha for p3.13 cannot be used\n  \
         caused by: not a pylock.toml\n  caused by: TOML parse error at line 1, column 10\n";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    resolving(&home, "printf '\\377\\376'");
    let expected = "error: could not run uv\n  caused by: it wrote something that is not UTF-8\n";
    refused(&home, 1, &format!("{expected}{AGAIN}"));
    resolving(&home, "yes");
    let expected =
        "error: could not run uv\n  caused by: it wrote more than 64 MiB and was stopped\n";
    refused(&home, 1, &format!("{expected}{AGAIN}"));
}

#[test]
fn lock_without_digests_or_wheels_is_refused() {
    let home = Home::new();
    let sdist = format!(
        "sdist = {{ url = \"http://index.example/alpha-1.tar.gz\", hashes = {{ sha256 = \"{SHA}\" }} }}"
    );
    let wheel =
        "wheels = [{ url = \"http://index.example/alpha-1-py3-none-any.whl\", hashes = {} }]";
    let other = format!(
        "wheels = [{{ url = \"http://index.example/alpha-1-cp313-cp313-win_amd64.whl\", hashes = {{ sha256 = \"{SHA}\" }} }}]"
    );
    for (package, reason) in [
        (
            sdist.as_str(),
            "package alpha is locked to a source distribution; a layer is made of wheels of an index",
        ),
        (
            wheel,
            "wheel alpha-1-py3-none-any.whl has no SHA-256 in the lock, so its bytes could not be \
             verified",
        ),
        (other.as_str(), "none of the 1 wheels of alpha==1 fits p3.13"),
    ] {
        let lock = format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"alpha\"\nversion = \"1\"\n{package}\n"
        );
        home.write("lock", lock);
        resolving(&home, &format!("cat '{}'", home.path("lock").display()));
        let expected = format!(
            "error: the lock that uv made of alpha for p3.13 cannot be used\n  caused by: {reason}\n\
             help: ask for another version, or another index\n"
        );
        refused(&home, 1, &expected);
    }
}

#[test]
fn password_of_an_index_is_not_passed_as_an_argument() {
    let home = Home::new();
    let told = home.path("told");
    let tell = format!("echo \"$UV_DEFAULT_INDEX\" > {}", told.display());
    resolving(&home, &format!("echo \"$@\" >&2; {tell}; exit 2"));
    let index = ["--index-url", "http://user:secret@index.example/simple/"];
    let outcome = home.run(&[&BUILD[..], &index].concat()).ended_with(1);
    assert_eq!(fs::read_to_string(told).unwrap().trim_end(), index[1]);
    assert!(outcome.stderr.contains("pip compile"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
}

/// A pipe that a fake uv, which never ends, and its children hold open. Reading it ends when all of
/// them have ended.
struct Lifeline(PathBuf);

impl Lifeline {
    fn of(home: &Home) -> Self {
        let path = home.path("lifeline");
        mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let script = format!("exec 3>'{}'\necho begun >&3\nsleep 600 &\nwait", path.display());
        resolving(home, &script);
        Self(path)
    }

    /// Waits until uv runs.
    fn begun(&self) -> fs::File {
        let mut held = fs::File::open(&self.0).unwrap();
        let mut said = [0; 6];
        held.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"begun\n");
        held
    }
}

/// Waits until all processes that hold the other end have ended.
fn gone(mut held: fs::File) {
    let mut rest = Vec::new();
    held.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
}

#[test]
fn signal_ends_uv_and_its_children() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let home = Home::new();
        let lifeline = Lifeline::of(&home);
        let child: Child = home.command(&BUILD).spawn().unwrap();
        let held = lifeline.begun();
        kill_process(Pid::from_child(&child), signal).unwrap();
        home.finish(child).refused(code, "");
        gone(held);
        assert!(!home.path("out").exists());
    }
}

#[test]
fn signal_ends_a_build_that_waits_for_another_process() {
    let home = Home::new();
    let digest = "0".repeat(64);
    let lock = format!(
        "lock-version = \"1.0\"\n[[packages]]\nname = \"alpha\"\nversion = \"1\"\nwheels = [{{ \
         url = \"http://127.0.0.1:1/alpha-1-py3-none-any.whl\", hashes = {{ sha256 = \"{digest}\" }} }}]\n"
    );
    home.write("pylock.toml", lock);
    let part = home.write(&format!("caches/klayers/partial/{digest}"), "");
    let part = fs::File::open(part).unwrap();
    part.lock().unwrap();
    let child = home.command(&[&BUILD[..], &["--lock", "pylock.toml"]].concat()).spawn().unwrap();
    // Only its open files show that the build waits; it prints nothing.
    let held = format!("/proc/{}/fd", child.id());
    let waits = || {
        let open = fs::read_dir(&held).into_iter().flatten().flatten();
        open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|file| file.ends_with(&digest))
    };
    let deadline = Instant::now() + Duration::from_mins(1);
    while !waits() {
        assert!(Instant::now() < deadline, "the build never reached the partial file");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    home.finish(child).refused(130, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_uv_is_killed_after_the_deadline() {
    let home = Home::new();
    let lifeline = Lifeline::of(&home);
    let resolver = Resolver::with_uv(&home.path("bin/uv"), Sources::default()).await.unwrap();
    let resolver = resolver.with_timeout(Duration::from_secs(2));
    let runtimes = Runtimes::default();
    let target = target("p3.13");
    let held = tokio::task::spawn_blocking(move || lifeline.begun());
    let error = resolver
        .resolve(&["alpha".parse().unwrap()], target, runtimes.get(target.python).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, ResolveError::Run { tool: "uv", .. }), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it did not end within 2 s and was stopped");
    let held = held.await.unwrap();
    tokio::task::spawn_blocking(|| gone(held)).await.unwrap();
}

#[test]
fn run_whose_uv_fails_leaves_the_catalog_unchanged() {
    let home = Home::new();
    home.collection(&[("p3.12", &["alpha", "beta"])], &["us-east-1"]);
    resolving(&home, "exit 2");
    let outcome = home.run(&["run"]).ended_with(1);
    assert_eq!(
        outcome.stderr,
        "p3.12 alpha: failed\n\
         p3.12 beta: failed\n\
         error: alpha and beta for p3.12: uv failed: it ended with status 2 and said nothing\n\
         help: run the command again; --verbose shows more\n\
         2 layers: 0 built, 0 layer versions published, 0 unchanged, 2 failed\n"
    );
    assert_eq!(home.files("artifacts"), [] as [String; 0]);
    assert_eq!(home.files("published"), [] as [String; 0]);
}
