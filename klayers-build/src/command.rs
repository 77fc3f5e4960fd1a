//! Running another program: with a deadline, with bounded output, and with all that it started
//! ended when it is given up.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use url::Url;

use crate::secrets::{public, redacted};
use klayers_core::secrets;

/// The most that is shown of what a program said went wrong, in characters.
const LONGEST_EXPLANATION: usize = 4_000;

/// How programs call a disk that is full, or a quota that is used up.
const FULL: [&str; 4] =
    ["No space left on device", "Disk quota exceeded", "(os error 28)", "[Errno 28]"];

/// What to do about a full disk, at the end of what is said of one.
pub(crate) const FULL_DISK_ADVICE: &str = "; free some, and try again";

/// How much a program may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long it may run.
    pub(crate) time: Duration,
    /// How much it may write to each of its outputs, in MiB.
    pub(crate) output_mib: u64,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its exit status; none if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// All that it wrote, or how it ended if it wrote nothing.
    pub(crate) fn said(&self) -> String {
        match (self.stdout.trim(), self.stderr.trim()) {
            ("", "") => self.explanation(),
            ("", said) | (said, "") => redacted(said),
            (out, said) => redacted(&format!("{out}\n{said}")),
        }
    }

    /// What it said went wrong, on one line. Of a full disk that is all that is told: what a program
    /// says around it, such as where its code stands, helps nobody.
    pub(crate) fn explanation(&self) -> String {
        if let Some(full) = full_disk(&self.stderr) {
            return full;
        }
        let words: Vec<&str> = self.stderr.split_whitespace().collect();
        let said = redacted(&words.join(" ").replace(" cause: ", ": "));
        let said = said.trim_start_matches("error: ");
        match (said, self.status) {
            ("", Some(status)) => format!("it ended with status {status} and said nothing"),
            ("", None) => "it was ended by a signal".to_owned(),
            _ => shortened(said, LONGEST_EXPLANATION),
        }
    }
}

/// What a program said of a disk without space, if it said that.
fn full_disk(stderr: &str) -> Option<String> {
    let lines: Vec<&str> = stderr.lines().collect();
    let is_full = |line: &&str| FULL.iter().any(|words| line.contains(words));
    let at = lines.iter().rposition(is_full)?;
    // uv names the file in a line before its cause, Python in the same line.
    let path = lines[..=at].iter().rev().find_map(|line| named_path(line));
    let place = path.map_or_else(String::new, |path| format!(" for {}", shortened(path, 200)));
    Some(format!("the disk is full: there is no space left{place}{FULL_DISK_ADVICE}"))
}

/// The last path in a line that stands in quotes.
fn named_path(line: &str) -> Option<&str> {
    let mut in_quotes = ["`", "'", "\""].into_iter().filter_map(|quote| {
        let parts: Vec<&str> = line.split(quote).collect();
        let mut quoted = parts.into_iter().skip(1).step_by(2);
        quoted.rfind(|part| part.starts_with('/'))
    });
    in_quotes.next_back()
}

/// A text, or the beginning of one that is too long to be shown.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The program that has another one killed when this process dies, whatever it dies of.
pub(crate) fn setpriv() -> &'static str {
    let places = ["/usr/bin/setpriv", "/bin/setpriv"];
    places.into_iter().find(|place| Path::new(place).exists()).unwrap_or("setpriv")
}

/// Whether [`setpriv`] does so here, found by a trial: that of old systems does not know how.
pub(crate) async fn can_tie() -> bool {
    static FOUND: OnceCell<bool> = OnceCell::const_new();
    let tried = async || {
        let mut command = Command::new(setpriv());
        command.args(["--pdeathsig", "KILL", "/bin/sh", "-c", "exit 0"]);
        let bounds = Bounds { time: Duration::from_secs(20), output_mib: 1 };
        let tried = run(&mut command, "", bounds).await;
        tried.is_ok_and(|output| output.status == Some(0))
    };
    *FOUND.get_or_init(tried).await
}

/// `uv`, told to leave alone what does not concern a build: it downloads no interpreter, and the
/// environment that the caller happens to work in does not choose one.
pub(crate) fn uv(program: &Path) -> Command {
    told(Command::new(program))
}

