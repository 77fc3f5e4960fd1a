use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use klayers_build::Error;
use klayers_build::catalog::SqliteCatalog;
use klayers_build::serve::Server;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArgs, DONE, output};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) async fn serve(args: &ServeArgs) -> Result<u8, Error> {
    let config = args.config.load()?;
    let catalog = Arc::new(SqliteCatalog::open_read_only(&config.catalog)?);
    let server = Server::bind(args.listen, catalog).await?;
    output::line(&format!("listening on http://{}", server.local_addr()));
    server.run(stopped()).await?;
    Ok(DONE)
}

/// Ends when the process is asked to, by Ctrl-C or SIGTERM.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            // Without the signal there is Ctrl-C still.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupted => {}
        _ = terminated => {}
    }
}
