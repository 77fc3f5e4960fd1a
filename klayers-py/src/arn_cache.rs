//! A cache of ARNs by the argument texts of the call, so that a repeated call need not parse its
//! arguments again while the ARN is fresh.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::names::PackageName;
use crate::values::Target;

/// As many entries as the cache of the client holds.
const MAX_ENTRIES: usize = 1_000;

#[derive(Default)]
pub(crate) struct ArnCache(Mutex<HashMap<String, CacheEntry>>);

struct CacheEntry {
    arn: Py<PyString>,
    fresh_until: Instant,
}

impl ArnCache {
    pub(crate) fn get<'py>(&self, py: Python<'py>, call: &CallKey) -> Option<Bound<'py, PyString>> {
        let map = self.lock();
        let entry = map.get(&call.0)?;
        (Instant::now() < entry.fresh_until).then(|| entry.arn.bind(py).clone())
    }

    pub(crate) fn insert(&self, call: CallKey, arn: &Bound<'_, PyString>, fresh_for: Duration) {
        // If the time overflows, the client's own cache has to serve the ARN.
        let Some(fresh_until) = Instant::now().checked_add(fresh_for) else { return };
        let mut map = self.lock();
        if map.len() >= MAX_ENTRIES {
            map.clear();
        }
        map.insert(call.0, CacheEntry { arn: arn.clone().unbind(), fresh_until });
    }

    /// The holder of this lock never blocks and never detaches from the interpreter.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, CacheEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The texts of the arguments of a call, each followed by a line feed. Valid arguments contain no line
/// feed, so calls with equal keys have equal arguments.
pub(crate) struct CallKey(String);

impl CallKey {
    /// None if an argument is empty, or neither a text nor a value.
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
