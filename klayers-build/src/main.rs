//! `klayers-pipeline`: builds Python packages into AWS Lambda layers, publishes and serves them.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    // Before all else: this executable is also what starts code of others, confined.
    klayers_layer::confine::enter().unwrap_or_else(cli::main)
}
