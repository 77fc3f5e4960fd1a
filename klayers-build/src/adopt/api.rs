//! Reading the API of a collection. What it lists in a target comes first, then the versions of each
//! package in each region.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use klayers_core::api::{Format, Route};
use klayers_core::retry::{Attempt, Outcome, RetryPolicy};
use klayers_core::secrets::hide_url;
use klayers_core::{LayerVersionArn, PackageName, Region, Target};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use klayers_layer::fetch::outcome;
use klayers_layer::secrets::redacted;

use super::{
    AdoptError, BuildClaim, ByPackage, LeftOut, ReadLayer, Reason, RequestError, RequestFault,
};

mod rows;

/// How many requests are under way at once.
const PARALLEL_REQUESTS: usize = 8;
/// How many packages are read at once.
const PARALLEL_PACKAGES: usize = 8;
/// The most requests for one list.
const ATTEMPTS: u32 = 4;
/// The longest wait before the second request for a list.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest wait between two requests. If a server asks for a longer one, the list is left out.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may stay silent within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is taken, in bytes.
const LARGEST: usize = 32 << 20;

/// The API of a collection, as clients have read it since its version 2.
#[derive(Debug)]
pub struct ApiSource {
    client: Client,
    base: String,
    turns: Semaphore,
}

/// What an API lists for a target.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) packages: ByPackage<Listed>,
    /// The regions that have layers, or did not say.
    pub(super) regions: Vec<Region>,
    pub(super) left_out: Vec<LeftOut>,
    /// How many lists were had.
    had: usize,
}

/// What is listed of a package.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Each spelling that is listed: an API may find it under exactly that.
    spellings: BTreeMap<String, PackageName>,
    latest: BTreeMap<Region, BTreeSet<LayerVersionArn>>,
    build: Option<BuildClaim>,
}

impl Lists {
    /// The lists, if one of them was had; or else why not.
    pub(super) fn heard(self) -> Result<Self, RequestError> {
        if self.had > 0 {
            return Ok(self);
        }
        let Self { left_out, .. } = self;
        let (mut unread, mut others) = (Vec::new(), Vec::new());
        for left_out in left_out {
            match left_out.reason {
                Reason::Unread(error) => unread.push(error),
                reason => others.push(LeftOut { reason, ..left_out }),
            }
        }
        match unread.into_iter().next() {
            Some(error) => Err(error),
            // Nothing was asked for.
            None => Ok(Self { left_out: others, ..Self::default() }),
        }
    }

    fn package(&mut self, name: PackageName) -> &mut Listed {
        let listed = self.packages.entry(name.clone()).or_default();
        listed.spellings.entry(name.spelling().to_owned()).or_insert(name);
        listed
    }
}

