use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::worker::{Worker, WorkerFailure};
use crate::interpreter::Interpreter;

/// The workers that are there, and those that may still be started. They are kept from one wheel
/// to the next, since to start one takes longer than to compile most files.
#[derive(Debug)]
pub(super) struct Workers {
    most: usize,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Worker>,
    busy: usize,
}

impl Workers {
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default(), given_back: Condvar::new() }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Does something with a worker of an interpreter; waits while all that may be are busy. A
    /// worker that fails is ended.
    pub(super) fn with<T>(
        &self,
        interpreter: &Interpreter,
        work: impl FnOnce(&mut Worker) -> Result<T, WorkerFailure>,
    ) -> Result<T, WorkerFailure> {
        let mut place = self.take(interpreter);
        let mut worker = match place.worker.take() {
            Some(worker) => worker,
            None => Worker::start(interpreter)?,
        };
        let outcome = work(&mut worker)?;
        place.worker = Some(worker);
        Ok(outcome)
    }

    fn take(&self, interpreter: &Interpreter) -> Place<'_> {
        let mut state = self.state();
        while state.busy == self.most {
            state = self.given_back.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let fits = |worker: &Worker| worker.interpreter() == interpreter;
        let worker = state.idle.iter().position(fits).map(|at| state.idle.swap_remove(at));
        state.busy += 1;
        if state.idle.len() + state.busy > self.most {
            // One of another interpreter makes room.
            state.idle.pop();
        }
        Place { workers: self, worker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one worker at work.
struct Place<'a> {
    workers: &'a Workers,
    worker: Option<Worker>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.workers.state();
        state.busy -= 1;
        state.idle.extend(self.worker.take());
        self.workers.given_back.notify_one();
    }
}
