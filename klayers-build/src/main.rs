//! `klayers-pipeline`: builds Python packages into AWS Lambda layers, publishes and serves them.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::main()
}
