//! Running lookups of asynchronous clients.

use klayers_client::Error;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tokio::task::AbortHandle;

use crate::error::to_python;
use crate::lookup::{Lookup, Outcome};
use crate::session::Session;

/// A lookup that is running.
#[pyclass(frozen, name = "_Pending", module = "klayers._klayers")]
pub(crate) struct Pending(AbortHandle);

#[pymethods]
impl Pending {
    /// Stops the lookup. Does nothing if it has ended.
    fn cancel(&self) {
        self.0.abort();
    }
}

impl Pending {
    pub(crate) fn begin(
        py: Python<'_>,
        session: &Session,
        lookup: Lookup,
        settle: Py<PyAny>,
    ) -> PyResult<Self> {
        let settle = move |py: Python<'_>, outcome| {
            // Fails if the event loop was closed meanwhile; then nobody waits for the answer.
            let _ = deliver(py, outcome, settle.bind(py));
        };
        session.begin(py, lookup, settle).map(Self)
    }
}

fn deliver(
    py: Python<'_>,
    outcome: Result<Outcome, Error>,
    settle: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let parts = outcome.map_err(|error| to_python(py, &error));
    match parts.and_then(|outcome| outcome.into_parts(py)) {
        Ok((value, warnings)) => settle.call1((value, py.None(), warnings))?,
        Err(error) => settle.call1((py.None(), error, PyList::empty(py)))?,
    };
    Ok(())
}
