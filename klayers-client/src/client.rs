use std::sync::Arc;

use klayers_core::api::{DeployStatus, Format, LatestRow, Route, VersionRow};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};

use crate::protocol::Api;
use crate::transport::{Deadline, Transport};
use crate::{ClientBuilder, Error, suggest};

/// A client of the API of one collection of layers.
///
/// Cloning it is cheap, and clones share their connections. Its futures want a tokio runtime.
///
/// Proxies are taken from the environment and the system's settings, certificates from the
/// system's store.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    api: Api,
    transport: Transport,
}

impl Client {
    /// The address of the public collection's API.
    pub const PUBLIC_URL: &str = "https://api.klayers.cloud";

    /// A client of the public collection.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] if the system's certificates cannot be read.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client with other options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn from_parts(api: Api, transport: Transport) -> Self {
        Self { shared: Arc::new(Shared { api, transport }) }
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
    /// such layer; [`Error::NoLatest`] if all its versions are deprecated; [`Error::Parse`] if
    /// `package` is no name; the others if the server cannot be asked or its answer cannot be
    /// trusted.
    pub async fn latest_arn(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<LayerVersionArn, Error> {
        let package = package.try_into().map_err(Into::into)?;
        let rows = self.find(&package, region, *target).await?;
        let versions = rows.len();
        // The newest stands first, should a server call several the latest.
        rows.into_iter()
            .find(|row| row.deploy_status == DeployStatus::Latest)
            .map(|row| row.arn)
            .ok_or_else(|| Error::NoLatest {
                package,
                region: region.clone(),
                target: *target,
                versions,
            })
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
        let deadline = self.shared.transport.deadline();
        self.ask_latest(region, *target, deadline).await
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
        let package = package.try_into().map_err(Into::into)?;
        self.find(&package, region, *target).await
    }

    /// The versions of a layer, of which there is at least one.
    async fn find(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Result<Vec<VersionRow>, Error> {
        let deadline = self.shared.transport.deadline();
        let rows = self.ask_versions(package, region, target, deadline).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        // The list helps with what comes next; without it the answer is still that there is none.
        let latest = self.ask_latest(region, target, deadline).await.unwrap_or_default();
        // The public server knows a package by the collection's own spelling alone.
        if let Some(row) = latest.iter().find(|row| row.package == *package)
            && row.package.spelling() != package.spelling()
        {
            let rows = self.ask_versions(&row.package, region, target, deadline).await?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        let known = latest.iter().map(|row| &row.package);
        Err(Error::UnknownPackage {
            suggestions: suggest::near(package, known.filter(|name| *name != package)),
            package: package.clone(),
            region: region.clone(),
            target,
        })
    }

    async fn ask_latest(
        &self,
        region: &Region,
        target: Target,
        deadline: Deadline,
    ) -> Result<Vec<LatestRow>, Error> {
        let Shared { api, transport } = &*self.shared;
        let url = api.url(&Route::Latest { target, region: region.clone(), format: Format::Json });
        api.latest(&transport.get(url, deadline).await?, region, target)
    }

    async fn ask_versions(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        deadline: Deadline,
    ) -> Result<Vec<VersionRow>, Error> {
        let Shared { api, transport } = &*self.shared;
        let url =
            api.url(&Route::Versions { target, region: region.clone(), package: package.clone() });
        api.versions(&transport.get(url, deadline).await?, package, region, target)
    }
}
