//! Compiles the Python files of a wheel to bytecode, once for each release of Python.
//!
//! `/opt` is read-only in a Lambda function. Without bytecode in the layer, Python compiles every
//! imported module at each cold start.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use klayers_core::Digest;

mod marshal;
mod pack;
mod pyc;
mod worker;
mod workers;

pub use pack::{Pack, PackedFile, Skipped};
pub use pyc::pyc_path;
pub use worker::WorkerError;

use crate::interpreter::Interpreter;
use klayers_wheel::cached::Inspection;
pub(crate) use pack::{PackPath, Stream, Writer};
use worker::Answer;
use workers::Workers;

/// Stack size of threads that read bytecode, in bytes: enough for the deepest accepted nesting.
const STACK: usize = 16 << 20;

/// A Python file of a wheel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The path below the layer's `python` folder.
    pub path: String,
    /// The source code.
    pub content: Vec<u8>,
}

/// Limits for compiling.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Time limit for one file.
    pub file: Duration,
    /// Time limit for all files of a wheel.
    pub wheel: Duration,
    /// Number of interpreters that run at the same time.
    pub workers: usize,
}

impl Default for Limits {
    /// One minute for a file, half an hour for a wheel, and one interpreter for each core.
    fn default() -> Self {
        Self {
            file: Duration::from_mins(1),
            wheel: Duration::from_mins(30),
            workers: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The cache of bytecode packs, and the interpreters that create them. The interpreters keep
/// running until this value is dropped.
#[derive(Debug)]
pub struct BytecodeCache {
    folder: PathBuf,
    limits: Limits,
    workers: Workers,
}

impl BytecodeCache {
    /// Opens the packs in a cache folder. The folder need not exist yet.
    pub fn open(cache: &Path) -> Self {
        Self::with_limits(cache, Limits::default())
    }

    /// Like [`open`](Self::open), with other limits.
    pub fn with_limits(cache: &Path, limits: Limits) -> Self {
        let workers = Workers::new(limits.workers.max(1));
        Self { folder: cache.join("bytecode"), limits, workers }
    }

    /// Returns the bytecode of a wheel, if the same release of Python compiled it before.
    ///
    /// # Errors
    ///
    /// If a cached file exists but cannot be read.
    pub fn get(
        &self,
        wheel: Digest,
        interpreter: &Interpreter,
        inspection: &Inspection,
    ) -> Result<Option<Pack>, BytecodeError> {
        let place = self.place(wheel, interpreter);
        place.get(inspection).map_err(|source| BytecodeError::Read { path: place.pack, source })
    }

    /// Compiles a wheel's files and stores the pack in the cache. Files without a [`pyc_path`] are
    /// ignored. The sources are read one after the other while others are being compiled. Their
    /// code is not run.
    ///
    /// The result is the same each time, on any machine: it depends only on the sources, their
    /// order, and the release of Python.
    ///
    /// # Errors
    ///
    /// If a source cannot be read, if the interpreter fails, or if the cache cannot be written. A
    /// source that is not valid Python is no error; the pack lists it as skipped.
    pub fn compile(
        &self,
        wheel: Digest,
        interpreter: &Interpreter,
        sources: impl IntoIterator<Item = io::Result<Source>>,
    ) -> Result<Pack, BytecodeError> {
        let place = self.place(wheel, interpreter);
        let until = Instant::now() + self.limits.wheel;
        let run =
            Run { cache: self, wheel, interpreter, until, failed: AtomicUsize::new(usize::MAX) };
        let write = |source| BytecodeError::Write { path: place.pack.clone(), source };
        let mut pack = Writer::new(&place).map_err(write)?;
        run.all(sources, |path, outcome| match outcome {
            Outcome::Compiled(stream) => pack.add(path, &stream).map_err(write),
            Outcome::NotCompiled(reason) => {
                pack.skip(path, reason);
                Ok(())
            }
        })?;
        pack.keep().map_err(write)
    }

    fn place(&self, wheel: Digest, interpreter: &Interpreter) -> PackPath {
        PackPath::new(&self.folder, format!("{wheel}-cpython-{}", interpreter.version()))
    }
}

/// The compiling of one wheel.
struct Run<'a> {
    cache: &'a BytecodeCache,
    wheel: Digest,
    interpreter: &'a Interpreter,
    until: Instant,
    /// The number of the first file that has failed. Files after it are not started; files before
    /// it are, so that the reported error is always that of the first failing file.
    failed: AtomicUsize,
}

/// The outcome of compiling a source.
enum Outcome {
    Compiled(Stream),
    NotCompiled(String),
}

/// A source to compile, the path of its bytecode, and the channel for the outcome.
struct Job {
    number: usize,
    source: Source,
    path: String,
    done: SyncSender<Result<(String, Outcome), BytecodeError>>,
}

impl Run<'_> {
    /// Compiles sources on several threads and passes on the outcomes in the order of the sources.
    /// Only a few sources are in memory at a time.
    fn all(
        &self,
        sources: impl IntoIterator<Item = io::Result<Source>>,
        mut hand_over: impl FnMut(String, Outcome) -> Result<(), BytecodeError>,
    ) -> Result<(), BytecodeError> {
        // While one thread waits for an interpreter, another checks and compresses.
        let threads = self.cache.workers.limit() * 2;
        let (jobs, queue) = sync_channel(0);
        let queue = Mutex::new(queue);
        thread::scope(|scope| {
            for _ in 0..threads {
                thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, || self.work(&queue))
                    .map_err(BytecodeError::Thread)?;
            }
            let mut waiting: VecDeque<Receiver<_>> = VecDeque::new();
            let mut next = |waiting: &mut VecDeque<Receiver<_>>| match waiting.pop_front() {
                Some(first) => {
                    let (path, outcome) = first.recv().map_err(|_| BytecodeError::Lost)??;
                    hand_over(path, outcome)
                }
                None => Ok(()),
            };
            // Dropped at the end of this scope, so that the threads end.
            let jobs = jobs;
            for (number, source) in sources.into_iter().enumerate() {
                let source = source.map_err(|source| self.unreadable(source))?;
                let Some(path) = pyc_path(&source.path, self.interpreter.version().python()) else {
                    continue;
                };
                while waiting.len() > threads {
                    next(&mut waiting)?;
                }
                let (done, outcome) = sync_channel(1);
                jobs.send(Job { number, source, path, done }).map_err(|_| BytecodeError::Lost)?;
                waiting.push_back(outcome);
            }
            while !waiting.is_empty() {
                next(&mut waiting)?;
            }
            Ok(())
        })
    }

