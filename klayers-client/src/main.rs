//! The command `klayers`.

use std::process::ExitCode;

use klayers_client::cli;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
async fn main() -> ExitCode {
    let environment =
        cli::Environment::new(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()));
    let (mut out, mut err) = (anstream::stdout(), anstream::stderr());
    cli::run(std::env::args_os(), &environment, &mut out, &mut err).await
}
