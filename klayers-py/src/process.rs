//! What belongs to this process and not to one that forks from it: the threads on which requests
//! run, their connections, and the locks that those threads may hold.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use pyo3::prelude::*;
use pyo3::types::IntoPyDict;
use tokio::runtime::{Builder, Runtime};

static CURRENT: LazyLock<ArcSwap<Process>> = LazyLock::new(ArcSwap::default);

/// A process. Of its parent's, a forked one has the memory, and none of the threads.
#[derive(Debug, Default)]
pub(crate) struct Process {
    runtime: OnceLock<Runtime>,
    making: Mutex<()>,
}

impl Process {
    pub(crate) fn current() -> Arc<Self> {
        CURRENT.load_full()
    }

    pub(crate) fn is_current(self: &Arc<Self>) -> bool {
        Arc::ptr_eq(&CURRENT.load(), self)
    }

    /// Where requests run; its threads start at the first.
    pub(crate) fn runtime(&self) -> io::Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        // One thread sees to the sockets; another goes on where that one waits for the interpreter.
        let made = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("klayers")
            .enable_all()
            .build()?;
        Ok(self.runtime.get_or_init(|| made))
    }

    /// Held while what all threads share is made, so that it is made once. Not to be waited for
    /// while attached to the interpreter.
    pub(crate) fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Called in each process that Python forks, before anything else runs in it.
#[pyfunction]
#[pyo3(name = "_forked")]
fn forked() {
    // Dropped, it would wait for threads that this process does not have.
    std::mem::forget(CURRENT.swap(Arc::default()));
}

/// Has Python say when it forks, on systems that can.
pub(crate) fn notice_forks(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let Ok(register) = py.import("os")?.getattr("register_at_fork") else { return Ok(()) };
    let hook = wrap_pyfunction!(forked, module)?;
    register.call((), Some(&[("after_in_child", hook)].into_py_dict(py)?))?;
    Ok(())
}
