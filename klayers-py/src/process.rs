//! State of this process that a forked process must not use: the threads that run requests, their
//! connections, and the locks that those threads may hold.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use pyo3::prelude::*;
use pyo3::types::IntoPyDict;
use tokio::runtime::{Builder, Runtime};

static CURRENT: LazyLock<ArcSwap<Process>> = LazyLock::new(ArcSwap::default);

/// The state of one process. A forked process inherits the memory of its parent, but none of its
/// threads, so it gets a new state.
#[derive(Debug, Default)]
pub(crate) struct Process {
    runtime: OnceLock<Runtime>,
    creation: Mutex<()>,
}

impl Process {
    pub(crate) fn current() -> Arc<Self> {
        CURRENT.load_full()
    }

    pub(crate) fn is_current(self: &Arc<Self>) -> bool {
        Arc::ptr_eq(&CURRENT.load(), self)
    }

    /// The runtime that runs requests. Its threads start with the first request.
    pub(crate) fn runtime(&self) -> io::Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        // Two threads, so that sockets are served while one of them waits for the interpreter.
        let made = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("klayers")
            .enable_all()
            .build()?;
        Ok(self.runtime.get_or_init(|| made))
    }

    /// A lock to hold while something is created that all threads share, so that only one thread
    /// creates it. Detach from the interpreter before waiting for this lock.
    pub(crate) fn creation_lock(&self) -> MutexGuard<'_, ()> {
        self.creation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Called in each forked process before anything else runs in it.
#[pyfunction]
#[pyo3(name = "_forked")]
fn forked() {
    // Dropping the old state would wait for threads that this process does not have.
    std::mem::forget(CURRENT.swap(Arc::default()));
}

/// Registers the function that Python calls after a fork, on systems that can fork.
pub(crate) fn register_fork_hook(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let Ok(register) = py.import("os")?.getattr("register_at_fork") else { return Ok(()) };
    let hook = wrap_pyfunction!(forked, module)?;
    register.call((), Some(&[("after_in_child", hook)].into_py_dict(py)?))?;
    Ok(())
}
