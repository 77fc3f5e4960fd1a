use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use klayers_core::api::{
    BuildRow, DeployStatus, Format, LatestRow, PackageRow, RegionRow, Route, TargetRow, VersionRow,
};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};

use crate::answer_cache::{AnswerCache, CacheUse, KeyRef, Lookup};
use crate::client::Shared;
use crate::clock::{Deadline, now};
use crate::protocol::Row;
use crate::{Client, Error, LayerSpec, WithdrawnVersion, suggest};

/// An answer of a collection, with its age.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// The time since the server made the answer.
    pub age: Duration,
    /// Why the answer is stale, if it is: the server could not be reached, or the client is offline.
    pub stale_because: Option<Error>,
}

impl<T> Answer<T> {
    /// Whether the answer is stale, because no newer one was available.
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

impl<R> From<Lookup<R>> for Answer<Arc<[R]>> {
    fn from(Lookup { entry, stale_because, .. }: Lookup<R>) -> Self {
        let age = entry.validity.age(now());
        Self { value: Arc::clone(&entry.rows), age, stale_because }
    }
}

/// The lookups of a [`Client`], with the age of each answer; from [`Client::answers`].
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

    /// Like [`Client::latest_arn`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::latest_arn`].
    pub async fn latest_arn(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<LayerVersionArn>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        if let Some((answer, _)) = self.client.cached_answer(&package, region, *target) {
            return Ok(answer);
        }
        self.find(&package, region, *target, |rows| latest_of(rows, &package, region, *target))
            .await
    }

    /// Like [`Client::layer`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::layer`].
    pub async fn layer(
        &self,
        spec: impl TryInto<LayerSpec, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<VersionRow>, Error> {
        let spec = spec.try_into().map_err(Into::into)?;
        Ok(self.select(&spec, region, *target).await?.map(|selected| selected.row))
    }

    /// Like [`layer`](Self::layer), with the layer's latest version and the versions passed over.
    pub(crate) async fn select(
        &self,
        spec: &LayerSpec,
        region: &Region,
        target: Target,
    ) -> Result<Answer<SelectedVersion>, Error> {
        self.find(spec.package(), region, target, |rows| match spec.choose(rows) {
            Some(row) => Ok(SelectedVersion {
                row: row.clone(),
                latest: latest_of(rows, spec.package(), region, target).ok(),
                passed_over: spec.passed_over(rows, row),
            }),
            None if spec.is_latest() => Err(no_latest(rows, spec.package(), region, target)),
            None => Err(Error::NoMatch {
                region: region.clone(),
                target,
                versions: rows
                    .iter()
                    .map(|row| (row.package_version.clone(), row.arn.version()))
                    .collect(),
                withdrawn: spec.withdrawn(rows),
                spec: Box::new(spec.clone()),
            }),
        })
        .await
    }

    /// Like [`Client::latest`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::latest`].
    pub async fn latest(
        &self,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<Vec<LatestRow>>, Error> {
        let deadline = self.shared().backend.transport.deadline();
        let rows = self.ask_latest(region, *target, CacheUse::Allowed, deadline).await?;
        Ok(Answer::from(rows).map(|rows| rows.to_vec()))
    }

    /// Like [`Client::versions`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::versions`].
    pub async fn versions(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
        region: &Region,
        target: &Target,
    ) -> Result<Answer<Vec<VersionRow>>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        self.find(&package, region, *target, |rows| Ok(rows.to_vec())).await
    }

    /// Like [`Client::packages`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::packages`].
    pub async fn packages(&self, target: &Target) -> Result<Answer<Vec<BuildRow>>, Error> {
        self.list(&self.shared().builds, Route::LatestBuilds { target: *target }).await
    }

    /// Like [`Client::package`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::package`].
    pub async fn package(
        &self,
        package: impl TryInto<PackageName, Error: Into<Error>>,
    ) -> Result<Answer<Vec<PackageRow>>, Error> {
        let package = package.try_into().map_err(Into::into)?;
        self.list(&self.shared().packages, Route::Package { package }).await
    }

    /// Like [`Client::targets`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::targets`].
    pub async fn targets(&self) -> Result<Answer<Vec<Target>>, Error> {
        let rows: Answer<Vec<TargetRow>> =
            self.list(&self.shared().targets, Route::Targets).await?;
        Ok(rows.map(|rows| rows.into_iter().map(|row| row.target).collect()))
    }

    /// Like [`Client::regions`].
    ///
    /// # Errors
    ///
    /// The errors of [`Client::regions`].
    pub async fn regions(&self) -> Result<Answer<Vec<Region>>, Error> {
        let rows: Answer<Vec<RegionRow>> =
            self.list(&self.shared().regions, Route::Regions).await?;
        Ok(rows.map(|rows| rows.into_iter().map(|row| row.region).collect()))
    }

    pub(crate) fn latest_in(
        self,
        regions: impl IntoIterator<Item = Region> + Send + 'a,
        target: &Target,
    ) -> impl Stream<Item = (Region, Result<Vec<LatestRow>, Error>)> + 'a {
        /// Fast enough, without overloading the server.
        const CONCURRENT_REQUESTS: usize = 8;
        let (regions, target) = (regions.into_iter().collect::<Vec<Region>>(), *target);
        stream::iter(regions)
            .map(move |region| async move {
                let rows = self.latest(&region, &target).await;
                (region, rows.map(|answer| answer.value))
            })
            .buffer_unordered(CONCURRENT_REQUESTS)
    }

