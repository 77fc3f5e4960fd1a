use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use klayers_core::api::{
    BuildRow, DeployStatus, Format, LatestRow, PackageRow, RegionRow, Route, TargetRow, VersionRow,
};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};

use crate::client::Shared;
use crate::protocol::Row;
use crate::shelf::{Found, KeyRef, Shelf};
use crate::transport::{Deadline, now};
use crate::{Client, Error, LayerSpec, suggest};

/// What a collection says, and how old that is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// How long ago the server made the answer.
    pub age: Duration,
    /// Why there is no newer answer, where this one is no longer fresh: the server could not be
    /// asked, or the client is offline.
    pub stale_because: Option<Error>,
}

impl<T> Answer<T> {
    /// Whether a newer answer was wanted and could not be had.
    pub fn is_stale(&self) -> bool {
        self.stale_because.is_some()
    }

    fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { value, age, stale_because } = self;
        Answer { value: change(value), age, stale_because }
    }

    fn try_map<U>(self, change: impl FnOnce(T) -> Result<U, Error>) -> Result<Answer<U>, Error> {
        let Self { value, age, stale_because } = self;
        Ok(Answer { value: change(value)?, age, stale_because })
    }
}

impl<R> From<Found<R>> for Answer<Arc<[R]>> {
    fn from(Found { entry, stale_because }: Found<R>) -> Self {
        let age = entry.validity.age(now());
        Self { value: Arc::clone(&entry.rows), age, stale_because }
    }
}

/// The questions of a [`Client`], answered with how old each answer is; from [`Client::answers`].
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/fixture.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::collection();
/// # let client = klayers_client::Client::builder().base_url(server.url()).build()?;
/// let (region, target) = ("us-east-1".parse()?, "p3.13".parse()?);
/// let answer = client.answers().latest_arn("requests", &region, &target).await?;
/// if let Some(reason) = &answer.stale_because {
///     eprintln!("{} is {} s old: {reason}", answer.value, answer.age.as_secs());
/// }
/// assert!(!answer.is_stale());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    client: &'a Client,
}

