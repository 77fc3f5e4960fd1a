//! Tests what untrusted code can reach: each promise of docs/confinement.md, as the user who runs
//! the tests and as another user, with all mechanisms of this kernel and with fewer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use klayers_core::{Architecture, PythonVersion, Runtime, Target};
use klayers_layer::confine::{Confinement, Gap, Options};
use klayers_layer::gate::{ImportCheck, ImportReport, ModuleOutcome};
use rustix::process::geteuid;
use serde_json::json;

use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};
use crate::support::process::{runs, wait_until};

const COMMAND: &str = env!("CARGO_BIN_EXE_klayers-pipeline");
const MISDEEDS: &str = include_str!("confinement/misdeeds.py");

/// All mechanisms, and subsets of them as on other systems.
fn levels() -> BTreeMap<&'static str, Options> {
    let (executable, none) = (Some(PathBuf::from(COMMAND)), None);
    let all = |trampoline: &Option<PathBuf>| Options {
        trampoline: trampoline.clone(),
        namespaces: true,
        landlock: true,
        system_calls: true,
    };
    let refused = |trampoline| Options { namespaces: false, ..all(trampoline) };
    BTreeMap::from([
        ("everything", all(&executable)),
        ("no Landlock", Options { landlock: false, ..all(&executable) }),
        ("namespaces alone", Options { landlock: false, system_calls: false, ..all(&executable) }),
        ("no namespaces", refused(&executable)),
        ("Landlock alone", Options { system_calls: false, ..refused(&executable) }),
        ("a filter alone", Options { landlock: false, ..refused(&executable) }),
        ("no executable", all(&none)),
        ("no executable, no namespaces", refused(&none)),
        (
            "no executable, namespaces alone",
            Options { landlock: false, system_calls: false, ..all(&none) },
        ),
        ("nothing", Options { landlock: false, system_calls: false, ..refused(&none) }),
    ])
}

/// The Python that this user can run, and its target.
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

/// Imports the only module of a layer.
async fn import(confinement: &Confinement, interpreter: &Path, source: &str) -> ModuleOutcome {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("python")).unwrap();
    fs::write(folder.path().join("python/m.py"), source).unwrap();
    let (_, target) = python();
    let runtime = Runtime {
        python: target.python,
        os: "a system".to_owned(),
        glibc: "2.17".parse().unwrap(),
        deprecated_on: None,
        glibcxx: None,
        cxxabi: None,
        libraries: None,
    };
    let scratch = tempfile::tempdir().unwrap();
    let check = ImportCheck::new(interpreter, scratch.path(), target, &runtime)
        .with_confinement(confinement.clone());
    match check.run(folder.path(), &["m".to_owned()]).await.expect("a report").report {
        ImportReport::Run { modules, gaps, .. } => {
            assert_eq!(gaps, confinement.gaps());
            modules["m"].clone()
        }
        ImportReport::NotRun { reason } => panic!("not run: {reason}"),
    }
}