    fn work(&self, queue: &Mutex<Receiver<Job>>) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { number, source, path, done }) = job else { return };
            if number > self.failed.load(Ordering::Relaxed) {
                continue;
            }
            let outcome = self.one(source, path);
            if outcome.is_err() {
                self.failed.fetch_min(number, Ordering::Relaxed);
            }
            // The receiver is gone if another file has failed.
            let _ = done.send(outcome);
        }
    }

    fn one(&self, source: Source, path: String) -> Result<(String, Outcome), BytecodeError> {
        if pyc::is_too_long(&path) {
            let reason = "the name of its bytecode would be too long".to_owned();
            return Ok((source.path, Outcome::NotCompiled(reason)));
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let (wheel, limit) = (self.wheel, self.cache.limits.wheel);
            return Err(BytecodeError::Timeout { wheel, limit });
        }
        let time = self.cache.limits.file.min(left);
        let name = pyc::file_name(&source.path);
        let answer = self
            .cache
            .workers
            .with(self.interpreter, |worker| {
                let answer = worker.compile(&name, &source.content, time)?;
                pyc::checked(answer, self.interpreter, &name)
            })
            .map_err(|failure| BytecodeError::Compile {
                interpreter: self.interpreter.path().to_owned(),
                file: source.path.clone(),
                source: failure,
            })?;
        Ok(match answer {
            Answer::Compiled(pyc) => (path, Outcome::Compiled(Stream::new(pyc))),
            Answer::NotCompiled(reason) => (source.path, Outcome::NotCompiled(reason)),
        })
    }

    fn unreadable(&self, source: io::Error) -> BytecodeError {
        BytecodeError::Source { wheel: self.wheel, source }
    }
}

/// Why a wheel could not be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BytecodeError {
    /// The interpreter failed or returned something other than bytecode.
    #[error(
        "{} could not compile {file}; choose another interpreter or turn bytecode off",
        interpreter.display()
    )]
    Compile {
        /// The interpreter.
        interpreter: PathBuf,
        /// The file to compile.
        file: String,
        /// The cause.
        source: WorkerError,
    },
    /// Compiling the wheel took too long.
    #[error("could not compile the wheel {wheel} within {} s", limit.as_secs())]
    Timeout {
        /// SHA-256 of the wheel.
        wheel: Digest,
        /// The time limit.
        limit: Duration,
    },
    /// A source could not be read.
    #[error("could not read the Python files of the wheel {wheel}")]
    Source {
        /// SHA-256 of the wheel.
        wheel: Digest,
        /// The cause.
        source: io::Error,
    },
    /// A cached file could not be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A cached file could not be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The system could not start another thread.
    #[error("could not start a thread for compiling")]
    Thread(#[source] io::Error),
    /// A thread ended early, which is a bug in this program.
    #[error("a compiling thread ended unexpectedly, which is a bug")]
    Lost,
}