impl<'a> Answers<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// As [`Client::latest_arn`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::latest_arn`].
    pub async fn latest_arn(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<LayerVersionArn>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        if let Some(arn) = self.client.arn_at_hand(&package, region, *target) {
            return arn.map(|(answer, _)| answer);
        }
        let rows = self.find(&package, region, *target).await?;
        rows.try_map(|rows| latest_of(&rows, &package, region, *target))
    }

    /// As [`Client::layer`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::layer`].
    pub async fn layer(
        &self,
        spec: impl TryInto<LayerSpec, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<VersionRow>, Error> {
        let spec = spec.try_into().map_err(Into::into)?;
        let rows = self.find(spec.package(), region, *target).await?;
        rows.try_map(|rows| match spec.choose(&rows) {
            Some(row) => Ok(row.clone()),
            None if spec.is_latest() => Err(no_latest(&rows, spec.package(), region, *target)),
            None => {
                let versions = rows.iter();
                Err(Error::NoMatch {
                    region: region.clone(),
                    target: *target,
                    versions: versions
                        .map(|row| (row.package_version.clone(), row.arn.version()))
                        .collect(),
                    spec: Box::new(spec),
                })
            }
        })
    }

    /// As [`Client::latest`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::latest`].
    pub async fn latest(
        &self,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<Vec<LatestRow>>, Error> {
        let deadline = self.shared().hub.transport.deadline();
        let rows = self.ask_latest(region, *target, deadline).await?;
        Ok(rows.map(|rows| rows.to_vec()))
    }

    /// As [`Client::versions`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::versions`].
    pub async fn versions(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<Vec<VersionRow>>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        let rows = self.find(&package, region, *target).await?;
        Ok(rows.map(|rows| rows.to_vec()))
    }

    /// As [`Client::packages`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::packages`].
    pub async fn packages(&self, target: &Target) -> Result<Answer<Vec<BuildRow>>, Error> {
        self.list(&self.shared().builds, Route::LatestBuilds { target: *target }).await
    }

    /// As [`Client::package`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::package`].
    pub async fn package(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
    ) -> Result<Answer<Vec<PackageRow>>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        self.list(&self.shared().packages, Route::Package { package }).await
    }

    /// As [`Client::targets`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::targets`].
    pub async fn targets(&self) -> Result<Answer<Vec<Target>>, Error> {
        let rows: Answer<Vec<TargetRow>> =
            self.list(&self.shared().targets, Route::Targets).await?;
        Ok(rows.map(|rows| rows.into_iter().map(|row| row.target).collect()))
    }

    /// As [`Client::regions`].
    ///
    /// # Errors
    ///
    /// Those of [`Client::regions`].
    pub async fn regions(&self) -> Result<Answer<Vec<Region>>, Error> {
        let rows: Answer<Vec<RegionRow>> =
            self.list(&self.shared().regions, Route::Regions).await?;
        Ok(rows.map(|rows| rows.into_iter().map(|row| row.region).collect()))
    }

    pub(crate) fn latest_in(
        self,
        regions: impl IntoIterator<Item = Region> + Send + 'a,
        target: Target,
    ) -> impl Stream<Item = (Region, Result<Vec<LatestRow>, Error>)> + 'a {
        /// Enough to be quick, and few enough to be a good guest.
        const AT_ONCE: usize = 8;
        let regions: Vec<Region> = regions.into_iter().collect();
        stream::iter(regions)
            .map(move |region| async move {
                let rows = self.latest(&region, &target).await;
                (region, rows.map(|answer| answer.value))
            })
            .buffer_unordered(AT_ONCE)
    }

    fn shared(self) -> &'a Shared {
        self.client.shared()
    }

    async fn list<R: Row>(
        &self,
        rows: &Arc<Shelf<R>>,
        route: Route,
    ) -> Result<Answer<Vec<R>>, Error> {
        let hub = &self.shared().hub;
        let found = rows.get(hub, route, hub.transport.deadline()).await?;
        Ok(Answer::from(found).map(|rows| rows.to_vec()))
    }

    /// The versions of a layer, of which there is at least one.
    async fn find(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Result<Answer<Arc<[VersionRow]>>, Error> {
        let deadline = self.shared().hub.transport.deadline();
        let rows = self.ask_versions(package, region, target, deadline).await?;
        if !rows.value.is_empty() {
            return Ok(rows);
        }
        // The list helps with what comes next; without it the answer is still that there is none.
        let latest = self.ask_latest(region, target, deadline).await.ok();
        let latest = latest.map(|answer| answer.value).unwrap_or_default();
        // The public server knows a package by the collection's own spelling alone.
        if let Some(row) = latest.iter().find(|row| row.package == *package)
            && row.package.spelling() != package.spelling()
        {
            let rows = self.ask_versions(&row.package, region, target, deadline).await?;
            if !rows.value.is_empty() {
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
    ) -> Result<Answer<Arc<[LatestRow]>>, Error> {
        let Shared { hub, latest, .. } = self.shared();
        let route = Route::Latest { target, region: region.clone(), format: Format::Json };
        Ok(latest.get(hub, route, deadline).await?.into())
    }

    async fn ask_versions(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        deadline: Deadline,
    ) -> Result<Answer<Arc<[VersionRow]>>, Error> {
        let Shared { hub, versions, .. } = self.shared();
        let route = Route::Versions { target, region: region.clone(), package: package.clone() };
        Ok(versions.get(hub, route, deadline).await?.into())
    }
}

impl Client {
    /// The answer that needs no question, if there is one: it takes no lock that is held for long,
    /// and no runtime.
    pub(crate) fn arn_at_hand(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Option<Result<(Answer<LayerVersionArn>, Duration), Error>> {
        let key = KeyRef { target: Some(target), region: Some(region), package: Some(package) };
        let entry = self.shared().versions.fresh(&key)?;
        // Whether there is another spelling, or which names are near, has to be asked.
        if entry.rows.is_empty() {
            return None;
        }
        let arn = latest_of(&entry.rows, package, region, target);
        let now = now();
        let (age, fresh_for) = (entry.validity.age(now), entry.validity.fresh_left(now));
        Some(arn.map(|value| (Answer { value, age, stale_because: None }, fresh_for)))
    }
}

fn latest_of(
    rows: &[VersionRow],
    package: &PackageName,
    region: &Region,
    target: Target,
) -> Result<LayerVersionArn, Error> {
    // The newest stands first, should a server call several the latest.
    rows.iter()
        .find(|row| row.deploy_status == DeployStatus::Latest)
        .map(|row| row.arn.clone())
        .ok_or_else(|| no_latest(rows, package, region, target))
}

fn no_latest(rows: &[VersionRow], package: &PackageName, region: &Region, target: Target) -> Error {
    let (package, region) = (package.clone(), region.clone());
    Error::NoLatest { package, region, target, versions: rows.len() }
}
