//! A client of the SDK's as Python needs it: one for each process, waited for so that signals are
//! heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use klayers_client::{ClientBuilder, Error, PackageName};
use pyo3::prelude::*;
use pyo3::types::PyString;
use tokio::task::AbortHandle;

use crate::error::{closed, setup, to_python};
use crate::memo::{Call, Memo};
use crate::process::Process;
use crate::question::{Outcome, Place, Question};
use crate::texts::LayerVersionArn;

/// How long Ctrl-C goes unheard at most.
const ATTENTION: Duration = Duration::from_millis(20);

/// How clients are made, and the one that this process has.
pub(crate) struct Session {
    builder: ClientBuilder,
    live: ArcSwapOption<Live>,
    closed: AtomicBool,
}

/// A client, and the process whose threads and connections it has.
struct Live {
    process: Arc<Process>,
    client: klayers_client::Client,
    memo: Memo,
}

impl Drop for Live {
    fn drop(&mut self) {
        // The connections of a parent are not a forked process's to close: one more clone keeps
        // them.
        if !self.process.is_current() {
            std::mem::forget(self.client.clone());
        }
    }
}

impl Session {
    pub(crate) fn new(builder: ClientBuilder) -> Self {
        Self { builder, live: ArcSwapOption::empty(), closed: AtomicBool::new(false) }
    }

    /// Makes the client, so that what is wrong with its options is told.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<()> {
        self.live(py).map(drop)
    }

    /// Lets go of the connections, and of the answers that are kept.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.live.store(None);
    }

    /// The ARN that the same call had for an answer, while that is fresh.
    pub(crate) fn remembered<'py>(
        &self,
        py: Python<'py>,
        call: &Call,
    ) -> Option<Bound<'py, PyString>> {
        let live = self.live.load();
        live.as_ref().filter(|live| live.process.is_current())?.memo.get(py, call)
    }

    /// The ARN that is at hand, for which nothing need be waited. It is remembered for the call.
    pub(crate) fn kept_arn<'py>(
        &self,
        py: Python<'py>,
        call: Option<Call>,
        package: &PackageName,
        place: &Place,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        let Some(live) = self.usable() else { return Ok(None) };
        let kept = live.client.cached_arn(package, &place.region, &place.target);
        let Some((arn, fresh_for)) = kept else { return Ok(None) };
        let arn = LayerVersionArn(arn).into_pyobject(py)?;
        if let Some(call) = call {
            live.memo.keep(call, &arn, fresh_for);
        }
        Ok(Some(arn))
    }

    /// Asks, and waits for the answer while other threads of Python run.
    pub(crate) fn ask(&self, py: Python<'_>, question: Question) -> PyResult<Outcome> {
        let live = self.live(py)?;
        let (sender, mut receiver) = sync_channel(1);
        let client = live.client.clone();
        let task = live.process.runtime().map_err(|error| setup(py, error))?.spawn(async move {
            // Whoever was interrupted waits no longer.
            let _ = sender.send(question.ask(&client).await);
        });
        loop {
            let answer;
            (receiver, answer) = py.detach(move || {
                let answer = receiver.recv_timeout(ATTENTION);
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
            // A handler of signals may have forked, and this be the child.
            if !live.process.is_current() {
                return Err(to_python(py, &Error::Stopped));
            }
        }
    }

    /// Asks, and calls back with the outcome on a thread that is attached to the interpreter.
    pub(crate) fn begin(
        &self,
        py: Python<'_>,
        question: Question,
        settle: impl FnOnce(Python<'_>, Result<Outcome, Error>) + Send + 'static,
    ) -> PyResult<AbortHandle> {
        let live = self.live(py)?;
        let client = live.client.clone();
        let task = live.process.runtime().map_err(|error| setup(py, error))?.spawn(async move {
            let outcome = question.ask(&client).await;
            // An interpreter that is shutting down wants no answer any more.
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
        // It reads the system's certificates, and other threads may be at the same.
        py.detach(|| self.renew()).map_err(|error| to_python(py, &error))
    }

    fn usable(&self) -> Option<Arc<Live>> {
        self.live.load_full().filter(|live| live.process.is_current())
    }

    fn renew(&self) -> Result<Arc<Live>, Error> {
        let process = Process::current();
        let _alone = process.making();
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        let client = self.builder.clone().build()?;
        let live = Arc::new(Live { process: Arc::clone(&process), client, memo: Memo::default() });
        self.live.store(Some(Arc::clone(&live)));
        Ok(live)
    }
}
