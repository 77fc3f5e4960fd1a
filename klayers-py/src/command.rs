//! The command `klayers` of klayers-client, for the wheel.

use std::ffi::OsString;

use klayers_client::cli;
use pyo3::prelude::*;

use crate::error::no_threads;
use crate::process::Process;

/// Runs the command and returns its exit code. The first argument is the name of the program.
#[pyfunction]
#[pyo3(name = "_run_command")]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
    let process = Process::current();
    let runtime = process.runtime().map_err(|error| no_threads(py, error))?;
    Ok(py.detach(|| {
        let (mut out, mut err) = (anstream::stdout(), anstream::stderr());
        let environment = cli::Environment::of_process();
        runtime.block_on(cli::run(arguments, &environment, &mut out, &mut err))
    }))
}