    fn shared(self) -> &'a Shared {
        self.client.shared()
    }

    async fn list<R: Row>(
        &self,
        cache: &Arc<AnswerCache<R>>,
        route: Route,
    ) -> Result<Answer<Vec<R>>, Error> {
        let backend = &self.shared().backend;
        let lookup =
            cache.get(backend, route, CacheUse::Allowed, backend.transport.deadline()).await?;
        Ok(Answer::from(lookup).map(|rows| rows.to_vec()))
    }

    /// Applies `choose` to the versions of a layer, which has at least one.
    ///
    /// If the cached answer has no matching layer, the server is asked to confirm that.
    async fn find<T>(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        choose: impl Fn(&[VersionRow]) -> Result<T, Error>,
    ) -> Result<Answer<T>, Error> {
        let deadline = self.shared().backend.transport.deadline();
        let mut cache_use = CacheUse::Allowed;
        loop {
            let (chosen, confirmed) =
                match self.find_versions(package, region, target, cache_use, deadline).await? {
                    (LayerVersions::Found(lookup), confirmed) => {
                        let reason = lookup.stale_because.clone();
                        let chosen = Answer::from(lookup).try_map(|rows| choose(&rows));
                        (chosen.map_err(|error| server_error(reason).unwrap_or(error)), confirmed)
                    }
                    (LayerVersions::UnknownPackage { latest }, confirmed) => {
                        (Err(unknown(package, region, target, &latest)), confirmed)
                    }
                };
            match chosen {
                Err(error)
                    if error.is_not_found() && !confirmed && cache_use == CacheUse::Allowed =>
                {
                    cache_use = CacheUse::Revalidate;
                }
                chosen => return chosen,
            }
        }
    }

    /// Finds the versions of a layer, and whether the server confirmed them in this lookup.
    async fn find_versions(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        cache_use: CacheUse,
        deadline: Deadline,
    ) -> Result<(LayerVersions, bool), Error> {
        let found = self.ask_versions(package, region, target, cache_use, deadline).await?;
        if !found.entry.rows.is_empty() {
            let confirmed = found.confirmed;
            return Ok((LayerVersions::Found(found), confirmed));
        }
        if let Some(error) = server_error(found.stale_because) {
            return Err(error);
        }
        // The public server only knows the collection's spelling of a package, which the list of
        // latest layers has. If that list is not available, the package counts as unknown.
        let Ok(latest) = self.ask_latest(region, target, cache_use, deadline).await else {
            return Ok((LayerVersions::UnknownPackage { latest: Arc::default() }, true));
        };
        let mut confirmed = (found.confirmed && latest.confirmed) || self.shared().backend.offline;
        let latest = Arc::clone(&latest.entry.rows);
        let row = latest.iter().find(|row| row.package == *package);
        if let Some(row) = row.filter(|row| row.package.spelling() != package.spelling()) {
            let found =
                self.ask_versions(&row.package, region, target, cache_use, deadline).await?;
            confirmed = confirmed && found.confirmed;
            if !found.entry.rows.is_empty() {
                return Ok((LayerVersions::Found(found), confirmed));
            }
        }
        Ok((LayerVersions::UnknownPackage { latest }, confirmed))
    }

    async fn ask_latest(
        &self,
        region: &Region,
        target: Target,
        cache_use: CacheUse,
        deadline: Deadline,
    ) -> Result<Lookup<LatestRow>, Error> {
        let Shared { backend, latest, .. } = self.shared();
        let route = Route::Latest { target, region: region.clone(), format: Format::Json };
        latest.get(backend, route, cache_use, deadline).await
    }

    async fn ask_versions(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        cache_use: CacheUse,
        deadline: Deadline,
    ) -> Result<Lookup<VersionRow>, Error> {
        let Shared { backend, versions, .. } = self.shared();
        let route = Route::Versions { target, region: region.clone(), package: package.clone() };
        versions.get(backend, route, cache_use, deadline).await
    }
}

