//! The command `klayers`, which is the one of klayers-client.

use std::ffi::OsString;

use klayers_client::cli;
use pyo3::prelude::*;

use crate::error::setup;
use crate::process::Process;

/// Runs the command, whose arguments begin with its own name, and gives its exit code.
#[pyfunction]
#[pyo3(name = "_run_command")]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
    let process = Process::current();
    let runtime = process.runtime().map_err(|error| setup(py, error))?;
    Ok(py.detach(|| {
        let (mut out, mut err) = (anstream::stdout(), anstream::stderr());
        let environment = cli::Environment::of_process();
        runtime.block_on(cli::run(arguments, &environment, &mut out, &mut err))
    }))
}
