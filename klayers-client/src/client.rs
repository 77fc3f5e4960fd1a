use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use klayers_core::api::{BuildRow, LatestRow, PackageRow, RegionRow, TargetRow, VersionRow};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};

use crate::hub::Hub;
use crate::shelf::Shelf;
use crate::{Answers, ClientBuilder, Error, LayerSpec};

/// A client of the API of one collection of layers.
///
/// Cloning it is cheap, and clones share their connections and the answers that are kept (see
/// [`Cache`](crate::Cache)). What fails in passing is asked again (see
/// [`RetryPolicy`](crate::RetryPolicy)). Its futures want a tokio runtime.
///
/// # Proxies and certificates
///
/// They are those that the environment names for all programs, as for curl, pip and the AWS CLI:
///
/// - the proxy: `HTTPS_PROXY` (for an `http` address `HTTP_PROXY`), then `ALL_PROXY`, in upper or
///   lower case, then the system's settings on macOS and Windows. `http`, `https`, `socks5` and
///   `socks5h` proxies are taken. `NO_PROXY` lists the hosts that are asked directly, and `*` means
///   all.
/// - the certificates to trust: those of `AWS_CA_BUNDLE`, or else `REQUESTS_CA_BUNDLE`, or else
///   `CURL_CA_BUNDLE`, or else those of `SSL_CERT_FILE` and `SSL_CERT_DIR` together. Each names a
///   file in PEM form or a folder of such files. They are trusted instead of those of the system's
///   store, which are taken where no variable is set.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What clones share: the way to the server, and the answers by their kind.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) latest: Arc<Shelf<LatestRow>>,
    pub(crate) versions: Arc<Shelf<VersionRow>>,
    pub(crate) builds: Arc<Shelf<BuildRow>>,
    pub(crate) packages: Arc<Shelf<PackageRow>>,
    pub(crate) targets: Arc<Shelf<TargetRow>>,
    pub(crate) regions: Arc<Shelf<RegionRow>>,
}

impl Client {
    /// The address of the public collection's API.
    pub const PUBLIC_URL: &str = "https://api.klayers.cloud";