fn failure(outcome: ModuleOutcome) -> String {
    match outcome {
        ModuleOutcome::Failed { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

/// A process that is killed at the end of the test.
struct Victim(Child);

impl Victim {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the misdeeds that succeed in a module under this confinement.
async fn misdeeds(confinement: &Confinement) -> BTreeSet<String> {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join(".aws/credentials");
    fs::create_dir(secret.parent().unwrap()).unwrap();
    fs::write(&secret, "secret").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let named = home.path().join("socket");
    let _named = UnixListener::bind(&named).unwrap();
    let name = home.path().file_name().unwrap().to_str().unwrap().to_owned();
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _abstract = UnixListener::bind_addr(&address).unwrap();
    let victim = Victim::new();
    let world = json!({
        "secret": secret,
        "pipeline": std::process::id(),
        "victim": victim.0.id(),
        "tcp": tcp.local_addr().unwrap().port(),
        "udp": udp.local_addr().unwrap().port(),
        "named": named,
        "abstract": name,
    });
    let source = MISDEEDS.replace("WORLD\"\"\"", &format!("{world}\"\"\""));
    let message = failure(import(confinement, &python().0, &source).await);
    let _ = fs::remove_file("/usr/klayers-was-here");
    let _ = fs::remove_dir("/home/sbx_user1051");
    let could = message.strip_prefix("RuntimeError: could:").unwrap_or_else(|| panic!("{message}"));
    let (could, _) = could.split_once('(').unwrap();
    could.split_whitespace().map(str::to_owned).collect()
}

/// The gap that a misdeed requires.
fn needed(misdeed: &str) -> Gap {
    match misdeed {
        "read_command_line" => Gap::Processes,
        "signal" | "trace" => Gap::Signals,
        "use_tcp" => Gap::Network,
        "use_udp" => Gap::Datagrams,
        "use_abstract_socket" | "use_named_socket" | "use_socket_of_machine" => Gap::Sockets,
        _ => Gap::Files,
    }
}

#[tokio::test]
async fn confined_code_can_only_use_the_listed_gaps() {
    for (level, options) in levels() {
        let confinement = Confinement::with(&options).await;
        let (gaps, could) = (confinement.gaps(), misdeeds(&confinement).await);
        let closed = could.iter().filter(|misdeed| !gaps.contains(&needed(misdeed)));
        assert_eq!(closed.collect::<Vec<_>>(), Vec::<&String>::new(), "{level}: {confinement:?}");
        if level == "nothing" {
            // This shows that the other levels prevent something.
            for misdeed in ["read_file", "list_folder", "write_file", "read_command_line", "signal"]
            {
                assert!(could.contains(misdeed), "{misdeed}: {could:?}");
            }
        }
    }
}

/// The machines for development and releases must support all mechanisms; otherwise the test above
/// would prove little.
#[tokio::test]
async fn this_machine_confines_without_gaps() {
    let confinement = Confinement::with(&levels()["everything"]).await;
    if !confinement.gaps().is_empty() {
        crate::support::command::cannot_run(&format!("it has gaps: {:?}", confinement.gaps()));
    }
}

#[tokio::test]
async fn module_sees_what_a_lambda_function_sees() {
    let confinement = Confinement::with(&levels()["everything"]).await;
    if confinement.gaps().contains(&Gap::Place) {
        return;
    }
    let source = "
import errno, os, sys, tempfile
assert __file__ == '/opt/python/m.py', __file__
assert sys.path[0] == '/opt/python', sys.path
assert os.environ['LD_LIBRARY_PATH'] == '/opt/lib'
assert os.getcwd() == '/var/task'
assert not os.path.exists(os.path.expanduser('~'))
assert os.listdir('/tmp') == [] and tempfile.gettempdir() == '/tmp'
space = os.statvfs('/tmp')
assert space.f_blocks * space.f_frsize == 512 << 20
assert {int(name) for name in os.listdir('/proc') if name.isdigit()} == {os.getpid()}
for folder in ('/', '/opt', '/opt/python', '/etc', '/usr', '/var', '/var/task', '/dev', '/home'):
    try:
        open(os.path.join(folder, 'file'), 'w')
    except OSError as error:
        assert error.errno in (errno.EROFS, errno.EACCES, errno.ENOENT), (folder, error)
    else:
        raise AssertionError(folder)
assert not os.path.exists('/sys') and not os.path.exists('/dev/shm')
";
    let outcome = import(&confinement, &python().0, source).await;
    assert_eq!(outcome, ModuleOutcome::Passed);
}

#[tokio::test]
async fn interpreter_in_a_home_is_visible_without_the_home() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("bin")).unwrap();
    let link = home.path().join("bin/python");
    symlink(python().0, &link).unwrap();
    let secret = home.path().join("secret");
    fs::write(&secret, "").unwrap();
    for level in ["everything", "no namespaces"] {
        let confinement = Confinement::with(&levels()[level]).await;
        let source = format!("open({secret:?})");
        let message = failure(import(&confinement, &link, &source).await);
        assert!(message.contains("Error: [Errno"), "{level}: {message}");
    }
}

/// Starts a process that leaves its parent, its group and its session.
const DETACH: &str = "
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv('/bin/sleep', ['sleep', 'MARK'])
    os._exit(0)
import time
time.sleep(0.3)
";

#[tokio::test]
async fn detached_processes_end_with_the_import() {
    for (number, (level, options)) in levels().into_iter().enumerate() {
        let confinement = Confinement::with(&options).await;
        if confinement.gaps().contains(&Gap::Detachment) {
            continue;
        }
        let mark = format!("{}.{}1", 50_000 + std::process::id(), number);
        let outcome = import(&confinement, &python().0, &DETACH.replace("MARK", &mark)).await;
        // If the module may not detach, the attempt is an error.
        if !confinement.gaps().contains(&Gap::Survival) {
            assert_eq!(outcome, ModuleOutcome::Passed, "{level}");
        }
        wait_until(|| !runs(&mark), level);
    }
}

#[test]
fn imported_code_ends_when_the_pipeline_is_killed() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    let mark = format!("{}.5", 60_000 + std::process::id());
    let source = format!("{}\nwhile True: pass", DETACH.replace("MARK", &mark));
    home.wheels(&[WheelFile::new("sample", "1.0").file("sample.py", source)]);
    let python = format!("{}", python().1.python);
    let build = ["build", "sample", "--find-links", "wheels", "--no-index", "--out", "out"];
    let options = ["--bytecode", "off", "--check-imports", "--python", &python];
    let mut pipeline =
        home.command(&[&build[..], &options].concat()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| runs(&mark), "the process never started");
    pipeline.kill().unwrap();
    pipeline.wait().unwrap();
    wait_until(|| !runs(&mark), "the process is still running");
}

#[test]
fn uv_ends_when_the_pipeline_is_killed() {
    let home = Home::new();
    let mark = format!("{}.125", 80_000 + std::process::id());
    home.fake_uv(&format!("[ \"$1\" = --version ] && echo uv 1.0.0 || exec sleep {mark}"));
    let build = ["build", "sample", "--python", "3.12", "--out", "out"];
    let mut pipeline = home.command(&build).spawn().unwrap();
    wait_until(|| runs(&mark), "the process never started");
    pipeline.kill().unwrap();
    pipeline.wait().unwrap();
    wait_until(|| !runs(&mark), "the process is still running");
}

#[test]
fn environment_of_the_pipeline_cannot_be_read() {
    let home = Home::new();
    home.fake_uv("exec sleep 100");
    fs::set_permissions(home.path(""), Permissions::from_mode(0o777)).unwrap();
    let build = ["build", "sample", "--python", "3.12", "--out", "out"];
    let as_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let root = geteuid().is_root();
    let mut command = Command::new(if root { "setpriv" } else { COMMAND });
    if root {
        command.args(as_nobody).arg(COMMAND);
    }
    home.confine(&mut command);
    let mut pipeline = command.args(build).env("AWS_SECRET_ACCESS_KEY", "x").spawn().unwrap();
    // Reads as a process of the same user.
    let read = |file: &str| {
        let mut command = Command::new(if root { "setpriv" } else { "cat" });
        if root {
            command.args(as_nobody).arg("cat");
        }
        let path = format!("/proc/{}/{file}", pipeline.id());
        let output = command.arg(path).stderr(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    wait_until(|| read("cmdline").1.starts_with(COMMAND), "the process never started");
    wait_until(|| !read("environ").0, "the environment can be read");
    assert!(read("status").0);
    assert!(pipeline.try_wait().unwrap().is_none(), "the pipeline has ended");
    pipeline.kill().unwrap();
    pipeline.wait().unwrap();
}

/// The promises must not depend on the user: root runs these tests again as another one.
#[test]
fn promises_hold_for_another_user() {
    if !geteuid().is_root() {
        return;
    }
    for test in [
        "confined_code_can_only_use_the_listed_gaps",
        "module_sees_what_a_lambda_function_sees",
        "detached_processes_end_with_the_import",
    ] {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", &format!("confinement::{test}"), "--nocapture"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{test}: {said}{errors}");
    }
}
