//! Interpreters that hang, crash, or return invalid answers while compiling.

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use klayers_core::PythonVersion;
use klayers_layer::bytecode::{BytecodeCache, BytecodeError, Limits, Source, WorkerError};
use klayers_layer::interpreter::{Interpreter, SearchPath};
use klayers_wheel::cached::Inspection;
use tempfile::TempDir;

use super::pythons::pretender;
use super::{sources, wheel};

const LIMITS: Limits =
    Limits { file: Duration::from_secs(20), wheel: Duration::from_mins(1), workers: 1 };

/// A cache, and a fake interpreter that reports its version and then runs a script.
struct Fault {
    folder: TempDir,
    interpreter: Interpreter,
}

impl Fault {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python");
        pretender(&path, &[], &script.replace("HOME", &folder.path().display().to_string()));
        let python = PythonVersion::new(3, 12);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let search_path = SearchPath::new("");
        let found = Interpreter::find(python, Some(&path), &search_path);
        let interpreter = runtime.block_on(found).unwrap().unwrap();
        Self { folder, interpreter }
    }

    fn compile(&self, limits: Limits, content: &str) -> BytecodeError {
        let cache = BytecodeCache::with_limits(self.folder.path(), limits);
        let files = sources([("pkg/one.py", content), ("pkg/two.py", content)]);
        let error = cache.compile(wheel("a"), &self.interpreter, files).unwrap_err();
        assert_eq!(cache.get(wheel("a"), &self.interpreter, &Inspection::default()).unwrap(), None);
        error
    }

    /// Asserts that compiling fails for a reason and that the error names the program and the file.
    #[track_caller]
    fn fails(&self, limits: Limits, content: &str, reason: &str) {
        let error = self.compile(limits, content);
        let program = self.interpreter.path().display();
        assert_eq!(
            error.to_string(),
            format!(
                "{program} could not compile pkg/one.py; choose another interpreter or turn bytecode off"
            )
        );
        assert_eq!(error.source().unwrap().to_string(), reason);
    }
}

/// Waits until the process whose ID is in a file has ended.
pub(super) fn gone(file: &Path) {
    let pid = fs::read_to_string(file).unwrap();
    let status = format!("/proc/{}/stat", pid.trim());
    for _ in 0..200 {
        // A process that has ended but was not waited for is a zombie.
        if fs::read_to_string(&status).map_or(true, |stat| stat.contains(" Z ")) {
            return;
        }
        sleep(Duration::from_millis(25));
    }
    panic!("process {pid} lives on");
}

#[test]
fn hanging_interpreter_is_killed_with_its_child_processes() {
    let fault = Fault::new("sleep 600 & echo $! > 'HOME/pid'; wait");
    let limits = Limits { file: Duration::from_secs(2), ..LIMITS };
    fault.fails(limits, "", "it did not answer within 2 s and was stopped");
    gone(&fault.folder.path().join("pid"));
}

#[test]
fn interpreter_that_does_not_read_its_input_is_killed() {
    let fault = Fault::new("sleep 600 & echo $! > 'HOME/pid'; wait");
    let limits = Limits { file: Duration::from_secs(2), ..LIMITS };
    let long = "a = 1\n".repeat(100_000);
    fault.fails(limits, &long, "it did not answer within 2 s and was stopped");
    gone(&fault.folder.path().join("pid"));
}

#[test]
fn wheel_that_exceeds_its_time_limit_is_given_up() {
    let fault = Fault::new("exec sleep 600");
    let limits = Limits { wheel: Duration::ZERO, ..LIMITS };
    let error = fault.compile(limits, "");
    assert!(matches!(error, BytecodeError::Timeout { .. }), "{error:?}");
    let limits = Limits { wheel: Duration::from_secs(1), ..LIMITS };
    let error = fault.compile(limits, "");
    let BytecodeError::Compile { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(source, WorkerError::Timeout(_)), "{source:?}");
}

#[test]
fn crashed_interpreter_is_reported_with_its_status() {
    for (script, reason) in [
        ("exit 3", "it ended with status 3 before it answered"),
        ("exit 0", "it ended with status 0 before it answered"),
        ("kill -SEGV $$", "signal 11 ended it before it answered"),
        ("printf 'c\\0\\0\\0\\11cut'", "it ended with status 0 before it answered"),
        ("exec >&-; sleep 600", "it closed its output before it answered"),
    ] {
        Fault::new(script).fails(LIMITS, "", reason);
    }
}

#[test]
fn invalid_answers_are_refused() {
    for (script, reason) in [
        ("echo hello; sleep 600", "its output is not an answer: it starts with an unknown byte"),
        ("yes", "its output is not an answer: it starts with an unknown byte"),
        ("yes ccccccccc", "its output is not an answer: it would be longer than 256 MiB"),
        (
            "printf 'n\\0\\0\\0\\1xy'; sleep 600",
            "its output is not an answer: more bytes follow the answer",
        ),
    ] {
        Fault::new(script).fails(LIMITS, "", reason);
    }
    let long = "a = 1\n".repeat(100_000);
    let reason = "its output is not an answer: it came before the request was read";
    Fault::new("printf 'n\\0\\0\\0\\1x'; sleep 600").fails(LIMITS, &long, reason);
}

#[test]
fn bytecode_of_another_version_is_refused() {
    let of = "its answer is not the bytecode of this file";
    for (answer, reason) in [
        ("c\\0\\0\\0\\4\\313\\15\\r\\n", "it is cut off"),
        // First the magic number of Python 3.13, then flags that request a check of the hash.
        ("c\\0\\0\\0\\20\\363\\15\\r\\n\\1\\0\\0\\0hashhash", "it has another magic number"),
        (
            "c\\0\\0\\0\\20\\313\\15\\r\\n\\3\\0\\0\\0hashhash",
            "its flags are not those of an unchecked hash",
        ),
        ("c\\0\\0\\0\\20\\313\\15\\r\\n\\1\\0\\0\\0hashhash", "it is cut off"),
        ("c\\0\\0\\0\\21\\313\\15\\r\\n\\1\\0\\0\\0hashhashN", "it is not code"),
        ("c\\0\\0\\0\\22\\313\\15\\r\\n\\1\\0\\0\\0hashhashNN", "other bytes follow it"),
    ] {
        let script = format!("printf '{answer}'; sleep 600");
        Fault::new(&script).fails(LIMITS, "", &format!("{of}: {reason}"));
    }
}

#[test]
fn failed_interpreter_is_not_used_again() {
    // It crashes at the first file. After a restart it refuses every file.
    let script = "if mkdir HOME/once 2>&-; then exit 1; fi; \
                  while head -c 8 >&2 && head -c 27 >&2; do printf 'n\\0\\0\\0\\2no'; done";
    let fault = Fault::new(script);
    let cache = BytecodeCache::with_limits(fault.folder.path(), LIMITS);
    let source = || [Ok(Source { path: "pkg/one.py".to_owned(), content: b"a = 1".to_vec() })];
    cache.compile(wheel("a"), &fault.interpreter, source()).unwrap_err();
    let pack = cache.compile(wheel("a"), &fault.interpreter, source()).unwrap();
    assert_eq!(pack.skipped[0].reason, "no");
}
