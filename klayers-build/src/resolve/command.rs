//! Running another program: with a deadline, with bounded output, and with all that it started
//! ended when it is given up.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::ResolveError;

/// The most that is read of a program's output, in bytes.
const MOST_OUTPUT: u64 = 64 << 20;
/// The most that is shown of what it said went wrong, in characters.
const LONGEST_EXPLANATION: usize = 4_000;

/// What a program did.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its exit status; none if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    stderr: String,
}

impl Output {
    /// Its output, if it succeeded.
    pub(crate) fn success(self, tool: &'static str) -> Result<String, ResolveError> {
        match self.status {
            Some(0) => Ok(self.stdout),
            _ => Err(ResolveError::Failed { tool, message: self.explanation() }),
        }
    }

    /// What it said went wrong, on one line.
    pub(crate) fn explanation(&self) -> String {
        let words: Vec<&str> = self.stderr.split_whitespace().collect();
        let said = words.join(" ").replace(" cause: ", ": ");
        let said = said.trim_start_matches("error: ");
        match (said, self.status) {
            ("", Some(status)) => format!("it ended with status {status} and said nothing"),
            ("", None) => "it was ended by a signal".to_owned(),
            _ => shortened(said, LONGEST_EXPLANATION),
        }
    }
}

/// A text, or the beginning of one that is too long to be shown.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Runs a program to its end.
pub(crate) async fn run(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    input: &str,
    timeout: Duration,
) -> Result<Output, CommandError> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .env("UV_PYTHON_DOWNLOADS", "never")
        .env("UV_NO_PROGRESS", "1")
        .env("NO_COLOR", "1")
        .env_remove("UV_PYTHON")
        .env_remove("VIRTUAL_ENV")
        .env_remove("FORCE_COLOR")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(CommandError::Start)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut group = Group(child);
    let work = async {
        let give = async {
            if let Some(mut stdin) = stdin {
                // A program that ends without reading all says so by its status.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            Ok(())
        };
        // What is wrong with one of them ends it all: the others may never come to their end.
        let ((), stdout, stderr) = tokio::try_join!(give, read(stdout), read(stderr))?;
        let status = group.0.wait().await.map_err(CommandError::Start)?.code();
        Ok(Output { status, stdout, stderr })
    };
    tokio::time::timeout(timeout, work).await.map_err(|_| CommandError::Timeout(timeout))?
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Result<String, CommandError> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(MOST_OUTPUT + 1).read_to_end(&mut bytes).await.map_err(CommandError::Start)?;
    }
    if bytes.len() as u64 > MOST_OUTPUT {
        return Err(CommandError::Endless);
    }
    String::from_utf8(bytes).map_err(|_| CommandError::NotText)
}

/// A program that is ended, with all that it started, when this is dropped before its end.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // The id is there only while the program has not been waited for.
        let id = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
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
    Start(#[source] std::io::Error),
    /// It took too long.
    #[error("it did not end within {} s and was stopped", .0.as_secs())]
    Timeout(Duration),
    /// It wrote more than anybody needs.
    #[error("it wrote more than 64 MiB and was stopped")]
    Endless,
    /// It wrote something else than text.
    #[error("it wrote something that is not UTF-8")]
    NotText,
}

impl CommandError {
    /// Whether the program is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Start(error) if error.kind() == std::io::ErrorKind::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, timeout: Duration) -> Result<Output, CommandError> {
        run(Path::new("sh"), &["-c", script], &[], "in\n", timeout).await
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn input_and_outputs_are_passed_on() {
        let output = shell("cat; echo 'error: no\n  such' >&2; exit 3", LONG).await.expect("run");
        assert_eq!(output.stdout, "in\n");
        assert_eq!(output.status, Some(3));
        assert_eq!(output.explanation(), "no such");
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
        assert!(matches!(shell("yes", LONG).await, Err(CommandError::Endless)));
        let stubborn = "trap '' PIPE; (exec sleep 600 >&2) & while :; do printf '%65536d'; done";
        assert!(matches!(shell(stubborn, LONG).await, Err(CommandError::Endless)));
        assert!(matches!(shell("printf '\\377'", LONG).await, Err(CommandError::NotText)));
        let missing = run(Path::new("no-such-program"), &[], &[], "", LONG).await;
        assert!(missing.expect_err("missing").is_not_found());
    }
}
