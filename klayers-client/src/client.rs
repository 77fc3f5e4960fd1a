use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use klayers_core::api::{BuildRow, LatestRow, PackageRow, RegionRow, TargetRow, VersionRow};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};

use crate::answer_cache::AnswerCache;
use crate::backend::Backend;
use crate::{Answers, ClientBuilder, Error, LayerSpec};

/// A client of the API of one collection of layers.
///
/// Cloning is cheap. Clones share their connections and the cached answers (see
/// [`Cache`](crate::Cache)). The client retries temporary failures (see
/// [`RetryPolicy`](crate::RetryPolicy)). Its futures need a tokio runtime.
///
/// # Proxies and certificates
///
/// The client uses the proxies and certificates that the environment names, like curl, pip and the
/// AWS CLI:
///
/// - The proxy is `HTTPS_PROXY` (for an `http` address `HTTP_PROXY`), then `ALL_PROXY`, in upper or
///   lower case, then the system's settings on macOS and Windows. `http`, `https`, `socks5` and
///   `socks5h` proxies are supported. `NO_PROXY` lists the hosts that are reached directly; `*` means
///   all hosts.
/// - The trusted certificates are those of `AWS_CA_BUNDLE`, or else `REQUESTS_CA_BUNDLE`, or else
///   `CURL_CA_BUNDLE`, or else of `SSL_CERT_FILE` and `SSL_CERT_DIR` together. Each variable names a
///   PEM file, or a folder of PEM files. If no variable is set, the certificates in the system's
///   store are trusted.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

/// The state that clones share: the backend, and the cached answers of each kind.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) backend: Arc<Backend>,
    pub(crate) latest: Arc<AnswerCache<LatestRow>>,
    pub(crate) versions: Arc<AnswerCache<VersionRow>>,
    pub(crate) builds: Arc<AnswerCache<BuildRow>>,
    pub(crate) packages: Arc<AnswerCache<PackageRow>>,
    pub(crate) targets: Arc<AnswerCache<TargetRow>>,
    pub(crate) regions: Arc<AnswerCache<RegionRow>>,
}

impl Client {
    /// The address of the public collection's API.
    pub const PUBLIC_URL: &str = "https://api.klayers.cloud";

    /// A client of the public collection.
    ///
    /// # Errors
    ///
    /// [`Error::Certificates`] if the certificates that a variable names cannot be used,
    /// [`Error::Setup`] if the system's certificates cannot be read.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client of the collection at `KLAYERS_API_URL`, or of the public collection if the variable is
    /// not set.
    ///
    /// [`new`](Self::new) and [`builder`](Self::builder) do not read this variable.
    ///
    /// # Errors
    ///
    /// The errors of [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env().build()
    }

    /// A builder of clients with other options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn from_backend(backend: Arc<Backend>) -> Self {
        let entries = backend.cache.entries;
        let shared = Shared {
            backend,
            latest: Arc::new(AnswerCache::new(entries)),
            versions: Arc::new(AnswerCache::new(entries)),
            builds: Arc::new(AnswerCache::new(entries)),
            packages: Arc::new(AnswerCache::new(entries)),
            targets: Arc::new(AnswerCache::new(entries)),
            regions: Arc::new(AnswerCache::new(entries)),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The same lookups, with the age of each answer.
    pub fn answers(&self) -> Answers<'_> {
        Answers::new(self)
    }

    /// The ARN of the latest layer version that holds `package` for `target` in `region`.
    ///
    /// All spellings that [`PackageName`] treats as equal find the package.
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
    /// [`Error::UnknownPackage`], with the most similar names, if the package has no layer;
    /// [`Error::NoLatest`] if all its layer versions are deprecated or withdrawn; [`Error::Parse`] if
    /// `package` is not a package name; others if the server cannot be reached or its answer is not
    /// valid.
    pub async fn latest_arn(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<LayerVersionArn, Error> {
        Ok(self.answers().latest_arn(package, region, target).await?.value)
    }

    /// The answer of [`latest_arn`](Self::latest_arn), if it is cached and fresh, and how much longer
    /// it is fresh. Returns at once and needs no runtime.
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
    /// assert_eq!(client.cached_arn(&package, &region, &target), None);
    ///
    /// let arn = client.latest_arn("requests", &region, &target).await?;
    /// let (cached, fresh_for) = client.cached_arn(&package, &region, &target).expect("cached");
    /// assert_eq!(cached, arn);
    /// assert!(fresh_for <= Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cached_arn(
        &self,
        package: &PackageName,
        region: &Region,
        target: &Target,
    ) -> Option<(LayerVersionArn, Duration)> {
        let (answer, fresh_for) = self.cached_answer(package, region, *target)?;
        Some((answer.value, fresh_for))
    }

    /// The latest layer version of every package for `target` in `region`, sorted by package; empty if
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
    /// If the server cannot be reached or its answer is not valid.
    pub async fn latest(&self, region: &Region, target: &Target) -> Result<Vec<LatestRow>, Error> {
        Ok(self.answers().latest(region, target).await?.value)
    }

    /// All versions of the layer that holds `package` for `target` in `region`, the newest first.
    /// Deleted versions are left out.
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
    /// The errors of [`latest_arn`](Self::latest_arn), except [`Error::NoLatest`].
    pub async fn versions(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Vec<VersionRow>, Error> {
        Ok(self.answers().versions(package, region, target).await?.value)
    }

    /// One layer version: the latest, or the one with a certain package version or layer version; see
    /// [`LayerSpec`].
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
    /// The errors of [`latest_arn`](Self::latest_arn), and [`Error::NoMatch`] if no version matches.
    pub async fn layer(
        &self,
        spec: impl TryInto<LayerSpec, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<VersionRow, Error> {
        Ok(self.answers().layer(spec, region, target).await?.value)
    }

    /// The latest build of every package for a target, sorted by package. The public server leaves out
    /// the package of some builds.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached or its answer is not valid.
    pub async fn packages(&self, target: &Target) -> Result<Vec<BuildRow>, Error> {
        Ok(self.answers().packages(target).await?.value)
    }

    /// The layer versions of one package for all targets in all regions, sorted by target and region,
    /// the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the server, like the public one, does not have this list; others if
    /// the server cannot be reached or its answer is not valid.
    pub async fn package(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
    ) -> Result<Vec<PackageRow>, Error> {
        Ok(self.answers().package(package).await?.value)
    }

    /// The targets that layers exist for.
    ///
    /// # Errors
    ///
    /// The errors of [`package`](Self::package).
    pub async fn targets(&self) -> Result<Vec<Target>, Error> {
        Ok(self.answers().targets().await?.value)
    }

    /// The regions that layers exist in, sorted by code.
    ///
    /// # Errors
    ///
    /// The errors of [`package`](Self::package).
    pub async fn regions(&self) -> Result<Vec<Region>, Error> {
        Ok(self.answers().regions().await?.value)
    }

    /// The latest layers of many regions. A few regions are requested at a time, and each result is
    /// returned as soon as it arrives. A region that fails does not delay the others.
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
