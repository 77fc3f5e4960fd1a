use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use klayers_core::api::{
    BuildRow, DeployStatus, Format, LatestRow, PackageRow, RegionRow, Route, TargetRow, VersionRow,
};
use klayers_core::{LayerVersionArn, PackageName, Region, Target};

use crate::client::Shared;
use crate::protocol::Row;
use crate::shelf::{Found, KeyRef, Shelf, Wanted};
use crate::transport::{Deadline, now};
use crate::{Client, Error, LayerSpec, Withdrawn, suggest};

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
    fn from(Found { entry, stale_because, .. }: Found<R>) -> Self {
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
        if let Some((answer, _)) = self.client.arn_at_hand(&package, region, *target) {
            return Ok(answer);
        }
        self.find(&package, region, *target, |rows| latest_of(rows, &package, region, *target))
            .await
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
        Ok(self.chosen(&spec, region, *target).await?.map(|chosen| chosen.row))
    }

    /// The same, with what else there is of the layer.
    pub(crate) async fn chosen(
        &self,
        spec: &LayerSpec,
        region: &Region,
        target: Target,
    ) -> Result<Answer<Chosen>, Error> {
        self.find(spec.package(), region, target, |rows| match spec.choose(rows) {
            Some(row) => Ok(Chosen {
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
        let rows = self.ask_latest(region, *target, Wanted::Kept, deadline).await?;
        Ok(Answer::from(rows).map(|rows| rows.to_vec()))
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
        self.find(&package, region, *target, |rows| Ok(rows.to_vec())).await
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
        target: &Target,
    ) -> impl Stream<Item = (Region, Result<Vec<LatestRow>, Error>)> + 'a {
        /// Enough to be quick, and few enough to be a good guest.
        const AT_ONCE: usize = 8;
        let (regions, target) = (regions.into_iter().collect::<Vec<Region>>(), *target);
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
        let found = rows.get(hub, route, Wanted::Kept, hub.transport.deadline()).await?;
        Ok(Answer::from(found).map(|rows| rows.to_vec()))
    }

    /// What `choose` makes of the versions of a layer, of which there is at least one.
    ///
    /// Where what is kept has no such layer, the server is asked whether that is still so.
    async fn find<T>(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        choose: impl Fn(&[VersionRow]) -> Result<T, Error>,
    ) -> Result<Answer<T>, Error> {
        let deadline = self.shared().hub.transport.deadline();
        let mut wanted = Wanted::Kept;
        loop {
            let (chosen, confirmed) =
                match self.rows(package, region, target, wanted, deadline).await? {
                    (Rows::Some(found), confirmed) => {
                        let reason = found.stale_because.clone();
                        let chosen = Answer::from(found).try_map(|rows| choose(&rows));
                        (chosen.map_err(|error| unanswered(reason).unwrap_or(error)), confirmed)
                    }
                    (Rows::None { latest }, confirmed) => {
                        (Err(unknown(package, region, target, &latest)), confirmed)
                    }
                };
            match chosen {
                Err(error) if error.is_not_found() && !confirmed && wanted == Wanted::Kept => {
                    wanted = Wanted::Confirmed;
                }
                chosen => return chosen,
            }
        }
    }

    /// The versions of a layer; and whether the server says so now.
    async fn rows(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        wanted: Wanted,
        deadline: Deadline,
    ) -> Result<(Rows, bool), Error> {
        let found = self.ask_versions(package, region, target, wanted, deadline).await?;
        if !found.entry.rows.is_empty() {
            let confirmed = found.confirmed;
            return Ok((Rows::Some(found), confirmed));
        }
        if let Some(error) = unanswered(found.stale_because) {
            return Err(error);
        }
        // The public server knows a package by the collection's own spelling alone, which the list
        // has. Without the list the answer is still that there is none.
        let Ok(latest) = self.ask_latest(region, target, wanted, deadline).await else {
            return Ok((Rows::None { latest: Arc::default() }, true));
        };
        let mut confirmed = (found.confirmed && latest.confirmed) || self.shared().hub.offline;
        let latest = Arc::clone(&latest.entry.rows);
        let row = latest.iter().find(|row| row.package == *package);
        if let Some(row) = row.filter(|row| row.package.spelling() != package.spelling()) {
            let found = self.ask_versions(&row.package, region, target, wanted, deadline).await?;
            confirmed = confirmed && found.confirmed;
            if !found.entry.rows.is_empty() {
                return Ok((Rows::Some(found), confirmed));
            }
        }
        Ok((Rows::None { latest }, confirmed))
    }

    async fn ask_latest(
        &self,
        region: &Region,
        target: Target,
        wanted: Wanted,
        deadline: Deadline,
    ) -> Result<Found<LatestRow>, Error> {
        let Shared { hub, latest, .. } = self.shared();
        let route = Route::Latest { target, region: region.clone(), format: Format::Json };
        latest.get(hub, route, wanted, deadline).await
    }

    async fn ask_versions(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
        wanted: Wanted,
        deadline: Deadline,
    ) -> Result<Found<VersionRow>, Error> {
        let Shared { hub, versions, .. } = self.shared();
        let route = Route::Versions { target, region: region.clone(), package: package.clone() };
        versions.get(hub, route, wanted, deadline).await
    }
}

/// A layer version, and what else there is of the layer.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) row: VersionRow,
    pub(crate) latest: Option<LayerVersionArn>,
    /// Newer ones that would be it, had they not been withdrawn.
    pub(crate) passed_over: Vec<Withdrawn>,
}

/// The versions of a layer, if there is at least one.
enum Rows {
    Some(Found<VersionRow>),
    /// With the layers that there are instead.
    None {
        latest: Arc<[LatestRow]>,
    },
}

/// That there is no layer of a package, with the names that may be meant instead.
fn unknown(package: &PackageName, region: &Region, target: Target, latest: &[LatestRow]) -> Error {
    let known = latest.iter().map(|row| &row.package);
    Error::UnknownPackage {
        suggestions: suggest::near(package, known.filter(|name| *name != package)),
        package: package.clone(),
        region: region.clone(),
        target,
    }
}

/// Why an old answer cannot say that there is no such layer: the server could not be asked. Who is
/// offline wants what is kept, whatever it says.
fn unanswered(stale_because: Option<Error>) -> Option<Error> {
    stale_because.filter(|error| !matches!(error, Error::Offline { .. }))
}

impl Client {
    /// The answer that needs no question, if there is one: it takes no lock that is held for long,
    /// and no runtime.
    pub(crate) fn arn_at_hand(
        &self,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Option<(Answer<LayerVersionArn>, Duration)> {
        let key = KeyRef { target: Some(target), region: Some(region), package: Some(package) };
        let entry = self.shared().versions.fresh(&key)?;
        // That there is none has to be asked.
        let value = latest_of(&entry.rows, package, region, target).ok()?;
        let now = now();
        let (age, fresh_for) = (entry.validity.age(now), entry.validity.fresh_left(now));
        Some((Answer { value, age, stale_because: None }, fresh_for))
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
    let withdrawn = rows.iter().filter_map(Withdrawn::of).collect();
    Error::NoLatest { package, region, target, versions: rows.len(), withdrawn }
}