/// The layer version that a [`LayerSpec`] selects, and related versions.
#[derive(Debug)]
pub(crate) struct SelectedVersion {
    pub(crate) row: VersionRow,
    pub(crate) latest: Option<LayerVersionArn>,
    /// Newer versions that match the specification but were withdrawn.
    pub(crate) passed_over: Vec<WithdrawnVersion>,
}

/// The versions of a layer.
enum LayerVersions {
    /// At least one version.
    Found(Lookup<VersionRow>),
    /// No version. `latest` has the layers of other packages.
    UnknownPackage { latest: Arc<[LatestRow]> },
}

/// The error for a package without layers, with suggestions of similar names.
fn unknown(package: &PackageName, region: &Region, target: Target, latest: &[LatestRow]) -> Error {
    let known = latest.iter().map(|row| &row.package);
    Error::UnknownPackage {
        suggestions: suggest::similar_names(package, known.filter(|name| *name != package)),
        package: package.clone(),
        region: region.clone(),
        target,
    }
}

/// Why a stale answer cannot prove that a layer does not exist: the error of the server. An offline
/// client has no such error, since its user asked for cached answers only.
fn server_error(stale_because: Option<Error>) -> Option<Error> {
    stale_because.filter(|error| !matches!(error, Error::Offline { .. }))
}

impl Client {
    /// The cached answer, if it is fresh, and how much longer it is fresh. Needs no runtime, and no
    /// lock that is held for long.
    pub(crate) fn cached_answer(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Option<(Answer<LayerVersionArn>, Duration)> {
        let key = KeyRef { target: Some(target), region: Some(region), package: Some(package) };
        let entry = self.shared().versions.fresh(&key)?;
        // If no version is the latest, the server must confirm that.
        let value = latest_of(&entry.rows, package, region, target).ok()?;
        let now = now();
        let (age, fresh_for) = (entry.validity.age(now), entry.validity.fresh_remaining(now));
        Some((Answer { value, age, stale_because: None }, fresh_for))
    }
}

fn latest_of(
    rows: &[VersionRow],
    package: &PackageName,
    region: &Region,
    target: Target,
) -> Result<LayerVersionArn, Error> {
    // The newest version is first, in case a server calls several the latest.
    rows.iter()
        .find(|row| row.deploy_status == DeployStatus::Latest)
        .map(|row| row.arn.clone())
        .ok_or_else(|| no_latest(rows, package, region, target))
}

fn no_latest(rows: &[VersionRow], package: &PackageName, region: &Region, target: Target) -> Error {
    let (package, region) = (package.clone(), region.clone());
    let withdrawn = rows.iter().filter_map(WithdrawnVersion::from_row).collect();
    Error::NoLatest { package, region, target, versions: rows.len(), withdrawn }
}