/// The same, killed when this process dies.
pub(crate) async fn tied_uv(program: &Path) -> Command {
    if !can_tie().await {
        return uv(program);
    }
    let mut command = Command::new(setpriv());
    command.args(["--pdeathsig", "KILL"]).arg(program);
    told(command)
}

fn told(mut command: Command) -> Command {
    command
        .env("UV_PYTHON_DOWNLOADS", "never")
        .env("UV_NO_PROGRESS", "1")
        .env("NO_COLOR", "1")
        .env_remove("UV_PYTHON")
        .env_remove("VIRTUAL_ENV")
        .env_remove("FORCE_COLOR");
    command
}

/// Runs a program to its end.
pub(crate) async fn run(
    command: &mut Command,
    input: &str,
    bounds: Bounds,
) -> Result<Output, CommandError> {
    let told = told_urls(command);
    let group = Group::start(command).map_err(CommandError::Start)?;
    let Output { status, stdout, stderr } = attend(group, input, bounds).await?;
    Ok(Output { status, stdout, stderr: without_told(&stderr, &told) })
}

/// What a program said, without what may be secret in the URLs that it was told.
fn without_told(said: &str, told: &[String]) -> String {
    let mut said = said.to_owned();
    let mut malformed = Vec::new();
    for text in told {
        match text.parse::<Url>() {
            // What may be shown of this one is known.
            Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => {
                said = said.replace(text, public(&url).as_str());
            }
            _ => malformed.push(text.as_str()),
        }
    }
    secrets::without(&said, malformed)
}

/// What a program is told by its environment that may be URLs with passwords. A program repeats what
/// it cannot read.
#[expect(
    clippy::disallowed_methods,
    reason = "a program inherits this environment, and shows what it cannot read in it"
)]
fn told_urls(command: &Command) -> Vec<String> {
    let of_command = command.as_std().get_envs().filter_map(|(_, value)| value);
    let of_command = of_command.map(std::ffi::OsStr::to_os_string);
    let all = of_command.chain(std::env::vars_os().map(|(_, value)| value));
    all.filter_map(|value| value.into_string().ok())
        .filter(|value| secrets::may_hold_secret(value))
        .collect()
}

/// Runs a program to its end that a thread of its own starts, after it prepared itself.
///
/// What a thread is restricted to, the programs that it starts are, too. It lives as long as the
/// program: the kernel tells a program that its parent died when the thread ends that started it.
pub(crate) async fn run_apart(
    mut command: Command,
    prepare: impl FnOnce() -> io::Result<()> + Send + 'static,
    input: &str,
    bounds: Bounds,
) -> Result<Output, CommandError> {
    let runtime = tokio::runtime::Handle::current();
    let (started, start) = tokio::sync::oneshot::channel();
    let (alive, ended) = std::sync::mpsc::channel();
    let work = move || {
        let group = prepare().and_then(|()| {
            let _runtime = runtime.enter();
            Group::start(&mut command)
        });
        if started.send(group).is_ok() {
            // Nothing is ever sent: this ends when the other side is dropped.
            let _: Result<(), _> = ended.recv();
        }
    };
    let thread = std::thread::Builder::new().name("confined".to_owned());
    thread.spawn(work).map_err(CommandError::Start)?;
    let group = start.await.map_err(|_| CommandError::Start(io::ErrorKind::Other.into()))?;
    let mut group = group.map_err(CommandError::Start)?;
    group.thread = Some(alive);
    attend(group, input, bounds).await
}

/// Gives a program its input and takes its output until it ends.
async fn attend(mut group: Group, input: &str, bounds: Bounds) -> Result<Output, CommandError> {
    let child = &mut group.child;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let give = async {
            if let Some(mut stdin) = stdin {
                // A program that ends without reading all says so by its status.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            Ok(())
        };
        // What is wrong with one of them ends it all: the others may never come to their end.
        let limit = bounds.output_mib;
        let ((), stdout, stderr) =
            tokio::try_join!(give, read(stdout, limit), read(stderr, limit))?;
        let status = child.wait().await.map_err(CommandError::Start)?.code();
        Ok(Output { status, stdout, stderr })
    };
    tokio::time::timeout(bounds.time, work).await.map_err(|_| CommandError::Timeout(bounds.time))?
}