    /// A client of the public collection.
    ///
    /// # Errors
    ///
    /// [`Error::Certificates`] if those that a variable names cannot be used, [`Error::Setup`] if
    /// the system's cannot be read.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client of the collection at `KLAYERS_API_URL`, or of the public one if that is not set.
    ///
    /// [`new`](Self::new) and [`builder`](Self::builder) do not read this variable.
    ///
    /// # Errors
    ///
    /// Those of [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env().build()
    }

    /// A client with other options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn from_hub(hub: Arc<Hub>) -> Self {
        let entries = hub.cache.entries;
        let shared = Shared {
            hub,
            latest: Arc::new(Shelf::new(entries)),
            versions: Arc::new(Shelf::new(entries)),
            builds: Arc::new(Shelf::new(entries)),
            packages: Arc::new(Shelf::new(entries)),
            targets: Arc::new(Shelf::new(entries)),
            regions: Arc::new(Shelf::new(entries)),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The same questions, answered with how old each answer is.
    pub fn answers(&self) -> Answers<'_> {
        Answers::new(self)
    }

    /// The ARN of the latest layer version that holds `package` for `target` in `region`.
    ///
    /// The package may be spelled in any way that [`PackageName`] takes for the same name.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::collection();
    /// # let client = klayers_client::Client::builder().base_url(server.url()).build()?;
    /// let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
    /// let arn = client.latest_arn("Requests", &region, &target).await?;
    /// assert_eq!(arn.name().as_str(), "Klayers-p313-requests");
    ///
    /// let error = client.latest_arn("reqeusts", &region, &target).await.unwrap_err();
    /// assert!(error.is_not_found());
    /// assert_eq!(
    ///     error.to_string(),
    ///     "no layer of reqeusts for p3.13 in us-east-1; did you mean requests?",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownPackage`], with the nearest names that there are layers of, if there is no
    /// such layer; [`Error::NoLatest`] if all its versions are deprecated or withdrawn; [`Error::Parse`] if
    /// `package` is no name; the others if the server cannot be asked or its answer cannot be
    /// trusted.
    pub async fn latest_arn(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<LayerVersionArn, Error> {
        Ok(self.answers().latest_arn(package, region, target).await?.value)
    }

    /// What [`latest_arn`](Self::latest_arn) would say, if that is kept and still fresh, and for how
    /// much longer it is; it takes neither time nor a runtime.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::collection();
    /// # use klayers_client::{Cache, Client};
    /// use std::time::Duration;
    ///
    /// let cache = Cache::memory().assume_fresh(Duration::from_secs(60));
    /// let client = Client::builder().base_url(server.url()).cache(cache).build()?;
    /// let (package, region, target) = ("requests".parse()?, "us-east-1".parse()?, "p3.13".parse()?);
    /// assert_eq!(client.kept_arn(&package, &region, &target), None);
    ///
    /// let arn = client.latest_arn("requests", &region, &target).await?;
    /// let (kept, fresh_for) = client.kept_arn(&package, &region, &target).expect("it is kept");
    /// assert_eq!(kept, arn);
    /// assert!(fresh_for <= Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn kept_arn(
        &self,
        package: &PackageName,
        region: &Region,
        target: &Target,
    ) -> Option<(LayerVersionArn, Duration)> {
        let (answer, fresh_for) = self.arn_at_hand(package, region, *target)?;
        Some((answer.value, fresh_for))
    }

    /// The latest layer version of every package for `target` in `region`, by package; empty if
    /// there is none.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::collection();
    /// # let client = klayers_client::Client::builder().base_url(server.url()).build()?;
    /// let rows = client.latest(&"us-east-1".parse()?, &"p3.13".parse()?).await?;
    /// let packages: Vec<String> = rows.iter().map(|row| row.package.to_string()).collect();
    /// assert_eq!(packages, ["numpy", "Pillow", "requests"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the server cannot be asked or its answer cannot be trusted.
    pub async fn latest(&self, region: &Region, target: &Target) -> Result<Vec<LatestRow>, Error> {
        Ok(self.answers().latest(region, target).await?.value)
    }

    /// All versions of the layer that holds `package` for `target` in `region`, the newest first.
    /// Deleted ones are not among them.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::collection();
    /// # let client = klayers_client::Client::builder().base_url(server.url()).build()?;
    /// use klayers_client::DeployStatus;
    ///
    /// let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
    /// let rows = client.versions("requests", &region, &target).await?;
    /// assert_eq!(rows[0].deploy_status, DeployStatus::Latest);
    /// assert_eq!(rows[1].expiry_date, Some("2026-11-01T02:00:00Z".parse()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`latest_arn`](Self::latest_arn), without [`Error::NoLatest`].
    pub async fn versions(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Vec<VersionRow>, Error> {
        Ok(self.answers().versions(package, region, target).await?.value)
    }

    /// One layer version: the latest, one by the package's version, or one by the layer's own
    /// number; see [`LayerSpec`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::collection();
    /// # let client = klayers_client::Client::builder().base_url(server.url()).build()?;
    /// let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
    /// for (spec, version) in [("requests==2.32.*", 4), ("requests<2.32", 1), ("requests:3", 3)] {
    ///     let row = client.layer(spec, &region, &target).await?;
    ///     assert_eq!(row.arn.version(), version);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`latest_arn`](Self::latest_arn), and [`Error::NoMatch`] if no version is as it was asked
    /// for.
    pub async fn layer(
        &self,
        spec: impl TryInto<LayerSpec, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<VersionRow, Error> {
        Ok(self.answers().layer(spec, region, target).await?.value)
    }

    /// The latest build of every package of a target, by package. The public server does not name
    /// the package of some.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked or its answer cannot be trusted.
    pub async fn packages(&self, target: &Target) -> Result<Vec<BuildRow>, Error> {
        Ok(self.answers().packages(target).await?.value)
    }

    /// The layer versions of one package over all targets and regions, by these, the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the server has no such list, as the public one; the others if the
    /// server cannot be asked or its answer cannot be trusted.
    pub async fn package(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
    ) -> Result<Vec<PackageRow>, Error> {
        Ok(self.answers().package(package).await?.value)
    }

    /// The targets that there are layers for.
    ///
    /// # Errors
    ///
    /// As [`package`](Self::package).
    pub async fn targets(&self) -> Result<Vec<Target>, Error> {
        Ok(self.answers().targets().await?.value)
    }

    /// The regions that there are layers in, by code.
    ///
    /// # Errors
    ///
    /// As [`package`](Self::package).
    pub async fn regions(&self) -> Result<Vec<Region>, Error> {
        Ok(self.answers().regions().await?.value)
    }

    /// The latest layers of many regions, a few asked at once, each as soon as it is there. One
    /// that fails keeps no other back.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::collection();
    /// # let client = klayers_client::Client::builder().base_url(server.url()).build()?;
    /// use futures::StreamExt;
    ///
    /// let regions = ["us-east-1".parse()?, "eu-west-1".parse()?];
    /// let mut answers = std::pin::pin!(client.latest_in(regions, &"p3.13".parse()?));
    /// let mut layers = 0;
    /// while let Some((region, rows)) = answers.next().await {
    ///     layers += rows?.len();
    /// }
    /// assert_eq!(layers, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn latest_in<'a>(
        &'a self,
        regions: impl IntoIterator<Item = Region> + Send + 'a,
        target: &Target,
    ) -> impl Stream<Item = (Region, Result<Vec<LatestRow>, Error>)> + 'a {
        self.answers().latest_in(regions, target)
    }
}
