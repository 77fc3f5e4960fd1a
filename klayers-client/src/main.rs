//! The command `klayers`.

use std::process::ExitCode;

use klayers_client::cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (mut out, mut err) = (anstream::stdout(), anstream::stderr());
    let environment = cli::Environment::of_process();
    cli::run(std::env::args_os(), &environment, &mut out, &mut err).await.into()
}
