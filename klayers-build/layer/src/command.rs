//! Runs other programs: with a deadline, with limited output, and in a process group that is killed
//! as a whole.

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

/// Longest explanation of a program's failure, in characters.
const LONGEST_EXPLANATION: usize = 4_000;

/// What programs print about a full disk or an exhausted quota.
const FULL: [&str; 4] =
    ["No space left on device", "Disk quota exceeded", "(os error 28)", "[Errno 28]"];

/// Advice at the end of a message about a full disk.
pub const FULL_DISK_ADVICE: &str = "; free some, and try again";

/// Limits for a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The deadline.
    pub(crate) time: Duration,
    /// Most output on each of stdout and stderr, in MiB.
    pub(crate) output_mib: u64,
}

/// The outcome of a program.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit status. None if a signal ended the program.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Returns all output, or how the program ended if there is none.
    pub(crate) fn combined_output(&self) -> String {
        match (self.stdout.trim(), self.stderr.trim()) {
            ("", "") => self.explanation(),
            ("", said) | (said, "") => redacted(said),
            (out, said) => redacted(&format!("{out}\n{said}")),
        }
    }

    /// Returns the program's explanation of its failure, on one line. If the disk is full, returns
    /// only that: a traceback around it does not help.
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

/// Returns a message if a program's output says that the disk is full.
fn full_disk(stderr: &str) -> Option<String> {
    let lines: Vec<&str> = stderr.lines().collect();
    let is_full = |line: &&str| FULL.iter().any(|words| line.contains(words));
    let at = lines.iter().rposition(is_full)?;
    // uv names the file in a line before its cause, Python in the same line.
    let path = lines[..=at].iter().rev().find_map(|line| named_path(line));
    let place = path.map_or_else(String::new, |path| format!(" for {}", shortened(path, 200)));
    Some(format!("the disk is full: there is no space left{place}{FULL_DISK_ADVICE}"))
}

/// Returns the last quoted path in a line.
fn named_path(line: &str) -> Option<&str> {
    let mut in_quotes = ["`", "'", "\""].into_iter().filter_map(|quote| {
        let parts: Vec<&str> = line.split(quote).collect();
        let mut quoted = parts.into_iter().skip(1).step_by(2);
        quoted.rfind(|part| part.starts_with('/'))
    });
    in_quotes.next_back()
}

/// Shortens a text that is too long to be shown.
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The tool that has a program killed when this process dies, for whatever reason.
pub(crate) fn setpriv() -> &'static str {
    let places = ["/usr/bin/setpriv", "/bin/setpriv"];
    places.into_iter().find(|place| Path::new(place).exists()).unwrap_or("setpriv")
}

/// Whether [`setpriv`] works for that here, found by trial: old versions lack the option.
pub(crate) async fn can_kill_with_parent() -> bool {
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

/// A command for `uv`, isolated from the user's environment: uv downloads no interpreter, and
/// neither an active virtual environment nor `UV_PYTHON` chooses one.
pub(crate) fn uv(program: &Path) -> Command {
    isolated(Command::new(program))
}

/// Like [`uv`], but killed when this process dies.
pub(crate) async fn uv_killed_with_parent(program: &Path) -> Command {
    if !can_kill_with_parent().await {
        return uv(program);
    }
    let mut command = Command::new(setpriv());
    command.args(["--pdeathsig", "KILL"]).arg(program);
    isolated(command)
}

fn isolated(mut command: Command) -> Command {
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
    let given = values_with_secrets(command);
    let group = ProcessGroup::start(command).map_err(CommandError::Start)?;
    let Output { status, stdout, stderr } = communicate(group, input, bounds).await?;
    Ok(Output { status, stdout, stderr: without_secrets(&stderr, &given) })
}

/// Removes secrets from a program's output, if they come from URLs that the program was given.
fn without_secrets(output: &str, given: &[String]) -> String {
    let mut output = output.to_owned();
    let mut malformed = Vec::new();
    for text in given {
        match text.parse::<Url>() {
            // Of a valid URL, the public part may be shown.
            Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => {
                output = output.replace(text, public(&url).as_str());
            }
            _ => malformed.push(text.as_str()),
        }
    }
    secrets::hide_in_message(&output, malformed)
}

/// Returns values of a program's environment that may be URLs with passwords. Programs repeat
/// values that they cannot parse.
#[expect(
    clippy::disallowed_methods,
    reason = "a program inherits this environment, and shows what it cannot read in it"
)]
fn values_with_secrets(command: &Command) -> Vec<String> {
    let of_command = command.as_std().get_envs().filter_map(|(_, value)| value);
    let of_command = of_command.map(std::ffi::OsStr::to_os_string);
    let all = of_command.chain(std::env::vars_os().map(|(_, value)| value));
    all.filter_map(|value| value.into_string().ok())
        .filter(|value| secrets::may_contain_secret(value))
        .collect()
}

