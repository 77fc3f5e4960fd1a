//! Finding interpreters among real ones and fake ones.

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use klayers_core::PythonVersion;
use klayers_layer::interpreter::{Interpreter, InterpreterError, SearchPath};
use tempfile::TempDir;

use super::pythons::{any_python, pretender};

const PYTHON_3_12: PythonVersion = PythonVersion::new(3, 12);

/// Folders that replace those on `PATH`.
struct Search(TempDir);

impl Search {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn script(&self, path: &str, script: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn search_path(&self) -> SearchPath {
        let folders = ["a", "b", "c", "d", "e"].map(|folder| self.path(folder));
        let system = ["/usr/bin", "/bin"].map(PathBuf::from);
        // Only the programs that scripts need are found, not the machine's interpreters.
        let tools = self.path("tools");
        fs::create_dir_all(&tools).unwrap();
        for tool in ["sleep", "yes", "cat"] {
            let real = system.iter().map(|folder| folder.join(tool)).find(|path| path.exists());
            let _ = symlink(real.unwrap(), tools.join(tool));
        }
        let search = std::env::join_paths(folders.into_iter().chain([tools])).unwrap();
        SearchPath::new(search).with_timeout(Duration::from_secs(10))
    }

    async fn find(&self) -> Option<PathBuf> {
        let found = Interpreter::find(PYTHON_3_12, None, &self.search_path()).await.unwrap();
        found.map(|interpreter| interpreter.path().to_owned())
    }

    /// Returns why a fake interpreter is refused when it is given explicitly.
    async fn refused(&self, program: &Path) -> String {
        let found = Interpreter::find(PYTHON_3_12, Some(program), &self.search_path()).await;
        let error = found.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("could not use {} as Python 3.12", program.display())
        );
        let InterpreterError::Explicit { source, .. } = &error else { panic!("{error:?}") };
        match source.source() {
            Some(cause) => format!("{source}: {cause}"),
            None => source.to_string(),
        }
    }
}

#[tokio::test]
async fn first_interpreter_that_answers_is_chosen() {
    let search = Search::new();
    assert_eq!(search.find().await, None);
    search.script("a/python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127");
    pretender(&search.path("b/python3.12"), &[(2, "3.11.7"), (3, "cpython-311")], "");
    fs::create_dir_all(search.path("c/python3.12")).unwrap();
    assert_eq!(search.find().await, None);
    pretender(&search.path("d/python3.12"), &[], "");
    pretender(&search.path("e/python3.12"), &[], "");
    assert_eq!(search.find().await, Some(search.path("d/python3.12")));
}

#[tokio::test]
async fn hanging_interpreter_is_skipped() {
    let search = Search::new();
    let pid = search.path("pid");
    let hang = format!("sleep 600 & echo $! > '{}'; wait", pid.display());
    search.script("a/python3.12", &hang);
    pretender(&search.path("b/python3.12"), &[], "");
    let search_path = search.search_path().with_timeout(Duration::from_secs(2));
    let found = Interpreter::find(PYTHON_3_12, None, &search_path).await.unwrap().unwrap();
    assert_eq!(found.path(), search.path("b/python3.12"));
    super::faults::gone(&pid);
}

#[tokio::test]
async fn explicit_interpreter_is_used_or_refused() {
    let search = Search::new();
    pretender(&search.path("a/python3.12"), &[], "");
    let good = search.path("elsewhere/python");
    pretender(&good, &[(2, "3.12.0rc2")], "");
    let found = Interpreter::find(PYTHON_3_12, Some(&good), &search.search_path()).await.unwrap();
    assert_eq!(found.as_ref().map(Interpreter::path), Some(good.as_path()));
    assert_eq!(found.unwrap().version().to_string(), "3.12.0rc2");

    let missing = search.path("missing");
    let reason = search.refused(&missing).await;
    assert!(reason.starts_with("it cannot be run: it could not be started"), "{reason}");
}

#[tokio::test]
async fn fake_interpreters_are_refused() {
    let search = Search::new();
    let program = search.path("elsewhere/python");
    for (changed, reason) in [
        (vec![(1, "pypy")], "it is pypy 3.12.1; CPython without ABI flags is needed"),
        (vec![(5, "t")], "it is cpythont 3.12.1; CPython without ABI flags is needed"),
        (vec![(2, "3.13.0")], "it is Python 3.13.0"),
        (vec![(2, "3.1.2")], "it is Python 3.1.2"),
        (
            vec![(3, "cpython-313")],
            "it claims to be Python 3.12.1, but has the cache tag \"cpython-313\", which no Python \
             3.12.1 has",
        ),
        (
            vec![(4, "3571")],
            "it claims to be Python 3.12.1, but has the magic number 3571, which no Python 3.12.1 \
             has",
        ),
        (vec![(0, "hello")], "its answer is not that of CPython: \"hello\\ncpython\\n3.12.1\\n"),
        (vec![(2, "3.12")], "its answer is not that of CPython"),
        (vec![(4, "99999")], "its answer is not that of CPython"),
        (vec![(7, "python3.12")], "its answer is not that of CPython"),
        (
            vec![(7, "/no/such")],
            "it starts /no/such, which answers differently when it is run directly",
        ),
    ] {
        pretender(&program, &changed, "");
        let found = search.refused(&program).await;
        assert!(found.starts_with(reason), "{found}");
    }
    for (script, reason) in [
        ("exit 1", "it fails: it ended with status 1 and said nothing"),
        ("kill -KILL $$", "it fails: it was ended by a signal"),
        ("yes", "it cannot be run: it wrote more than 1 MiB and was stopped"),
        ("printf '\\377'", "it cannot be run: it wrote something that is not UTF-8"),
        ("exit 0", "its answer is not that of CPython: \"\""),
    ] {
        search.script("elsewhere/python", script);
        assert_eq!(search.refused(&program).await, reason);
    }
}

#[tokio::test]
async fn real_interpreter_is_found_behind_links_and_wrappers() {
    let Some(real) = tokio::task::spawn_blocking(any_python).await.unwrap() else { return };
    let search = Search::new();
    let program = real.path().display();
    let link = search.path("link");
    symlink(real.path(), &link).unwrap();
    let wrapper = search.script("wrapper", &format!("exec '{program}' \"$@\""));
    for path in [link, wrapper] {
        let python = real.version().python();
        let found = Interpreter::find(python, Some(&path), &search.search_path()).await.unwrap();
        assert_eq!(found.as_ref(), Some(&real));
    }
}

#[tokio::test]
async fn interpreter_of_uv_is_the_last_resort() {
    let search = Search::new();
    let own = search.path("managed/bin/python3.12");
    pretender(&own, &[], "");
    let asked = search.path("asked");
    search.script("a/uv", "echo 'error: No interpreter found' >&2; exit 2");
    let answer = format!("echo \"$*\" > '{}'; echo '{}'", asked.display(), own.display());
    search.script("b/uv", &answer);
    assert_eq!(search.find().await, Some(own));
    let asked = fs::read_to_string(asked).unwrap();
    for option in ["python find", "--managed-python", "--no-python-downloads", "--offline", "3.12"]
    {
        assert!(asked.contains(option), "{asked}");
    }
    pretender(&search.path("e/python3.12"), &[], "");
    assert_eq!(search.find().await, Some(search.path("e/python3.12")));
}
