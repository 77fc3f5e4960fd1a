//! The client for code that is not async.

use std::fmt;
use std::pin::Pin;
use std::sync::mpsc as reply;
use std::thread;

use klayers_core::api::{BuildRow, LatestRow, PackageRow, VersionRow};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};
use tokio::sync::mpsc as jobs;

use crate::{Error, LayerSpec};

/// A client whose calls return when the answer is there.
///
/// It is [`crate::Client`], whose documentation holds for it, on a runtime in a thread of its own:
/// it may be called and dropped anywhere, on the thread of another runtime too. Other options
/// than those of [`new`](Self::new) come from
/// [`ClientBuilder::build_blocking`](crate::ClientBuilder::build_blocking). Clones share the
/// thread, which ends with the last of them.
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
    /// [`Error::Setup`] if the system's certificates cannot be read or no thread can be started.
    pub fn new() -> Result<Self, Error> {
        crate::Client::builder().build_blocking()
    }

    /// A client of the collection at `KLAYERS_API_URL`, or of the public one if that is not set.
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::build_blocking`](crate::ClientBuilder::build_blocking).
    pub fn from_env() -> Result<Self, Error> {
        crate::ClientBuilder::from_env().build_blocking()
    }

    pub(crate) fn from_async(client: crate::Client) -> Result<Self, Error> {
        let (sender, mut receiver) = jobs::unbounded_channel::<Job>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::setup)?;
        // Nobody joins it: it ends when the last sender is dropped, and whoever drops that one
        // may be on a thread that must not wait.
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
    /// Those of [`crate::Client::latest_arn`].
    pub fn latest_arn(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<LayerVersionArn, Error> {
        let package = package.try_into().map_err(Into::into)?;
        // What is at hand needs no other thread.
        if let Some(arn) = self.client.arn_at_hand(&package, region, *target) {
            return Ok(arn.0.value);
        }
        let (client, region, target) = (self.client.clone(), region.clone(), *target);
        self.wait(async move { client.latest_arn(package, &region, &target).await })
    }

    /// The latest layer version of every package for `target` in `region`, by package; empty if
    /// there is none.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::latest`].
    pub fn latest(&self, region: &Region, target: &Target) -> Result<Vec<LatestRow>, Error> {
        let (client, region, target) = (self.client.clone(), region.clone(), *target);
        self.wait(async move { client.latest(&region, &target).await })
    }

    /// All versions of the layer that holds `package` for `target` in `region`, the newest first.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::versions`].
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

    /// One layer version, as [`LayerSpec`] says which.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::layer`].
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

    /// The latest build of every package of a target, by package.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::packages`].
    pub fn packages(&self, target: &Target) -> Result<Vec<BuildRow>, Error> {
        let target = *target;
        self.run(async move |client| client.packages(&target).await)
    }

    /// The layer versions of one package over all targets and regions.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::package`].
    pub fn package(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
    ) -> Result<Vec<PackageRow>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        self.run(async move |client| client.package(package).await)
    }

    /// The targets that there are layers for.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::targets`].
    pub fn targets(&self) -> Result<Vec<Target>, Error> {
        self.run(async |client| client.targets().await)
    }

    /// The regions that there are layers in, by code.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::regions`].
    pub fn regions(&self) -> Result<Vec<Region>, Error> {
        self.run(async |client| client.regions().await)
    }

    /// Has the thread do something else with the client, as to ask for the age of an answer.
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
    /// Those of what it does, and [`Error::Stopped`] if the thread is gone.
    pub fn run<T, Call>(
        &self,
        act: impl FnOnce(crate::Client) -> Call + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        Call: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.wait(act(self.client.clone()))
    }

    /// Has the thread do it. Neither sending nor waiting touches a runtime of the caller's.
    fn wait<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = reply::sync_channel(1);
        let job = async move {
            // The receiver is there: this function waits.
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