/// Runs a program to its end that a separate thread starts, after `prepare` ran on that thread.
///
/// Programs inherit the restrictions of the thread that starts them. The thread lives as long as
/// the program: the kernel sends the parent-death signal when the starting thread ends.
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
            ProcessGroup::start(&mut command)
        });
        if started.send(group).is_ok() {
            // Nothing is ever sent: this returns when the other side is dropped.
            let _: Result<(), _> = ended.recv();
        }
    };
    let thread = std::thread::Builder::new().name("confined".to_owned());
    thread.spawn(work).map_err(CommandError::Start)?;
    let group = start.await.map_err(|_| CommandError::Start(io::ErrorKind::Other.into()))?;
    let mut group = group.map_err(CommandError::Start)?;
    group.thread = Some(alive);
    communicate(group, input, bounds).await
}

/// Writes a program's input and reads its output until it ends.
async fn communicate(
    mut group: ProcessGroup,
    input: &str,
    bounds: Bounds,
) -> Result<Output, CommandError> {
    let child = &mut group.child;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let give = async {
            if let Some(mut stdin) = stdin {
                // A program that ends without reading all of its input says so by its status.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            Ok(())
        };
        // The first error ends all: the others might never finish.
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
        return Err(CommandError::TooMuchOutput { limit_mib });
    }
    String::from_utf8(bytes).map_err(|_| CommandError::NotText)
}

/// A running program. Dropping this kills its process group.
#[derive(Debug)]
struct ProcessGroup {
    child: Child,
    /// Dropping this ends the thread that started the program.
    thread: Option<std::sync::mpsc::Sender<()>>,
}

impl ProcessGroup {
    /// Starts a program in its own process group, with pipes for its input and output.
    fn start(command: &mut Command) -> io::Result<Self> {
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self { child: command.spawn()?, thread: None })
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The id exists only until the program has been waited for.
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(id) = id {
            // This fails only if the group no longer exists.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The program could not be started, or its pipes failed.
    #[error("it could not be started")]
    Start(#[source] io::Error),
    /// The program exceeded its deadline.
    #[error("it did not end within {} s and was stopped", .0.as_secs())]
    Timeout(Duration),
    /// The program wrote more than the limit.
    #[error("it wrote more than {limit_mib} MiB and was stopped")]
    TooMuchOutput {
        /// The limit, in MiB.
        limit_mib: u64,
    },
    /// The program failed.
    #[error("it failed: {0}")]
    Failed(String),
    /// The program wrote something that is not UTF-8.
    #[error("it wrote something that is not UTF-8")]
    NotText,
}

impl CommandError {
    /// Whether the program does not exist.
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
    async fn input_and_output_are_passed_through() {
        let output = shell("cat; echo 'error: no\n  such' >&2; exit 3", LONG).await.expect("run");
        assert_eq!(output.stdout, "in\n");
        assert_eq!(output.status, Some(3));
        assert_eq!(output.explanation(), "no such");
    }

    #[test]
    fn full_disk_message_omits_the_traceback() {
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
    async fn hanging_program_is_killed_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("child");
        let script = format!("(sleep 600 & echo $! > {}; wait)", file.display());
        let outcome = shell(&script, Duration::from_millis(500)).await;
        assert!(matches!(outcome, Err(CommandError::Timeout(_))), "{outcome:?}");
        let child = std::fs::read_to_string(&file).expect("it had started");
        let status = format!("/proc/{}/stat", child.trim());
        for _ in 0..100 {
            // A dead process that nobody has waited for yet is a zombie.
            let ended = std::fs::read_to_string(&status).map_or(true, |stat| stat.contains(" Z "));
            if ended {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("process {child} lives on");
    }

    #[tokio::test]
    async fn endless_output_and_invalid_utf8_are_refused() {
        assert!(matches!(
            shell("yes", LONG).await,
            Err(CommandError::TooMuchOutput { limit_mib: 1 })
        ));
        let stubborn = "trap '' PIPE; (exec sleep 600 >&2) & while :; do printf '%65536d'; done";
        assert!(matches!(
            shell(stubborn, LONG).await,
            Err(CommandError::TooMuchOutput { limit_mib: 1 })
        ));
        assert!(matches!(shell("printf '\\377'", LONG).await, Err(CommandError::NotText)));
        let bounds = Bounds { time: LONG, output_mib: 1 };
        let missing = run(&mut Command::new("no-such-program"), "", bounds).await;
        assert!(missing.expect_err("missing").is_not_found());
    }
}
