//! A client for code that is not async.

use std::fmt;
use std::pin::Pin;
use std::sync::mpsc as reply;
use std::thread;

use klayers_core::api::{BuildRow, LatestRow, PackageRow, VersionRow};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};
use tokio::sync::mpsc as jobs;

use crate::{ClientBuilder, Error, LayerSpec};

/// A client whose calls block until the answer has arrived.
///
/// It runs a [`crate::Client`], whose documentation applies, on a runtime in its own thread. It can
/// be used and dropped anywhere, even on a thread of another runtime. To set options, use
/// [`ClientBuilder::build_blocking`](crate::ClientBuilder::build_blocking). Clones share the thread,
/// which ends when the last clone is dropped.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::collection();
/// # let api_url = server.url();
/// let client = klayers_client::Client::builder().base_url(api_url).build_blocking()?;
/// let arn = client.latest_arn("requests", &"us-east-1".parse()?, &"p3.13".parse()?)?;
/// assert_eq!(arn.version(), 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    jobs: jobs::UnboundedSender<Job>,
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Client {
    /// A client of the public collection.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] if the system's certificates cannot be read, or if no thread can be started.
    pub fn new() -> Result<Self, Error> {
        crate::Client::builder().build_blocking()
    }

    /// A client of the collection at `KLAYERS_API_URL`, or of the public collection if the variable is
    /// not set.
    ///
    /// # Errors
    ///
    /// The errors of [`ClientBuilder::build_blocking`](crate::ClientBuilder::build_blocking).
    pub fn from_env() -> Result<Self, Error> {
        crate::ClientBuilder::from_env().build_blocking()
    }

    pub(crate) fn from_async(client: crate::Client) -> Result<Self, Error> {
        let (sender, mut receiver) = jobs::unbounded_channel::<Job>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::setup)?;
        // The thread is not joined: it ends when the last sender is dropped, possibly on a thread
        // that must not block.
        thread::Builder::new()
            .name("klayers-client".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    while let Some(job) = receiver.recv().await {
                        tokio::spawn(job);
                    }
                });
            })
            .map_err(Error::setup)?;
        Ok(Self { client, jobs: sender })
    }

    /// The ARN of the latest layer version that holds `package` for `target` in `region`.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::latest_arn`].
    pub fn latest_arn(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<LayerVersionArn, Error> {
        let package = package.try_into().map_err(Into::into)?;
        // A cached answer needs no other thread.
        if let Some((answer, _)) = self.client.cached_answer(&package, region, *target) {
            return Ok(answer.value);
        }
        let (client, region, target) = (self.client.clone(), region.clone(), *target);
        self.wait(async move { client.latest_arn(package, &region, &target).await })
    }

    /// The latest layer version of every package for `target` in `region`, sorted by package; empty if
    /// there is none.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::latest`].
    pub fn latest(&self, region: &Region, target: &Target) -> Result<Vec<LatestRow>, Error> {
        let (client, region, target) = (self.client.clone(), region.clone(), *target);
        self.wait(async move { client.latest(&region, &target).await })
    }

    /// All versions of the layer that holds `package` for `target` in `region`, the newest first.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::versions`].
    pub fn versions(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Vec<VersionRow>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        let (client, region, target) = (self.client.clone(), region.clone(), *target);
        self.wait(async move { client.versions(package, &region, &target).await })
    }

    /// The layer version that a [`LayerSpec`] selects.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::layer`].
    pub fn layer(
        &self,
        spec: impl TryInto<LayerSpec, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<VersionRow, Error> {
        let spec = spec.try_into().map_err(Into::into)?;
        let (region, target) = (region.clone(), *target);
        self.run(async move |client| client.layer(spec, &region, &target).await)
    }

    /// The latest build of every package for a target, sorted by package.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::packages`].
    pub fn packages(&self, target: &Target) -> Result<Vec<BuildRow>, Error> {
        let target = *target;
        self.run(async move |client| client.packages(&target).await)
    }

    /// The layer versions of one package for all targets in all regions.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::package`].
    pub fn package(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
    ) -> Result<Vec<PackageRow>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        self.run(async move |client| client.package(package).await)
    }

    /// The targets that layers exist for.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::targets`].
    pub fn targets(&self) -> Result<Vec<Target>, Error> {
        self.run(async |client| client.targets().await)
    }

    /// The regions that layers exist in, sorted by code.
    ///
    /// # Errors
    ///
    /// The errors of [`crate::Client::regions`].
    pub fn regions(&self) -> Result<Vec<Region>, Error> {
        self.run(async |client| client.regions().await)
    }

    /// Runs any other call of the async client on the thread, for example to get the age of an answer.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::collection();
    /// # let client = klayers_client::Client::builder().base_url(server.url()).build_blocking()?;
    /// let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
    /// let answer =
    ///     client.run(async move |client| client.answers().latest(&region, &target).await)?;
    /// assert!(!answer.is_stale());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of the call, and [`Error::Stopped`] if the thread has ended.
    pub fn run<T, Call>(
        &self,
        call: impl FnOnce(crate::Client) -> Call + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        Call: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.wait(call(self.client.clone()))
    }

    /// Runs a future on the thread and waits for its result, without using the caller's runtime.
    fn wait<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = reply::sync_channel(1);
        let job = async move {
            // The receiver exists, since this function waits.
            let _ = sender.send(call.await);
        };
        self.jobs.send(Box::pin(job)).map_err(|_| Error::Stopped)?;
        receiver.recv().map_err(|_| Error::Stopped)?
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Client").field(&self.client).finish()
    }
}

impl ClientBuilder {
    /// Builds a client for code that is not async.
    ///
    /// # Errors
    ///
    /// The errors of [`build`](Self::build), and [`Error::Setup`] if no thread can be started.
    pub fn build_blocking(self) -> Result<Client, Error> {
        Client::from_async(self.build()?)
    }
}
