use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::worker::{Worker, WorkerError};
use crate::interpreter::Interpreter;

/// A pool of workers. They are kept from one wheel to the next, since starting a worker takes
/// longer than compiling most files.
#[derive(Debug)]
pub(super) struct Workers {
    /// The maximum number of workers.
    limit: usize,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Worker>,
    busy: usize,
}

impl Workers {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), given_back: Condvar::new() }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Runs `work` with a worker of an interpreter. Waits while all workers are busy. A worker that
    /// fails is killed.
    pub(super) fn with<T>(
        &self,
        interpreter: &Interpreter,
        work: impl FnOnce(&mut Worker) -> Result<T, WorkerError>,
    ) -> Result<T, WorkerError> {
        let mut permit = self.take(interpreter);
        let mut worker = match permit.worker.take() {
            Some(worker) => worker,
            None => Worker::start(interpreter)?,
        };
        let outcome = work(&mut worker)?;
        permit.worker = Some(worker);
        Ok(outcome)
    }

    fn take(&self, interpreter: &Interpreter) -> Permit<'_> {
        let mut state = self.state();
        while state.busy == self.limit {
            state = self.given_back.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let fits = |worker: &Worker| worker.interpreter() == interpreter;
        let worker = state.idle.iter().position(fits).map(|at| state.idle.swap_remove(at));
        state.busy += 1;
        if state.idle.len() + state.busy > self.limit {
            // An idle worker of another interpreter makes room.
            state.idle.pop();
        }
        Permit { workers: self, worker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Permission to use one worker, returned to the pool on drop.
struct Permit<'a> {
    workers: &'a Workers,
    worker: Option<Worker>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.workers.state();
        state.busy -= 1;
        state.idle.extend(self.worker.take());
        self.workers.given_back.notify_one();
    }
}
