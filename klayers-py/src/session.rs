//! The client behind a `Client` of Python: one per process, with waits that signals can interrupt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use klayers_client::{ClientBuilder, Error, PackageName};
use pyo3::prelude::*;
use pyo3::types::PyString;
use tokio::task::AbortHandle;

use crate::arn_cache::{ArnCache, CallKey};
use crate::error::{closed, no_threads, to_python};
use crate::lookup::{Lookup, Outcome, RegionAndTarget};
use crate::process::Process;
use crate::texts::LayerVersionArn;

/// How often a waiting call checks for signals, such as that of Ctrl-C.
const SIGNAL_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The options of a client, and the client of this process, once it is built.
pub(crate) struct Session {
    builder: ClientBuilder,
    live: ArcSwapOption<Live>,
    closed: AtomicBool,
}

/// A client, and the process whose threads and connections it uses.
struct Live {
    process: Arc<Process>,
    client: klayers_client::Client,
    arns: ArnCache,
}

impl Drop for Live {
    fn drop(&mut self) {
        // A forked process must not close the connections of its parent; a leaked clone keeps them
        // open.
        if !self.process.is_current() {
            std::mem::forget(self.client.clone());
        }
    }
}

impl Session {
    pub(crate) fn new(builder: ClientBuilder) -> Self {
        Self { builder, live: ArcSwapOption::empty(), closed: AtomicBool::new(false) }
    }

    /// Builds the client, which reports invalid options.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py).map(drop)
    }

    /// Closes the connections and drops cached answers.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.live.store(None);
    }

    /// The fresh ARN that an equal call returned before.
    pub(crate) fn arn_of_call<'py>(
        &self,
        py: Python<'py>,
        call: &CallKey,
    ) -> Option<Bound<'py, PyString>> {
        let live = self.live.load();
        live.as_ref().filter(|live| live.process.is_current())?.arns.get(py, call)
    }

    /// The ARN that the client has in its memory cache, still fresh. Remembers the ARN for the call.
    pub(crate) fn cached_arn<'py>(
        &self,
        py: Python<'py>,
        call: Option<CallKey>,
        package: &PackageName,
        place: &RegionAndTarget,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        let Some(live) = self.usable() else { return Ok(None) };
        let kept = live.client.cached_arn(package, &place.region, &place.target);
        let Some((arn, fresh_for)) = kept else { return Ok(None) };
        let arn = LayerVersionArn(arn).into_pyobject(py)?;
        if let Some(call) = call {
            live.arns.insert(call, &arn, fresh_for);
        }
        Ok(Some(arn))
    }

    /// Runs a lookup and waits for its result, while other threads of Python run.
    pub(crate) fn ask(&self, py: Python<'_>, lookup: Lookup) -> PyResult<Outcome> {
        let live = self.live(py)?;
        let (sender, mut receiver) = sync_channel(1);
        let client = live.client.clone();
        let task =
            live.process.runtime().map_err(|error| no_threads(py, error))?.spawn(async move {
                // Fails if the waiting call was interrupted.
                let _ = sender.send(lookup.ask(&client).await);
            });
        loop {
            let answer;
            (receiver, answer) = py.detach(move || {
                let answer = receiver.recv_timeout(SIGNAL_CHECK_INTERVAL);
                (receiver, answer)
            });
            match answer {
                Ok(outcome) => return outcome.map_err(|error| to_python(py, &error)),
                Err(RecvTimeoutError::Disconnected) => return Err(to_python(py, &Error::Stopped)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(interrupt) = py.check_signals() {
                task.abort();
                return Err(interrupt);
            }
            // A signal handler may have forked, and this may be the child.
            if !live.process.is_current() {
                return Err(to_python(py, &Error::Stopped));
            }
        }
    }

    /// Starts a lookup, and calls `settle` with its result on a thread attached to the interpreter.
    pub(crate) fn begin(
        &self,
        py: Python<'_>,
        lookup: Lookup,
        settle: impl FnOnce(Python<'_>, Result<Outcome, Error>) + Send + 'static,
    ) -> PyResult<AbortHandle> {
        let live = self.live(py)?;
        let client = live.client.clone();
        let task =
            live.process.runtime().map_err(|error| no_threads(py, error))?.spawn(async move {
                let outcome = lookup.ask(&client).await;
                // Fails if the interpreter is shutting down; then nobody waits for the answer.
                Python::try_attach(|py| settle(py, outcome));
            });
        Ok(task.abort_handle())
    }

    fn live(&self, py: Python<'_>) -> PyResult<Arc<Live>> {
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(closed(py));
        }
        // Detached: building a client reads the system's certificates, and waits for other threads
        // that build one.
        py.detach(|| self.build()).map_err(|error| to_python(py, &error))
    }

    fn usable(&self) -> Option<Arc<Live>> {
        self.live.load_full().filter(|live| live.process.is_current())
    }

    fn build(&self) -> Result<Arc<Live>, Error> {
        let process = Process::current();
        let _guard = process.creation_lock();
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        let client = self.builder.clone().build()?;
        let live =
            Arc::new(Live { process: Arc::clone(&process), client, arns: ArnCache::default() });
        self.live.store(Some(Arc::clone(&live)));
        Ok(live)
    }
}
