//! The command `klayers`.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use etcetera::BaseStrategy;
use klayers_client::cli;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "this is where the environment enters")]
async fn main() -> ExitCode {
    let folders = etcetera::choose_base_strategy().ok();
    let environment =
        cli::Environment::new(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
            .project_folder(std::env::current_dir().ok())
            .config_folder(folders.map(|folders| folders.config_dir().join("klayers")))
            .cache_folder(klayers_client::Cache::user_folder())
            .terminal(stdout().is_terminal());
    let (mut out, mut err) = (anstream::stdout(), anstream::stderr());
    cli::run(std::env::args_os(), &environment, &mut out, &mut err).await
}
