//! A question under way, whose answer goes to an event loop.

use klayers_client::Error;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tokio::task::AbortHandle;

use crate::error::to_python;
use crate::question::{Outcome, Question};
use crate::session::Session;

/// A question under way.
#[pyclass(frozen, name = "_Pending", module = "klayers._klayers")]
pub(crate) struct Pending(AbortHandle);

#[pymethods]
impl Pending {
    /// Wants no answer any more; nothing, once it is there.
    fn cancel(&self) {
        self.0.abort();
    }
}

impl Pending {
    pub(crate) fn begin(
        py: Python<'_>,
        session: &Session,
        question: Question,
        settle: Py<PyAny>,
    ) -> PyResult<Self> {
        let settle = move |py: Python<'_>, outcome| {
            // A loop that was closed meanwhile takes no answer; there is nobody to tell.
            let _ = tell(py, outcome, settle.bind(py));
        };
        session.begin(py, question, settle).map(Self)
    }
}

fn tell(
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