impl ApiSource {
    /// An API at a base URL, such as `https://api.klayers.cloud`.
    ///
    /// # Errors
    ///
    /// If that is not an HTTP URL, or if no client can be made.
    pub fn new(base: &str) -> Result<Self, AdoptError> {
        let refuse = || AdoptError::Url(hide_url(base));
        let url: Url = base.parse().map_err(|_| refuse())?;
        let plain = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return Err(refuse());
        }
        let client = Client::builder()
            .user_agent(concat!("klayers-pipeline/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(AdoptError::Client)?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { client, base, turns: Semaphore::new(PARALLEL_REQUESTS) })
    }

    /// What is listed for a target in some regions.
    pub(super) async fn lists(&self, target: Target, regions: &[Region]) -> Lists {
        let mut lists = Lists::default();
        let mut latest: Vec<(&Region, Result<Vec<Value>, RequestError>)> = stream::iter(regions)
            .map(|region| async move {
                let (format, of) = (Format::Json, region.clone());
                let route = Route::Latest { target, region: of, format };
                (region, self.list(&route).await)
            })
            .buffer_unordered(PARALLEL_REQUESTS)
            .collect()
            .await;
        latest.sort_by_key(|(region, _)| *region);
        for (region, answer) in latest {
            match answer {
                Ok(rows) => {
                    lists.had += 1;
                    if !rows.is_empty() {
                        lists.regions.push(region.clone());
                    }
                    lists.add_latest(target, region, rows);
                }
                Err(error) => {
                    lists.regions.push(region.clone());
                    let of = Some(region.clone());
                    lists.left_out.push(LeftOut::of_target(target, of, Reason::Unread(error)));
                }
            }
        }
        match self.list(&Route::LatestBuilds { target }).await {
            Ok(rows) => {
                lists.had += 1;
                lists.add_builds(target, rows);
            }
            Err(error) => {
                lists.left_out.push(LeftOut::of_target(target, None, Reason::Unread(error)));
            }
        }
        lists
    }

    /// The versions of packages that are listed, in their order.
    pub(super) fn layers<'a>(
        &'a self,
        target: Target,
        regions: &'a [Region],
        packages: Vec<(PackageName, Listed)>,
    ) -> impl Stream<Item = ReadLayer> + 'a {
        stream::iter(packages)
            .map(move |(name, listed)| self.layer(target, regions, name, listed))
            .buffered(PARALLEL_PACKAGES)
    }

    async fn layer(
        &self,
        target: Target,
        regions: &[Region],
        name: PackageName,
        listed: Listed,
    ) -> ReadLayer {
        let Listed { spellings, latest, build } = listed;
        let package = spellings.values().next().cloned().unwrap_or(name);
        let asked = regions.iter().flat_map(|region| {
            spellings.values().map(move |spelling| (region.clone(), spelling.clone()))
        });
        let mut answers: Vec<(Region, Result<Vec<Value>, RequestError>)> = stream::iter(asked)
            .map(|(region, package)| async move {
                let route = Route::Versions { target, region: region.clone(), package };
                (region, self.list(&route).await)
            })
            .buffer_unordered(PARALLEL_REQUESTS)
            .collect()
            .await;
        answers.sort_by(|one, other| one.0.cmp(&other.0));
        let mut layer =
            ReadLayer { target, package, versions: Vec::new(), build, left_out: Vec::new() };
        let mut unread = BTreeSet::new();
        for (region, answer) in answers {
            match answer {
                Ok(rows) => layer.add_rows(&region, rows),
                Err(error) => {
                    layer.leave_out(&region, Reason::Unread(error));
                    unread.insert(region);
                }
            }
        }
        let found: BTreeSet<LayerVersionArn> =
            layer.versions.iter().map(|claim| claim.arn.clone()).collect();
        for (region, arns) in latest {
            // Why it is not among them was said, where they were not had.
            let missing = arns.difference(&found).filter(|_| !unread.contains(&region));
            for arn in missing {
                layer.leave_out(&region, Reason::Unlisted(arn.clone()));
            }
        }
        layer
    }

    /// Requests a list, as often as the retry policy allows.
    async fn list(&self, route: &Route) -> Result<Vec<Value>, RequestError> {
        let url = format!("{}{route}", self.base);
        let policy = RetryPolicy::default().attempts(ATTEMPTS).first_delay(FIRST_DELAY);
        let mut number = 1;
        loop {
            let turn = self.turns.acquire().await;
            let Failure { fault, outcome } = match self.ask(&url).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => failure,
            };
            drop(turn);
            let wait = outcome.and_then(|outcome| {
                let random = fastrand::f64();
                policy.next_delay(&Attempt { number, outcome, time_left: LONGEST_WAIT, random })
            });
            let Some(wait) = wait else {
                return Err(RequestError { url: redacted(&url), fault });
            };
            tracing::debug!(url = redacted(&url), %fault, ?wait, "asked again");
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    async fn ask(&self, url: &str) -> Result<Vec<Value>, Failure> {
        let mut response = self.client.get(url).send().await?;
        if response.status() != StatusCode::OK {
            let fault = RequestFault::Status(response.status().as_u16());
            return Err(Failure { fault, outcome: Some(outcome::of_response(&response)) });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Failure::last(RequestFault::TooLarge(LARGEST)));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| Failure::last(RequestFault::NotAList(error)))
    }
}

/// A failed request for a list.
struct Failure {
    fault: RequestFault,
    /// For the retry policy. `None` if no repetition helps.
    outcome: Option<Outcome>,
}

impl Failure {
    fn last(fault: RequestFault) -> Self {
        Self { fault, outcome: None }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let outcome = outcome::of_error(&error);
        // `RequestError` names the URL.
        Self { fault: RequestFault::Transport(error.without_url()), outcome }
    }
}
