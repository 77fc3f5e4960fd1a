use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::interpreter::Interpreter;

/// The script that the interpreter runs.
const SCRIPT: &str = include_str!("worker.py");
/// Size limit for an answer, in bytes. The bytecode of the largest known modules has a few MiB.
const MAX_ANSWER: usize = 256 << 20;
/// Size of an answer's header, in bytes: one byte for its kind, four for its length.
const ANSWER_HEADER: usize = 5;

/// A running interpreter that compiles sources. Dropping this kills it and all processes that it
/// started.
#[derive(Debug)]
pub(super) struct Worker {
    interpreter: Interpreter,
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

/// A worker's answer for one source.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// The bytes of a `.pyc` file, not yet checked.
    Compiled(Vec<u8>),
    /// The source could not be compiled, for this reason.
    NotCompiled(String),
}

impl Worker {
    pub(super) fn start(interpreter: &Interpreter) -> Result<Self, WorkerError> {
        let mut child = Command::new(interpreter.path())
            .args(["-s", "-S", "-B", "-W", "ignore", "-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            // It determines the order of sets, and with it the bytecode of some Python releases.
            .env("PYTHONHASHSEED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(WorkerError::Start)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(WorkerError::Start(ErrorKind::BrokenPipe.into()));
        };
        let worker = Self { interpreter: interpreter.clone(), child, stdin, stdout };
        worker.unblock().map_err(|errno| WorkerError::Start(errno.into()))?;
        Ok(worker)
    }

    /// Makes both pipes non-blocking. A worker that does not read may write, and the reverse, so
    /// both are waited for at the same time.
    fn unblock(&self) -> Result<(), Errno> {
        fcntl_setfl(&self.stdin, fcntl_getfl(&self.stdin)? | OFlags::NONBLOCK)?;
        fcntl_setfl(&self.stdout, fcntl_getfl(&self.stdout)? | OFlags::NONBLOCK)
    }

    pub(super) fn interpreter(&self) -> &Interpreter {
        &self.interpreter
    }

    /// Compiles a source under a file name. After an error the worker must not be used again.
    pub(super) fn compile(
        &mut self,
        name: &str,
        source: &[u8],
        time: Duration,
    ) -> Result<Answer, WorkerError> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| WorkerError::TooLong);
        let mut request = Vec::with_capacity(8 + name.len() + source.len());
        request.extend(length(name.as_bytes())?.to_be_bytes());
        request.extend(length(source)?.to_be_bytes());
        request.extend(name.as_bytes());
        request.extend(source);
        let answer = self.exchange(&request, time)?;
        let content = &answer[ANSWER_HEADER..];
        match answer[0] {
            b'c' => Ok(Answer::Compiled(content.to_vec())),
            b'n' => Ok(Answer::NotCompiled(String::from_utf8_lossy(content).into_owned())),
            _ => Err(WorkerError::Rubbish("it starts with an unknown byte")),
        }
    }

    /// Sends a request and reads one complete answer.
    fn exchange(&mut self, mut request: &[u8], time: Duration) -> Result<Vec<u8>, WorkerError> {
        let until = Instant::now() + time;
        let mut answer = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        while !is_whole(&answer)? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(WorkerError::Timeout(time));
            }
            let (writable, readable) = self.ready(!request.is_empty(), left)?;
            if writable {
                match self.stdin.write(request) {
                    Ok(written) => request = &request[written..],
                    Err(error) if is_transient(&error) => {}
                    // The worker closed its input. The end of its output will show why.
                    Err(_) => request = &[],
                }
            }
            if readable {
                match self.stdout.read(&mut chunk) {
                    Ok(0) => return Err(WorkerError::Ended(self.how_it_ended())),
                    Ok(read) => answer.extend(&chunk[..read]),
                    Err(error) if is_transient(&error) => {}
                    Err(error) => return Err(WorkerError::Talk(error)),
                }
            }
        }
        if request.is_empty() {
            Ok(answer)
        } else {
            Err(WorkerError::Rubbish("it came before the request was read"))
        }
    }

    /// Waits until the worker's input is writable (if `write`) or its output is readable. Returns
    /// (writable, readable).
    fn ready(&self, write: bool, time: Duration) -> Result<(bool, bool), WorkerError> {
        let time = Timespec::try_from(time).ok();
        let mut pipes = vec![PollFd::new(&self.stdout, PollFlags::IN)];
        if write {
            pipes.push(PollFd::new(&self.stdin, PollFlags::OUT));
        }
        match poll(&mut pipes, time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(WorkerError::Talk(errno.into())),
        }
        let ready = |at: usize| pipes.get(at).is_some_and(|pipe| !pipe.revents().is_empty());
        Ok((ready(1), ready(0)))
    }

    /// Describes how the worker ended. Waits a moment, since the output closes a little before the
    /// process ends. `NOWAIT` leaves the process as a zombie, so that its process ID and group ID
    /// are not reused before the group is killed.
    fn how_it_ended(&self) -> String {
        let child = Pid::from_child(&self.child);
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        for _ in 0..50 {
            if let Ok(Some(status)) = waitid(WaitId::Pid(child), look) {
                return match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => format!("it ended with status {code}"),
                    (None, Some(signal)) => format!("signal {signal} ended it"),
                    (None, None) => "it ended".to_owned(),
                };
            }
            sleep(Duration::from_millis(10));
        }
        "it closed its output".to_owned()
    }
}

/// Whether the answer is complete. Fails if other bytes follow it.
fn is_whole(answer: &[u8]) -> Result<bool, WorkerError> {
    let Some((head, content)) = answer.split_first_chunk::<ANSWER_HEADER>() else {
        return Ok(false);
    };
    let [kind, length @ ..] = *head;
    if !matches!(kind, b'c' | b'n') {
        return Err(WorkerError::Rubbish("it starts with an unknown byte"));
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_ANSWER {
        return Err(WorkerError::Rubbish("it would be longer than 256 MiB"));
    }
    if content.len() > length {
        return Err(WorkerError::Rubbish("more bytes follow the answer"));
    }
    Ok(content.len() == length)
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails only if the group has already ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Why an interpreter could not compile a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The interpreter could not be started.
    #[error("it could not be started")]
    Start(#[source] io::Error),
    /// The pipes to the interpreter failed.
    #[error("could not communicate with it")]
    Talk(#[source] io::Error),
    /// The interpreter ended without an answer.
    #[error("{0} before it answered")]
    Ended(String),
    /// The interpreter took too long.
    #[error("it did not answer within {} s and was stopped", .0.as_secs())]
    Timeout(Duration),
    /// The output of the interpreter is not a valid answer.
    #[error("its output is not an answer: {0}")]
    Rubbish(&'static str),
    /// The answer is not bytecode, or is the bytecode of something else.
    #[error("its answer is not the bytecode of this file: {0}")]
    Bytecode(&'static str),
    /// The source is longer than 4 GiB.
    #[error("the source is longer than 4 GiB")]
    TooLong,
}
