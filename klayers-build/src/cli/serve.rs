use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use klayers_build::Error;
use klayers_catalog::SqliteCatalog;
use klayers_site::serve::Server;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{ConfigArgs, DONE, output};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) async fn serve(
    args: &ServeArgs,
    stopped: impl Future<Output = u8> + Send + 'static,
) -> Result<u8, Error> {
    let config = args.config.load()?;
    let catalog = Arc::new(SqliteCatalog::open_for_many_readers(&config.catalog)?);
    allow_many_files();
    let server = Server::bind(args.listen, catalog).await?;
    output::line(&format!("listening on http://{}", server.local_addr()));
    let stopped = async {
        stopped.await;
    };
    server.run(stopped).await?;
    Ok(DONE)
}

/// Raises the limit of open files. Each connection is one, and the usual limit of shells is low.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, allowed = limit.current, "no more files can be opened than before");
    }
}
