//! ARNs that were looked up, by the texts of the call: while one is fresh, the arguments of the
//! same call need not be read again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::names::PackageName;
use crate::values::Target;

/// As many as the client itself keeps.
const MOST: usize = 1_000;

#[derive(Default)]
pub(crate) struct Memo(Mutex<HashMap<String, Kept>>);

struct Kept {
    arn: Py<PyString>,
    until: Instant,
}

impl Memo {
    pub(crate) fn get<'py>(&self, py: Python<'py>, call: &Call) -> Option<Bound<'py, PyString>> {
        let map = self.lock();
        let kept = map.get(&call.0)?;
        (Instant::now() < kept.until).then(|| kept.arn.bind(py).clone())
    }

    pub(crate) fn keep(&self, call: Call, arn: &Bound<'_, PyString>, fresh_for: Duration) {
        // A time that is too long to count is left to the client.
        let Some(until) = Instant::now().checked_add(fresh_for) else { return };
        let mut map = self.lock();
        if map.len() >= MOST {
            map.clear();
        }
        map.insert(call.0, Kept { arn: arn.clone().unbind(), until });
    }

    /// Nothing waits while it is held, nor lets go of the interpreter.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The texts of a call's arguments. Two calls are one only where all of these are the same: no
/// argument that is good holds what they are parted by.
pub(crate) struct Call(String);

impl Call {
    /// None if an argument is neither a text nor a value, or is empty.
    pub(crate) fn new(arguments: [Option<&Bound<'_, PyAny>>; 5]) -> Option<Self> {
        let mut text = String::with_capacity(64);
        for argument in arguments {
            if let Some(argument) = argument {
                let before = text.len();
                push(&mut text, argument)?;
                if text.len() == before {
                    return None;
                }
            }
            text.push('\n');
        }
        Some(Self(text))
    }
}

fn push(text: &mut String, argument: &Bound<'_, PyAny>) -> Option<()> {
    if let Ok(string) = argument.cast::<PyString>() {
        text.push_str(&string.to_cow().ok()?);
    } else if let Ok(target) = argument.cast::<Target>() {
        text.push_str(&target.get().0.to_string());
    } else {
        text.push_str(argument.cast::<PackageName>().ok()?.get().0.spelling());
    }
    Some(())
}