async fn read(
    stream: Option<impl AsyncRead + Unpin>,
    limit_mib: u64,
) -> Result<String, CommandError> {
    let limit = limit_mib << 20;
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit + 1).read_to_end(&mut bytes).await.map_err(CommandError::Start)?;
    }
    if bytes.len() as u64 > limit {
        return Err(CommandError::Endless { limit_mib });
    }
    String::from_utf8(bytes).map_err(|_| CommandError::NotText)
}

/// A program that is ended, with all that it started, when this is dropped before its end.
#[derive(Debug)]
struct Group {
    child: Child,
    /// Ends the thread that started the program, when this is dropped.
    thread: Option<std::sync::mpsc::Sender<()>>,
}

impl Group {
    /// Starts a program in a process group of its own, with pipes for its input and its output.
    fn start(command: &mut Command) -> io::Result<Self> {
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self { child: command.spawn()?, thread: None })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The id is there only while the program has not been waited for.
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(id) = id {
            // It fails only if the group is gone already.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It could not be started or talked to.
    #[error("it could not be started")]
    Start(#[source] io::Error),
    /// It took too long.
    #[error("it did not end within {} s and was stopped", .0.as_secs())]
    Timeout(Duration),
    /// It wrote more than anybody needs.
    #[error("it wrote more than {limit_mib} MiB and was stopped")]
    Endless {
        /// How much it may write, in MiB.
        limit_mib: u64,
    },
    /// It failed.
    #[error("it failed: {0}")]
    Failed(String),
    /// It wrote something else than text.
    #[error("it wrote something that is not UTF-8")]
    NotText,
}

impl CommandError {
    /// Whether the program is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Start(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, timeout: Duration) -> Result<Output, CommandError> {
        let bounds = Bounds { time: timeout, output_mib: 1 };
        run(Command::new("sh").args(["-c", script]), "in\n", bounds).await
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn input_and_outputs_are_passed_on() {
        let output = shell("cat; echo 'error: no\n  such' >&2; exit 3", LONG).await.expect("run");
        assert_eq!(output.stdout, "in\n");
        assert_eq!(output.status, Some(3));
        assert_eq!(output.explanation(), "no such");
    }

    #[test]
    fn a_full_disk_is_told_without_what_stands_around_it() {
        let explained = |stderr: &str| {
            let (stdout, stderr) = (String::new(), stderr.to_owned());
            Output { status: Some(1), stdout, stderr }.explanation()
        };
        let told = |place: &str| {
            format!("the disk is full: there is no space left{place}; free some, and try again")
        };
        let python = "Traceback (most recent call last):\n  File \"<string>\", line 9, in <module>\n\
                      OSError: [Errno 28] No space left on device: '/tmp/x/python/a.py'\n";
        assert_eq!(explained(python), told(" for /tmp/x/python/a.py"));
        let uv = "error: Failed to write to `/c/uv/built.whl`\n  \
                  cause: No space left on device (os error 28)\n";
        assert_eq!(explained(uv), told(" for /c/uv/built.whl"));
        assert_eq!(explained("OSError: [Errno 122] Disk quota exceeded"), told(""));
        assert_eq!(explained("error: no such package"), "no such package");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("child");
        let script = format!("(sleep 600 & echo $! > {}; wait)", file.display());
        let outcome = shell(&script, Duration::from_millis(500)).await;
        assert!(matches!(outcome, Err(CommandError::Timeout(_))), "{outcome:?}");
        let child = std::fs::read_to_string(&file).expect("it had started");
        let status = format!("/proc/{}/stat", child.trim());
        for _ in 0..100 {
            // An ended process that nobody has waited for yet is a zombie.
            let ended = std::fs::read_to_string(&status).map_or(true, |stat| stat.contains(" Z "));
            if ended {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("process {child} lives on");
    }

    #[tokio::test]
    async fn endless_output_and_rubbish_are_refused() {
        assert!(matches!(shell("yes", LONG).await, Err(CommandError::Endless { limit_mib: 1 })));
        let stubborn = "trap '' PIPE; (exec sleep 600 >&2) & while :; do printf '%65536d'; done";
        assert!(matches!(shell(stubborn, LONG).await, Err(CommandError::Endless { limit_mib: 1 })));
        assert!(matches!(shell("printf '\\377'", LONG).await, Err(CommandError::NotText)));
        let bounds = Bounds { time: LONG, output_mib: 1 };
        let missing = run(&mut Command::new("no-such-program"), "", bounds).await;
        assert!(missing.expect_err("missing").is_not_found());
    }
}
